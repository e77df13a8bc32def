//! What isn't idempotent is never done twice by a retry that wasn't told it may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    Error, ErrorKind, Info, IntoStep, Kind, Loom, MemoryJournal, Result, RunContext, Runnable,
    Session, Step, Tool, step,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

const NONE: Duration = Duration::ZERO;

#[derive(Deserialize, JsonSchema)]
struct Refund {}

/// An agent as others see one: it calls its tool, and fails the first time.
#[derive(Clone)]
struct Desk {
    refund: Tool,
    refunds: Arc<AtomicU32>,
    runs: Arc<AtomicU32>,
}

impl Desk {
    fn new(declared: fn(Tool) -> Tool) -> Self {
        let refunds = Arc::new(AtomicU32::new(0));
        let counted = refunds.clone();
        let pay = move |_: Refund| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Error>("paid".to_owned()) }
        };
        Self {
            refund: declared(Tool::new("refund", "Refunds.", pay)),
            refunds,
            runs: Arc::default(),
        }
    }

    fn counts(&self) -> (u32, u32) {
        let count = |it: &AtomicU32| it.load(Ordering::Relaxed);
        (count(&self.runs), count(&self.refunds))
    }
}

impl Runnable<String> for Desk {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        self.refund.call(cx, "c1", json!({})).await?;
        match self.runs.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Error::new(ErrorKind::Failed, "not yet")),
            _ => Ok(text),
        }
    }

    fn info(&self) -> Info {
        Info::new("desk", Kind::Agent).with_parts([self.refund.info()])
    }
}

fn plain() -> Session {
    Loom::builder().build().session("alice")
}

fn journaled() -> Session {
    let journal = MemoryJournal::default();
    Loom::builder().journal(journal).build().session("alice")
}

/// How the run ended: its output, or its error's message.
fn ended<M>(session: &Session, step: &impl IntoStep<String, M, Out = String>) -> String {
    match block_on(session.run(step, "go")) {
        Ok(outcome) => outcome.output,
        Err(error) => format!("{}: {}", error.error().kind().as_str(), error.message()),
    }
}

const REFUSED: &str = "invalid: `desk` is retried, and its tool `refund` isn't idempotent: without a journal a further attempt would do it again; mark it `.idempotent()`, say `.repeating_effects()`, or use a journal";

#[test]
fn a_retry_around_a_tool_that_isnt_idempotent_is_refused_without_a_journal() {
    let desk = Desk::new(|it| it);
    let retried = step(desk.clone()).retry(2).backoff(NONE, NONE);
    for _ in 0..2 {
        assert_eq!(ended(&plain(), &retried), REFUSED);
    }
    let wrapped = step(desk.clone()).timeout(Duration::from_secs(9)).retry(2);
    assert_eq!(ended(&plain(), &wrapped), REFUSED);
    let forgotten = step(Step::new(desk.clone())).retry(2);
    assert_eq!(ended(&plain(), &forgotten), REFUSED);
    assert_eq!(desk.counts(), (0, 0), "nothing ran");
}

#[test]
fn a_journal_keeps_a_further_attempt_from_calling_the_tool_again() {
    let desk = Desk::new(|it| it);
    let retried = step(desk.clone()).retry(2).backoff(NONE, NONE);
    assert_eq!(ended(&journaled(), &retried), "go");
    assert_eq!(desk.counts(), (2, 1));
}

#[test]
fn what_is_declared_harmless_is_tried_again() {
    let table: [fn(Tool) -> Tool; 2] = [Tool::idempotent, Tool::read_only];
    for declared in table {
        let desk = Desk::new(declared);
        let retried = step(desk.clone()).retry(2).backoff(NONE, NONE);
        assert_eq!(ended(&plain(), &retried), "go");
        assert_eq!(desk.counts(), (2, 2));
    }
    let desk = Desk::new(|it| it);
    let retried = step(desk.clone()).retry(2).backoff(NONE, NONE);
    assert_eq!(ended(&plain(), &retried.repeating_effects()), "go");
    assert_eq!(desk.counts(), (2, 2));
}

#[test]
fn one_attempt_repeats_nothing() {
    let desk = Desk::new(|it| it);
    let once = step(desk.clone()).retry(1);
    assert_eq!(ended(&plain(), &once), "failed: not yet");
    assert_eq!(desk.counts(), (1, 1));
}

#[test]
fn a_step_that_isnt_idempotent_is_not_retried_with_a_journal_either() {
    async fn charge(text: String) -> Result<String> {
        Ok(text)
    }
    let refused = "invalid: `charge` is retried and isn't idempotent: a further attempt would do it again; say `.repeating_effects()` if that does no harm";
    for session in [plain(), journaled()] {
        let retried = step(charge).once().retry(3);
        assert_eq!(ended(&session, &retried), refused);
        let wrapped = step(charge).once().timeout(Duration::from_secs(9));
        assert_eq!(ended(&session, &wrapped.retry(3).named("it")), refused);
        let told = step(charge).once().retry(3).repeating_effects();
        assert_eq!(ended(&session, &told), "go");
    }
}

#[test]
fn a_step_within_that_isnt_idempotent_is_named() {
    struct Flow;

    impl Runnable<String> for Flow {
        type Out = String;

        async fn run(&self, _: &RunContext, text: String) -> Result<String> {
            Ok(text)
        }

        fn info(&self) -> Info {
            let charge = step(|text: String| async move { Ok::<_, Error>(text) });
            let charge = charge.once().named("charge").step_info();
            Info::new("flow", Kind::Function)
                .with_parts([Info::new("load", Kind::Function), charge])
        }
    }

    let said = "invalid: `flow` is retried, and its step `charge` isn't idempotent: without a journal a further attempt would do it again; say `.repeating_effects()`, or use a journal";
    assert_eq!(ended(&plain(), &step(Flow).retry(2)), said);
    assert_eq!(ended(&journaled(), &step(Flow).retry(2)), "go");
}
