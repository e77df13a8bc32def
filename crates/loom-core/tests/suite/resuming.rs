//! A resumed run goes on where it stopped: what is recorded is used again, and only the rest runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Branch, CancelReason, Error, ErrorKind, Happened, Info, Kind, MemoryJournal, Result,
    RunContext, RunErrorKind, Runnable, SpanId, TraceParent, key, step,
};

use crate::journaled::{Log, Refund, answer_all, asked, run_id, worker};
use crate::recorded::tree;
use crate::steps::wait;

#[test]
fn nothing_recorded_runs_again_under_the_same_loom_or_a_fresh_one() {
    block_on(async {
        for fresh in [false, true] {
            let (journal, log) = (Arc::new(MemoryJournal::default()), Log::default());
            let (mut recorder, mut session) = worker(&journal);
            let paused = session.run(&Refund(log.clone()), "go").await.unwrap_err();
            assert_eq!(log.take(), ["load"]);
            if fresh {
                (recorder, session) = worker(&journal);
            }
            answer_all(&session, &paused, true).await;
            recorder.clear();
            let outcome = session.resume(&run_id(&paused), &Refund(log.clone())).await;
            let outcome = outcome.unwrap();
            assert_eq!(outcome.output, "go load pay");
            assert_eq!(outcome.visited, ["load", "pay"]);
            assert_eq!(log.take(), ["pay"]);
            assert_eq!(
                tree(&recorder),
                [
                    "loom.workflow.run refund",
                    "  loom.workflow.step load ↻",
                    "  loom.workflow.step pay",
                ]
            );
        }
    });
}

#[test]
fn a_resumed_run_is_the_same_run_in_the_same_trace_under_a_new_root_span() {
    async fn whence(cx: RunContext, _: String) -> Result<Option<String>> {
        let continues = cx.continues().map(|it| it.to_string());
        cx.ask::<bool>("sure", "go?").await?;
        Ok(continues)
    }
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (recorder, session) = worker(&journal);
        let first = session.run(&whence, "go").await.unwrap_err();
        let run = run_id(&first);
        let second = session.resume(&run, &whence).await;
        let (elsewhere, session) = worker(&journal);
        answer_all(&session, &second.unwrap_err(), true).await;
        let outcome = session.resume(&run, &whence).await.unwrap();
        let spans = [recorder.spans(), elsewhere.spans()].concat();
        let ids: Vec<_> = spans.iter().map(|it| (&it.run, it.trace)).collect();
        assert_eq!(ids, [(&outcome.run_id, outcome.trace_id); 3]);
        let notes: Vec<_> = spans.iter().map(|it| &it.notes[..]).collect();
        assert_eq!(notes, [&[][..], &["resumed"], &["resumed"]]);
        let [a, b, c] = &spans[..] else {
            panic!("three attempts")
        };
        assert!(a.span != b.span && b.span != c.span && a.span != c.span);
        assert_eq!(outcome.output, Some(a.span.to_string()));
        assert_eq!([a.parent_span, b.parent_span, c.parent_span], [None; 3]);
    });
}

#[test]
fn a_resumed_run_keeps_counting_its_attempts_however_they_end() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (recorder, session) = worker(&journal);
        let flaky = Flaky::new(&Log::default(), 2);
        let failed = session.run(&flaky, "go").await.unwrap_err();
        let run = run_id(&failed);
        session.resume(&run, &flaky).await.unwrap_err();
        let (elsewhere, session) = worker(&journal);
        session.resume(&run, &flaky).await.unwrap();
        session.resume(&run, &flaky).await.unwrap();
        let events = [recorder.events(), elsewhere.events()].concat();
        let attempts: Vec<_> = events
            .into_iter()
            .filter_map(|it| match it.what {
                Happened::Noted {
                    note: "resumed",
                    attributes,
                } => attributes.int(key::ATTEMPT),
                _ => None,
            })
            .collect();
        assert_eq!(attempts, [2, 3, 4]);
    });
}

#[test]
fn a_run_that_is_not_resumed_continues_nothing() {
    async fn whence(cx: RunContext, _: ()) -> Result<bool> {
        Ok(cx.continues().is_none())
    }
    let (_, session) = worker(&Arc::default());
    assert!(block_on(session.run(&whence, ())).unwrap().output);
}

#[test]
fn a_run_resumed_by_a_caller_in_another_trace_stays_in_its_own() {
    block_on(async {
        let (recorder, session) = worker(&Arc::default());
        let refund = Refund(Log::default());
        let paused = session.run(&refund, "go").await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let caller: TraceParent = caller.parse().unwrap();
        recorder.clear();
        let session = session.traceparent(caller);
        let outcome = session.resume(&run_id(&paused), &refund).await.unwrap();
        assert_eq!(outcome.trace_id, paused.report().unwrap().trace_id);
        let root = &recorder.spans()[0];
        assert_eq!(root.trace, outcome.trace_id);
        assert_eq!(root.parent_span, None::<SpanId>, "it is in another trace");
    });
}

/// Pauses at every nesting there is: a step in a step, a tool, and branches beside each other.
struct Deep(Log);

impl Deep {
    async fn asking(&self, cx: &RunContext, name: &'static str, text: String) -> Result<String> {
        let log = self.0.clone();
        let asking = move |cx: RunContext, text: String| {
            let log = log.clone();
            async move {
                let text = cx.step("before", &log.step("before"), text).await?;
                cx.ask::<bool>("sure", "go?").await?;
                cx.step("after", &log.step("after"), text).await
            }
        };
        cx.step(name, &asking, text).await
    }
}

impl Runnable<String> for Deep {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let text = self.asking(cx, "nested", text).await?;
        let text = self.0.call(cx, "tool", text).await?;
        let [left, middle, right] = [text.clone(), text.clone(), text];
        let branches = [
            Branch::new(|cx| async move { self.asking(&cx, "left", left).await }),
            Branch::new(
                |cx| async move { cx.step("middle", &self.0.step("middle"), middle).await },
            ),
            Branch::new(|cx| async move { self.asking(&cx, "right", right).await }),
        ];
        Ok(cx.join(8, branches).await?.join(", "))
    }

    fn info(&self) -> Info {
        Info::new("deep", Kind::Function)
    }
}

#[test]
fn a_run_pauses_and_resumes_at_any_nesting_and_as_often_as_it_asks() {
    block_on(async {
        let (journal, log) = (Arc::new(MemoryJournal::default()), Log::default());
        let (_, session) = worker(&journal);
        let deep = Deep(log.clone());
        let first = session.run(&deep, "go").await.unwrap_err();
        assert_eq!(asked(&first), ["deep/nested/sure"]);
        assert_eq!(log.take(), ["before"]);

        let (_, session) = worker(&journal);
        answer_all(&session, &first, true).await;
        let second = session.resume(&run_id(&first), &deep).await.unwrap_err();
        assert_eq!(
            asked(&second),
            ["deep/[0]/left/sure", "deep/[2]/right/sure"]
        );
        assert_eq!(log.take(), ["after", "tool", "before", "middle", "before"]);

        let (recorder, session) = worker(&journal);
        answer_all(&session, &second, true).await;
        let outcome = session.resume(&run_id(&first), &deep).await.unwrap();
        let text = "go before after tool";
        assert_eq!(
            outcome.output,
            format!("{text} before after, {text} middle, {text} before after")
        );
        assert_eq!(outcome.visited, ["nested", "left", "middle", "right"]);
        assert_eq!(log.take(), ["after", "after"]);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run deep",
                "  loom.workflow.step nested ↻",
                "  loom.tool tool ↻",
                "  loom.workflow.step left",
                "    loom.workflow.step before ↻",
                "    loom.workflow.step after",
                "  loom.workflow.step middle ↻",
                "  loom.workflow.step right",
                "    loom.workflow.step before ↻",
                "    loom.workflow.step after",
            ]
        );
    });
}

#[test]
fn one_of_several_answers_lets_its_branch_go_on_and_the_rest_is_asked_again() {
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let log = Log::default();
        let deep = Deep(log.clone());
        let first = session.run(&deep, "go").await.unwrap_err();
        answer_all(&session, &first, true).await;
        let run = run_id(&first);
        let both = session.resume(&run, &deep).await.unwrap_err();
        log.take();
        session
            .answer(&run, "deep/[2]/right/sure", true)
            .await
            .unwrap();
        let left = session.resume(&run, &deep).await.unwrap_err();
        assert_eq!(asked(&both), ["deep/[0]/left/sure", "deep/[2]/right/sure"]);
        assert_eq!(asked(&left), ["deep/[0]/left/sure"]);
        assert_eq!(log.take(), ["after"]);
    });
}

/// Notes each of its two steps, of which the second fails while there are failures left.
struct Flaky(Log, AtomicU32);

impl Flaky {
    fn new(log: &Log, failures: u32) -> Self {
        Self(log.clone(), failures.into())
    }
}

impl Runnable<String> for Flaky {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let text = cx.step("load", &self.0.step("load"), text).await?;
        let left = self
            .1
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_sub(1));
        let (log, fails) = (self.0.clone(), left.is_ok());
        let pay = move |text: String| {
            log.note(format!("pay {text:?}"));
            std::future::ready(match fails {
                true => Err(Error::new(ErrorKind::Failed, "the bank is closed")),
                false => Ok(text),
            })
        };
        cx.step("pay", &pay, text).await
    }
}

#[test]
fn a_run_that_failed_is_resumed_and_only_what_failed_runs_again() {
    block_on(async {
        let (recorder, session) = worker(&Arc::default());
        let log = Log::default();
        let flaky = Flaky::new(&log, 2);
        let failed = session.run(&flaky, "go").await.unwrap_err();
        let run = run_id(&failed);
        let again = session.resume(&run, &flaky).await.unwrap_err();
        assert_eq!(failed.to_string(), "function/pay: the bank is closed");
        assert_eq!(again.to_string(), failed.to_string());
        assert_eq!(
            session.resume(&run, &flaky).await.unwrap().output,
            "go load"
        );
        let pay = "pay \"go load\"";
        assert_eq!(log.take(), ["load", pay, pay, pay]);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run function ✗ failed",
                "  loom.workflow.step load",
                "  loom.workflow.step pay ✗ failed",
                "loom.workflow.run function ✗ failed",
                "  loom.workflow.step load ↻",
                "  loom.workflow.step pay ✗ failed",
                "loom.workflow.run function",
                "  loom.workflow.step load ↻",
                "  loom.workflow.step pay",
            ]
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_retry_uses_what_its_earlier_attempt_recorded() {
    struct Retried(Arc<Flaky>);
    impl Runnable<String> for Retried {
        type Out = String;

        async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
            let flaky = self.0.clone();
            let flaky = move |cx: RunContext, text: String| {
                let flaky = flaky.clone();
                async move { flaky.run(&cx, text).await }
            };
            cx.step("flaky", &step(flaky).retry(3), text).await
        }
    }
    let (recorder, session) = worker(&Arc::default());
    let log = Log::default();
    let retried = Retried(Arc::new(Flaky::new(&log, 1)));
    assert_eq!(session.run(&retried, "go").await.unwrap().output, "go load");
    let pay = "pay \"go load\"";
    assert_eq!(log.take(), ["load", pay, pay]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run function",
            "  loom.workflow.step flaky",
            "    loom.workflow.step load",
            "    loom.workflow.step pay ✗ failed",
            "    loom.workflow.step load ↻",
            "    loom.workflow.step pay",
        ]
    );
}

#[test]
fn a_run_that_ended_gives_what_it_gave() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let log = Log::default();
        let flaky = Flaky::new(&log, 0);
        let outcome = worker(&journal).1.run(&flaky, "go").await.unwrap();
        assert_eq!(log.take(), ["load", "pay \"go load\""]);
        let (recorder, session) = worker(&journal);
        let again = session.resume(&outcome.run_id, &flaky).await.unwrap();
        assert_eq!(again.output, outcome.output);
        assert_eq!(
            (&again.run_id, again.trace_id),
            (&outcome.run_id, outcome.trace_id)
        );
        assert_eq!(log.take(), Vec::<String>::new());
        assert_eq!(tree(&recorder), ["loom.workflow.run function ↻"]);
    });
}

#[test]
fn a_run_that_was_cancelled_is_resumed() {
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let mut run = session.run(&wait, 2u32);
        assert!((&mut run).now_or_never().is_none(), "it runs");
        run.handle().cancel();
        let cancelled = run.await.unwrap_err();
        assert_eq!(
            cancelled.kind(),
            RunErrorKind::Cancelled(CancelReason::Requested)
        );
        let outcome = session.resume(&run_id(&cancelled), &wait).await;
        assert_eq!(outcome.unwrap().output, 2);
    });
}
