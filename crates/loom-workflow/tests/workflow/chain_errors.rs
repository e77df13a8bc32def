//! The first step that fails stops its chain, and the error says where and of which kind.

use std::time::Duration;

use loom_core::{
    Effect, EffectView, Error, ErrorKind, Gate, Loom, Result, RunContext, RunErrorKind, Verdict,
    step,
};
use loom_testing::Recorder;
use loom_workflow::Workflow;

use crate::recorded::{recorded, tree};

async fn validate(invoice: String) -> Result<String> {
    Ok(invoice)
}

async fn execute(_: String) -> Result<String> {
    panic!("nothing may come after a failed step")
}

#[tokio::test]
async fn the_first_failing_step_stops_the_run() {
    async fn authorize(_: String) -> Result<String> {
        Err(Error::new(ErrorKind::Upstream, "the bank is closed"))
    }
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("refund")
        .then(validate)
        .then(authorize)
        .then(execute)
        .build();
    let error = session.run(&workflow, "INV-1").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Upstream);
    assert_eq!(error.path(), Some("refund/authorize"));
    assert_eq!(error.to_string(), "refund/authorize: the bank is closed");
    assert_eq!(error.report().unwrap().visited, ["validate"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run refund ✗ failed",
            "  loom.workflow.step validate",
            "  loom.workflow.step authorize ✗ failed",
        ]
    );
}

#[tokio::test]
async fn a_user_s_own_error_is_a_failure_that_keeps_its_source() {
    async fn parse(text: String) -> Result<u64, std::num::ParseIntError> {
        text.parse()
    }
    let (_, session) = recorded();
    let workflow = Workflow::chain("parse").then(parse).build();
    let error = session.run(&workflow, "many").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Failed);
    assert_eq!(
        error.to_string(),
        "parse/parse: invalid digit found in string"
    );
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<std::num::ParseIntError>());
}

#[tokio::test]
async fn a_panic_in_a_step_fails_that_step() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("refund").then(execute).build();
    let error = session.run(&workflow, "INV-1").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(
        error.to_string(),
        "refund/execute: nothing may come after a failed step"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run refund ✗ failed",
            "  loom.workflow.step execute ✗ failed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_fails_and_what_it_opened_is_cancelled() {
    async fn pending(_: String) -> Result<String> {
        futures::future::pending().await
    }
    async fn call_bank(cx: RunContext, invoice: String) -> Result<String> {
        cx.step("transfer", &pending, invoice).await
    }
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("refund")
        .then(step(call_bank).timeout(Duration::from_secs(10)))
        .then(execute)
        .build();
    let error = session.run(&workflow, "INV-1").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "refund/call_bank: timed out after 10s");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run refund ✗ failed",
            "  loom.workflow.step call_bank ✗ failed",
            "    loom.workflow.step transfer ✗ cancelled (timed_out)",
        ]
    );
}

/// Denies the step of this name.
struct Not(&'static str);

impl Gate for Not {
    fn name(&self) -> &str {
        "not"
    }

    async fn check(&self, _cx: &EffectView, effect: &Effect) -> Verdict {
        match *effect.name() == *self.0 {
            true => Verdict::deny("not on Sundays"),
            false => Verdict::Allow,
        }
    }
}

#[tokio::test]
async fn a_denied_step_does_not_run_and_stops_the_run() {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .observe(recorder.clone())
        .gate(Not("execute"));
    let workflow = Workflow::chain("refund")
        .then(validate)
        .then(execute)
        .build();
    let session = loom.build().session("alice");
    let error = session.run(&workflow, "INV-1").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Denied);
    assert_eq!(error.to_string(), "refund/execute: not: not on Sundays");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run refund ✗ denied",
            "  loom.workflow.step validate",
            "  loom.workflow.step execute ✗ denied",
        ]
    );
}

#[tokio::test]
async fn a_cap_of_a_step_s_own_interrupts_the_run() {
    async fn search(cx: RunContext, _: String) -> Result<String> {
        Err(cx.limit_reached("pages_max", 10))
    }
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("research")
        .then(search)
        .then(execute)
        .build();
    let error = session.run(&workflow, "cats").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        error.to_string(),
        "research/search: search: pages_max 10 reached"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run research ✗ interrupted",
            "  loom.workflow.step search ✗ interrupted",
        ]
    );
}
