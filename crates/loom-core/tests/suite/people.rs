//! What people get for their own tests: contexts without a run, scripted time, a recorder.

use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    Attributes, Clock, Effect, EffectKind, Error, ErrorKind, Limits, Loom, MemoryJournal, Result,
    RunContext,
};
use loom_testing::{Recorder, TokioClock};
use serde_json::json;

use crate::recorded::recorded_by;
use crate::steps::{echo, fail};

async fn greet(cx: RunContext, greeting: String) -> Result<String> {
    let user = cx.user().map_or("nobody", |it| it.as_str()).to_owned();
    let greeting = cx.step("polite", &echo, greeting).await?;
    Ok(format!("{greeting} {user}"))
}

#[test]
fn a_step_is_called_by_hand_for_a_user() {
    let cx = RunContext::test("alice");
    assert_eq!(
        block_on(greet(cx.clone(), "hello".into())).unwrap(),
        "hello alice"
    );
    assert_eq!(cx.path(), "test");
    assert_eq!(cx.effect().to_string(), "loom.workflow.run test");
    assert_eq!((cx.run_id(), cx.parent_run_id()), (cx.root_run_id(), None));
    assert_eq!((cx.parent().is_none(), cx.level()), (true, 0));
    assert_eq!(
        (cx.by(), cx.conversation_id(), cx.caller()),
        (None, None, None)
    );
    assert_eq!((cx.continues(), cx.is_replayed()), (None, false));
    assert_eq!(cx.limits(), Limits::default());
    assert_ne!(cx.session_id(), RunContext::test("alice").session_id());
}

#[test]
fn a_loom_of_the_tests_own_watches_and_limits_what_is_called_by_hand() {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .observe(recorder.clone())
        .limits(Limits::default().with_effects_max(2))
        .build();
    let cx = RunContext::test_in(&loom, "alice");
    block_on(greet(cx.clone(), "hello".into())).unwrap();
    let error = block_on(cx.step("broken", &fail, "x")).unwrap_err();
    assert_eq!(error.to_string(), "test/broken: broken");
    let error = block_on(cx.step("third", &echo, "x")).unwrap_err();
    assert_eq!(error.to_string(), "test: effects_max 2 reached");
    assert_eq!(
        recorder.tree().lines(),
        [
            "loom.workflow.step polite",
            "loom.workflow.step broken ✗ failed"
        ],
        "nobody opened the run itself"
    );
    let spans = recorder.spans();
    assert!(spans.iter().all(|it| it.user.as_ref() == cx.user()));
    assert!(spans.iter().all(|it| it.run == *cx.run_id()));
    assert_eq!(loom.running(), 0);
}

#[test]
fn a_context_without_a_run_around_it_cannot_wait_for_an_answer() {
    let loom = Loom::builder().journal(MemoryJournal::default()).build();
    let cx = RunContext::test_in(&loom, "alice");
    assert!(!cx.has_journal());
    let error = block_on(cx.ask::<bool>("sure", "sure?")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.message().starts_with("nobody can answer \"sure\""),
        "{error}"
    );
}

#[test]
fn a_user_id_that_is_none_fails_the_test_that_gives_it() {
    let refused = std::panic::catch_unwind(|| RunContext::test("")).unwrap_err();
    let message = refused.downcast_ref::<String>().unwrap();
    assert_eq!(
        message,
        "the user id \"\" is empty; give 1 to 256 bytes without control characters"
    );
}

#[tokio::test(start_paused = true)]
async fn events_carry_the_time_that_a_test_lets_pass() {
    async fn naps(secs: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_secs(secs)).await;
        Ok(secs)
    }
    let (recorder, session) = recorded_by(Loom::builder().clock(TokioClock::start()));
    tokio::time::advance(Duration::from_secs(5)).await;
    session.run(&naps, 3600u64).await.unwrap();
    let span = &recorder.spans()[0];
    let unix = |secs| std::time::UNIX_EPOCH + Duration::from_secs(secs);
    assert_eq!(span.opened, unix(1_767_225_605));
    assert_eq!(span.closed, Some(unix(1_767_229_205)));
    let clock = TokioClock::start();
    assert_eq!(clock.now(), clock.now(), "nothing passes by itself");
}

async fn streams(cx: RunContext, text: String) -> Result<String> {
    let model = Effect::new(EffectKind::Model, "opus").with("colour", "red");
    cx.perform(model, (), |cx, ()| async move {
        cx.delta("to ");
        cx.note("half", &Attributes::new());
        cx.delta("be");
        cx.record_one("pieces", 2u64);
        Ok(())
    })
    .await?;
    cx.step("echo", &echo, text).await
}

#[test]
fn a_recorder_shows_spans_with_all_that_happened_in_them() {
    let (recorder, session) = recorded_by(Loom::builder());
    let outcome = block_on(session.run(&streams, "go")).unwrap();
    let [root, model, step] = &recorder.spans()[..] else {
        panic!("three spans")
    };
    assert_eq!(
        (&model.streamed[..], &model.notes[..]),
        ("to be", &["half"][..])
    );
    let facts = Attributes::new().with("colour", "red").with("pieces", 2u64);
    assert_eq!(model.attributes, facts);
    assert_eq!((&model.input, &model.output), (&None, &Some(json!(null))));
    assert_eq!(step.input, Some("go".into()));
    assert_eq!(step.output, Some("go".into()));
    assert_eq!(step.path, "streams/echo");
    assert_eq!((&root.run, root.trace), (&outcome.run_id, outcome.trace_id));
    assert_eq!(model.parent_span, Some(root.span));
    assert_eq!((root.error.clone(), root.replayed), (None, false));
}

#[test]
fn a_recorder_draws_its_spans_as_a_tree() {
    async fn nests(cx: RunContext, text: String) -> Result<String> {
        cx.step("first", &streams, text.clone()).await?;
        cx.step("last", &fail, text).await
    }
    let (recorder, session) = recorded_by(Loom::builder());
    block_on(session.run(&nests, "go")).unwrap_err();
    assert_eq!(
        recorder.tree().to_string(),
        "loom.workflow.run nests ✗ failed\n\
         ├─ loom.workflow.step first\n\
         │  ├─ loom.model.stream opus\n\
         │  └─ loom.workflow.step echo\n\
         └─ loom.workflow.step last ✗ failed\n"
    );
    assert_eq!(
        format!("{recorder:?}"),
        format!("Recorder({} events)", recorder.events().len())
    );
    let other = recorder.clone();
    other.clear();
    assert!(recorder.events().is_empty(), "clones share one memory");
}

#[test]
fn a_span_that_is_open_shows_it() {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let shown = recorder.clone();
    let step = move |_: ()| {
        let lines = shown.tree().lines();
        std::future::ready(Ok::<_, Error>(lines))
    };
    let lines = block_on(loom.session("alice").run(&step, ()))
        .unwrap()
        .output;
    assert_eq!(lines, ["loom.workflow.run function … open"]);
}
