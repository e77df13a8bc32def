//! An answer that comes while its run is under way: the run resumes by itself instead of pausing.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Branch, Error, Happened, MemoryJournal, Outcome, Result, RunContext, RunError, RunErrorKind,
    Session, key,
};
use loom_testing::Recorder;

use crate::journaled::{Log, answer_all, asked, run_id, waiting, worker};
use crate::recorded::tree;
use crate::steps::wait;

/// Asks one question after another, each beside a step that takes its time.
async fn asks(cx: RunContext, times: u32) -> Result<u32> {
    for n in 0..times {
        let branches = [
            Branch::named("ask", move |cx: RunContext| async move {
                cx.ask::<u32>(format!("q{n}"), "how many?").await
            }),
            Branch::named("slow", move |cx: RunContext| async move {
                cx.step(format!("slow{n}"), &wait, 20u32).await
            }),
        ];
        cx.join(8, branches).await?;
    }
    Ok(times)
}

/// Drives a run, and answers each question as soon as it is asked.
pub(crate) async fn answered_at_once(
    session: &Session,
    recorder: &Recorder,
    times: u32,
) -> Result<Outcome<u32>, RunError> {
    let mut run = session.run(&asks, times);
    let id = run.handle().run_id().clone();
    let mut answered = BTreeSet::new();
    loop {
        if let Some(ended) = (&mut run).now_or_never() {
            return ended;
        }
        for event in recorder.events() {
            if let Happened::Asked { question } = event.what
                && answered.insert(question.path.clone())
            {
                session.answer(&id, &question.path, 7u32).await.unwrap();
            }
        }
    }
}

/// The numbers of the attempts that resumed a run.
pub(crate) fn attempts(recorder: &Recorder) -> Vec<i64> {
    let resumed = |event: loom_core::OwnedEvent| match event.what {
        Happened::Noted {
            note: "resumed",
            attributes,
        } => attributes.int(key::ATTEMPT),
        _ => None,
    };
    recorder.events().into_iter().filter_map(resumed).collect()
}

#[test]
fn c04_whoever_awaits_a_run_that_is_answered_meanwhile_sees_no_pause() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (recorder, session) = worker(&journal);
        let outcome = answered_at_once(&session, &recorder, 1).await.unwrap();
        assert_eq!(outcome.output, 1);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run asks ✗ paused",
                "  loom.workflow.step slow0",
                "loom.workflow.run asks",
                "  loom.workflow.step slow0 ↻",
            ]
        );
        assert_eq!(attempts(&recorder), [2]);
        let scope = session.scope().unwrap();
        assert_eq!(waiting(&journal, &scope).await, []);
    });
}

#[test]
fn c04_it_resumes_by_itself_at_most_16_times_in_a_row() {
    block_on(async {
        for (times, ends) in [(16, Ok(16)), (17, Err(RunErrorKind::Paused))] {
            let journal = Arc::new(MemoryJournal::default());
            let (recorder, session) = worker(&journal);
            let came_out = answered_at_once(&session, &recorder, times).await;
            let came_out = came_out.map(|it| it.output);
            assert_eq!(
                came_out.as_ref().map_err(RunError::kind),
                ends.as_ref().map_err(|e| *e)
            );
            let expected: Vec<i64> = (2..=17).collect();
            assert_eq!(attempts(&recorder), expected);
            if let Err(paused) = came_out {
                assert_eq!(paused.questions(), [], "all is answered");
                let scope = session.scope().unwrap();
                let listed = waiting(&journal, &scope).await;
                assert_eq!(listed.len(), 1, "it waits to be resumed");
                let run = listed[0].run_id.clone();
                let resumed = session.resume(&run, &asks).await.unwrap();
                assert_eq!(resumed.output, 17);
            }
        }
    });
}

#[test]
fn of_two_questions_one_that_is_answered_meanwhile_is_not_asked_again() {
    async fn asks_two(cx: RunContext, _: ()) -> Result<Vec<bool>> {
        let branch = |name: &'static str| {
            Branch::named(name, move |cx: RunContext| async move {
                cx.ask(name, "sure?").await
            })
        };
        let slow = Branch::named("slow", |_| async { wait(20).await.map(|_| true) });
        cx.join(8, [branch("one"), branch("two"), slow]).await
    }
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let mut run = session.run(&asks_two, ());
        let id = run.handle().run_id().clone();
        for _ in 0..9 {
            assert!((&mut run).now_or_never().is_none());
        }
        session
            .answer(&id, "asks_two/[one]/one", true)
            .await
            .unwrap();
        let paused = run.await.unwrap_err();
        assert_eq!(asked(&paused), ["asks_two/[two]/two"]);
        assert_eq!(paused.report().unwrap().run_id, id);
        answer_all(&session, &paused, false).await;
        let outcome = session.resume(&run_id(&paused), &asks_two).await.unwrap();
        assert_eq!(outcome.output, [true, false, true]);
    });
}

#[test]
fn a_run_that_fails_after_its_answer_came_is_not_resumed_by_itself() {
    let log = Log::default();
    let noted = log.clone();
    let fails = move |cx: RunContext, _: ()| {
        let log = noted.clone();
        async move {
            let branches = [
                Branch::named("ask", |cx: RunContext| async move {
                    cx.ask::<bool>("sure", "sure?").await
                }),
                Branch::named("slow", move |_| async move {
                    wait(20).await?;
                    log.note("fails");
                    Err(Error::invalid("broken"))
                }),
            ];
            cx.join(8, branches).await
        }
    };
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let mut run = session.run(&fails, ());
        let id = run.handle().run_id().clone();
        for _ in 0..9 {
            assert!((&mut run).now_or_never().is_none());
        }
        session
            .answer(&id, "function/[ask]/sure", true)
            .await
            .unwrap();
        let failed = run.await.unwrap_err();
        assert_eq!(failed.message(), "broken");
        assert_eq!(log.take(), ["fails"]);
    });
}
