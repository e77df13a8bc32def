//! An effect that was begun and whose end nothing tells: what a resume makes of it.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Approval, Approver, Effect, EffectKind, EffectView, ErrorKind, Happened, IfUnfinished, Loom,
    MemoryJournal, Origin, Question, Resolution, Result, RunContext, RunError, RunErrorKind,
    Safety, Session, Tool, ToolOutput, key, step,
};
use loom_testing::Recorder;
use serde_json::{Value, json};

use crate::answered_meanwhile::attempts;
use crate::journaled::{Log, asked, run_id};
use crate::recorded::{recorded_by, story, tree};
use crate::steps::give_way;

const UNFINISHED: &str = "function/tool:pay[c1]#unfinished";

/// A tool that notes that it pays, and takes two polls.
fn pay(log: &Log) -> Tool {
    let log = log.clone();
    let body = move |text: String| {
        log.note("pay");
        async move {
            give_way().await;
            Ok::<_, loom_core::Error>(format!("paid {text}"))
        }
    };
    Tool::new("pay", "Pays.", body)
}

type Paid = BoxFuture<'static, Result<String>>;

fn pays(tool: Tool) -> impl Fn(RunContext, ()) -> Paid + Send + Sync + 'static {
    move |cx, ()| {
        let tool = tool.clone();
        async move {
            let output = tool.call(&cx, "c1", json!({"input": "5"})).await;
            output.map(ToolOutput::into_text)
        }
        .boxed()
    }
}

fn desk() -> (Recorder, Session) {
    let (recorder, session) = recorded_by(Loom::builder().journal(MemoryJournal::default()));
    (recorder, session.id("desk"))
}

/// What the resume of a run says that was dropped in the middle of its call.
macro_rules! resumed_after_a_drop {
    ($session:expr, $pays:expr) => {{
        let mut run = $session.run(&$pays, ());
        let id = run.handle().run_id().clone();
        assert!((&mut run).now_or_never().is_none(), "it pays");
        drop(run);
        (id.clone(), $session.resume(&id, &$pays).await)
    }};
}

#[test]
fn each_attempt_has_its_number_though_none_of_them_came_to_a_call() {
    async fn waits(_: ()) -> Result<()> {
        std::future::pending().await
    }
    async fn step_by_step(cx: RunContext, _: ()) -> Result<()> {
        cx.step("waits", &step(waits).once(), ()).await
    }
    block_on(async {
        let (recorder, session) = desk();
        let mut run = session.run(&step_by_step, ());
        let id = run.handle().run_id().clone();
        assert!((&mut run).now_or_never().is_none(), "it waits");
        drop(run);
        for _ in 0..2 {
            let paused = session.resume(&id, &step_by_step).await.unwrap_err();
            assert_eq!(paused.kind(), RunErrorKind::Paused);
        }
        assert_eq!(attempts(&recorder), [2, 3]);
    });
}

#[test]
fn whoever_resumes_a_call_that_was_cut_off_is_asked_whether_it_happened() {
    block_on(async {
        let (recorder, session) = desk();
        let log = Log::default();
        let pays = pays(pay(&log));
        let (run, resumed) = resumed_after_a_drop!(session, pays);
        let paused = resumed.unwrap_err();
        assert_eq!(log.take(), ["pay"], "nothing happens unasked");
        let [question] = paused.questions() else {
            panic!("one question: {paused}")
        };
        assert_eq!(
            (&*question.path, question.origin, &question.input),
            (UNFINISHED, Origin::Unfinished, &Some(json!({"input": "5"})))
        );
        assert_eq!(
            story(&recorder)[6..],
            [
                "open function",
                "note function resumed",
                "open function/tool:pay[c1]",
                "note function/tool:pay[c1] unfinished",
                "ask function/tool:pay[c1] unfinished",
                "close function/tool:pay[c1] paused",
                "close function paused",
                "settled function",
            ]
        );
        for wrong in [json!(true), json!("yes"), json!({"ran": 1, "more": 2})] {
            let refused = session.answer(&run, UNFINISHED, &wrong).await.unwrap_err();
            assert_eq!(
                (refused.kind(), refused.message()),
                (
                    ErrorKind::Invalid,
                    &*format!(
                        "{wrong} doesn't say whether it happened: answer {{\"ran\": OUTPUT}}, \"run_again\" or \"give_up\""
                    )
                )
            );
        }
        let again = session.resume(&run, &pays).await.unwrap_err();
        assert_eq!(asked(&again), [UNFINISHED], "it stays open");
    });
}

#[test]
fn what_is_said_of_an_unfinished_call_is_what_comes_of_it() {
    let table = [
        (
            Resolution::Ran(json!("paid 5 by hand")),
            Ok("paid 5 by hand"),
            0,
        ),
        (Resolution::RunAgain, Ok("paid 5"), 1),
        (
            Resolution::GiveUp,
            Err("it was begun in an earlier attempt and counts as failed: somebody decided so"),
            0,
        ),
    ];
    for (resolution, ends, bodies) in table {
        block_on(async {
            let (recorder, session) = desk();
            let log = Log::default();
            let pays = pays(pay(&log));
            let (run, resumed) = resumed_after_a_drop!(session, pays);
            assert_eq!(resumed.unwrap_err().kind(), RunErrorKind::Paused);
            log.take();
            let answered = session.answer(&run, UNFINISHED, resolution);
            answered.await.unwrap();
            recorder.clear();
            let came_out = session.resume(&run, &pays).await;
            let output = came_out.as_ref().map(|it| it.output.as_str());
            assert_eq!(output.map_err(RunError::message), ends);
            assert_eq!(log.take().len(), bodies);
            let closed = recorder.spans()[1].ending.unwrap().as_str();
            assert_eq!(closed, if ends.is_ok() { "completed" } else { "failed" });
            if ends.is_ok() {
                let replayed = session.resume(&run, &pays).await.unwrap();
                assert_eq!(Ok(&*replayed.output), ends, "it is recorded");
            }
        });
    }
}

#[test]
fn an_output_of_another_type_than_the_call_has_is_invalid() {
    async fn once(_: ()) -> Result<u32> {
        give_way().await;
        Ok(7)
    }
    let root = |cx: RunContext, _: ()| async move { cx.step("once", &step(once).once(), ()).await };
    block_on(async {
        let (_, session) = desk();
        let (run, resumed) = resumed_after_a_drop!(session, root);
        let path = "function/once#unfinished";
        assert_eq!(asked(&resumed.unwrap_err()), [path]);
        let ran = Resolution::Ran(json!("seven"));
        session.answer(&run, path, ran).await.unwrap();
        let error = session.resume(&run, &root).await.unwrap_err();
        assert_eq!(
            (error.error().kind(), &*error.to_string()),
            (
                ErrorKind::Invalid,
                "function/once: what it is said to have returned is of another type"
            )
        );
    });
}

#[test]
fn a_tool_declares_what_becomes_of_its_unfinished_calls() {
    let table = [
        (IfUnfinished::RunAgain, Ok("paid 5"), 2),
        (
            IfUnfinished::Fail,
            Err("it was begun in an earlier attempt and counts as failed: its policy says so"),
            1,
        ),
    ];
    for (declared, ends, bodies) in table {
        block_on(async {
            let (recorder, session) = desk();
            let log = Log::default();
            let pays = pays(pay(&log).if_unfinished(declared));
            let (_, came_out) = resumed_after_a_drop!(session, pays);
            let output = came_out.as_ref().map(|it| it.output.as_str());
            assert_eq!(output.map_err(RunError::message), ends);
            assert_eq!(log.take().len(), bodies);
            assert_eq!(
                notes(&recorder),
                [("unfinished", Some("not_idempotent".into()))]
            );
        });
    }
}

/// The notes of effects that were unfinished, and their safety.
fn notes(recorder: &Recorder) -> Vec<(&'static str, Option<String>)> {
    let noted = |event: loom_core::OwnedEvent| match event.what {
        Happened::Noted { note, attributes } if note == "unfinished" => {
            Some((note, attributes.text(key::SAFETY).map(str::to_owned)))
        }
        _ => None,
    };
    recorder.events().into_iter().filter_map(noted).collect()
}

#[test]
fn what_is_idempotent_runs_again_unasked() {
    let table: [fn(Tool) -> Tool; 2] = [Tool::idempotent, Tool::read_only];
    for declared in table {
        block_on(async {
            let (recorder, session) = desk();
            let log = Log::default();
            let pays = pays(declared(pay(&log)));
            let (_, came_out) = resumed_after_a_drop!(session, pays);
            assert_eq!(came_out.unwrap().output, "paid 5");
            assert_eq!(log.take(), ["pay", "pay"]);
            assert_eq!(notes(&recorder), [], "it left no intent");
        });
    }
}

/// Grants everything.
struct Grants;

impl loom_core::Gate for Grants {
    fn name(&self) -> &str {
        "desk"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.kind() == EffectKind::Tool
    }

    async fn check(&self, _: &EffectView, _: &Effect) -> loom_core::Verdict {
        loom_core::Verdict::Ask("may it?".into())
    }
}

impl Approver for Grants {
    async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
        Approval::Granted
    }

    async fn answer(&self, _: &EffectView, question: &Question) -> Option<Value> {
        (question.origin == Origin::Unfinished).then(|| json!("run_again"))
    }
}

#[test]
fn an_idempotent_call_that_was_approved_runs_again_and_the_record_has_that_it_was_unfinished() {
    block_on(async {
        let loom = Loom::builder()
            .gate(Grants)
            .journal(MemoryJournal::default());
        let (recorder, session) = recorded_by(loom);
        let session = session.id("desk");
        let log = Log::default();
        let pays = pays(pay(&log).idempotent());
        let paused = session.run(&pays, ()).await.unwrap_err();
        let run = run_id(&paused);
        let approval = &paused.questions()[0].path;
        session.answer(&run, approval, true).await.unwrap();
        assert!(session.resume(&run, &pays).now_or_never().is_none());
        assert_eq!(log.take(), ["pay"]);
        let again = session.resume(&run, &pays).await.unwrap_err();
        assert_eq!(asked(&again), [format!("{approval}#round:2")]);
        assert_eq!(
            notes(&recorder),
            [("unfinished", Some("idempotent".into()))]
        );
        session
            .answer(&run, &again.questions()[0].path, true)
            .await
            .unwrap();
        assert_eq!(session.resume(&run, &pays).await.unwrap().output, "paid 5");
        assert_eq!(log.take(), ["pay"], "one approval, one attempt");
    });
}

#[test]
fn an_approver_may_know_whether_it_happened() {
    block_on(async {
        let loom = Loom::builder()
            .approver(Grants)
            .journal(MemoryJournal::default());
        let (recorder, session) = recorded_by(loom);
        let session = session.id("desk");
        let log = Log::default();
        let pays = pays(pay(&log));
        let (_, came_out) = resumed_after_a_drop!(session, pays);
        assert_eq!(came_out.unwrap().output, "paid 5");
        assert_eq!(log.take(), ["pay", "pay"]);
        assert_eq!(
            tree(&recorder)[2..],
            ["loom.workflow.run function", "  loom.tool pay"]
        );
    });
}

#[test]
fn a_failure_settles_the_intent_and_nobody_is_asked() {
    async fn fails(_: String) -> Result<String> {
        Err(loom_core::Error::new(ErrorKind::Failed, "busy"))
    }
    block_on(async {
        let (_, session) = desk();
        let pays = pays(Tool::new("pay", "Pays.", fails));
        let failed = session.run(&pays, ()).await.unwrap_err();
        for _ in 0..2 {
            let again = session.resume(&run_id(&failed), &pays).await.unwrap_err();
            assert_eq!(again.message(), "busy");
        }
    });
}

#[test]
fn a_step_that_declares_nothing_runs_again_and_one_that_is_once_asks() {
    async fn takes_time(_: ()) -> Result<u32> {
        give_way().await;
        Ok(7)
    }
    block_on(async {
        let plain = |cx: RunContext, _: ()| async move { cx.step("it", &takes_time, ()).await };
        let (_, session) = desk();
        let (_, came_out) = resumed_after_a_drop!(session, plain);
        assert_eq!(came_out.unwrap().output, 7);
        let once = step(takes_time).once();
        assert_eq!(
            loom_core::IntoStep::<(), _>::step_safety(&once),
            Safety::NotIdempotent
        );
        let once = Arc::new(once);
        let root = move |cx: RunContext, _: ()| {
            let once = once.clone();
            async move { cx.step("it", &*once, ()).await }
        };
        let (_, came_out) = resumed_after_a_drop!(session, root);
        assert_eq!(asked(&came_out.unwrap_err()), ["function/it#unfinished"]);
    });
}
