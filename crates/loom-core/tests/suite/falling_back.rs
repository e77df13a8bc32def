//! A fallback takes the same input when the first step fails; `map` and `named` change what is seen.

use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    CancelReason, Effect, Error, ErrorKind, Happened, Info, IntoStep, Kind, Result, RunContext,
    RunErrorKind, Runnable, key, step,
};

use crate::recorded::{recorded, story, tree};
use crate::steps::{echo, fail, panic};

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

/// Changes its input before it fails, in a step of its own.
async fn spoils(cx: RunContext, mut text: String) -> Result<String> {
    text.push_str(" spoilt");
    cx.step("spoil", &fail, text).await
}

#[test]
fn the_fallback_gets_the_same_input_in_the_same_span_and_a_note_says_why() {
    let (recorder, session) = recorded();
    let outcome = block_on(session.run(&step(spoils).or_else(shout), "go")).unwrap();
    assert_eq!(outcome.output, "GO");
    assert_eq!(
        story(&recorder),
        [
            "open spoils",
            "open spoils/spoil",
            "close spoils/spoil failed",
            "note spoils fallback",
            "close spoils completed",
            "settled spoils",
        ]
    );
    let Happened::Noted { attributes, .. } = &recorder.events()[3].what else {
        panic!("no note")
    };
    assert_eq!(attributes.text(key::ERROR_KIND), Some("failed"));
}

#[test]
fn without_a_failure_the_fallback_does_not_run() {
    let (recorder, session) = recorded();
    let outcome = block_on(session.run(&step(echo).or_else(panic), "go")).unwrap();
    assert_eq!(outcome.output, "go");
    assert_eq!(recorder.spans()[0].notes, Vec::<&str>::new());
}

#[test]
fn the_last_error_is_the_one_that_is_given() {
    async fn also(_: String) -> Result<String> {
        Err(Error::invalid("broken too"))
    }
    let (_, session) = recorded();
    let twice = step(fail).or_else(fail).or_else(also);
    let error = block_on(session.run(&twice, "go")).unwrap_err();
    assert_eq!(error.to_string(), "fail: broken too");
}

#[test]
fn a_fallback_is_tried_whatever_kind_the_error_is_of() {
    let errors: [fn() -> Error; 8] = [
        || Error::new(ErrorKind::Failed, "x"),
        || Error::new(ErrorKind::Upstream, "x"),
        || Error::new(ErrorKind::Timeout, "x"),
        || Error::invalid("x"),
        || Error::new(ErrorKind::Denied, "x"),
        || Error::new(ErrorKind::Panicked, "x"),
        || Error::new(ErrorKind::LimitReached, "x"),
        || Error::new(ErrorKind::Stopped, "x"),
    ];
    for error in errors {
        let fails = move |_: String| std::future::ready(Err::<String, _>(error()));
        let (_, session) = recorded();
        let result = block_on(session.run(&step(fails).or_else(shout), "go"));
        assert_eq!(result.unwrap().output, "GO", "{:?}", error().kind());
    }
}

#[test]
fn no_fallback_is_tried_once_the_run_ends() {
    async fn cancels(cx: RunContext, text: String) -> Result<String> {
        cx.handle().cancel();
        cx.step("late", &echo, text).await
    }
    let (recorder, session) = recorded();
    let wrapped = step(cancels).or_else(panic);
    let error = block_on(session.run(&wrapped, "go")).unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        story(&recorder),
        [
            "open cancels",
            "close cancels cancelled (requested)",
            "settled cancels"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fallback_may_come_after_a_timeout_and_have_one_of_its_own() {
    async fn stuck(cx: RunContext, text: String) -> Result<String> {
        cx.step("waits", &crate::steps::forever, text).await
    }
    let second = Duration::from_secs(1);
    let (recorder, session) = recorded();
    let patient = step(stuck)
        .timeout(second)
        .or_else(step(stuck).timeout(second))
        .or_else(shout);
    assert_eq!(session.run(&patient, "go").await.unwrap().output, "GO");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run stuck",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
        ]
    );
    assert_eq!(recorder.spans()[2].path, "stuck/waits#2");
}

#[test]
fn a_mapped_step_is_one_span_with_the_changed_output() {
    let (recorder, session) = recorded();
    let length = step(shout).map(|text: String| text.len() as u64);
    assert_eq!(block_on(session.run(&length, "four")).unwrap().output, 4);
    assert_eq!(tree(&recorder), ["loom.workflow.run shout"]);
    assert_eq!(recorder.spans()[0].output, Some(4.into()));
    let error = block_on(session.run(&step(fail).map(|text: String| text.len()), "x"));
    assert_eq!(error.unwrap_err().to_string(), "fail: broken");
}

#[test]
fn f059_a_map_that_panics_fails_its_step() {
    let (recorder, session) = recorded();
    let bad = step(echo).map(|text: String| -> String { panic!("can't map {text}") });
    let error = block_on(session.run(&bad, "go")).unwrap_err();
    assert_eq!(
        (error.error().kind(), error.message()),
        (ErrorKind::Panicked, "can't map go")
    );
    assert_eq!(tree(&recorder), ["loom.workflow.run echo ✗ failed"]);
}

#[test]
fn an_empty_name_is_refused_and_not_taken_for_none() {
    let (_, session) = recorded();
    let error = block_on(session.run(&step(echo).named(""), "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(error.message(), "the name \"\" is empty");
}

#[test]
fn a_named_step_goes_by_its_name_wherever_that_was_given() {
    let (recorder, session) = recorded();
    let name = |text: String| async move { Ok::<_, Error>(text) };
    block_on(session.run(&step(name).named("given").retry(2), "go")).unwrap();
    block_on(session.run(&step(name).retry(2).named("given"), "go")).unwrap();
    block_on(session.run(&step(echo).named("first").named("last"), "go")).unwrap();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run given",
            "loom.workflow.run given",
            "loom.workflow.run last"
        ]
    );
    let error = block_on(session.run(&step(echo).named("a\nb"), "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
}

/// An agent without a name of its own.
struct Unnamed;

impl Runnable<String> for Unnamed {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let run = Effect::new(loom_core::EffectKind::Agent, "agent");
        cx.perform(run, (), |_, ()| async { Ok(text) }).await
    }

    fn info(&self) -> Info {
        Info::new("", Kind::Agent)
    }
}

#[test]
fn a_wrapped_agent_is_a_step_around_the_agent_and_made_of_it() {
    let (recorder, session) = recorded();
    let wrapped = step(Unnamed).retry(2);
    let info = IntoStep::<String, _>::step_info(&wrapped);
    assert_eq!(
        (info.name.as_str(), info.kind),
        ("agent_node", Kind::Function)
    );
    assert_eq!(info.parts[..], [Unnamed.info()]);
    block_on(session.run(&wrapped, "go")).unwrap();
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run agent_node", "  loom.run agent"]
    );
}
