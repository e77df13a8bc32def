//! A panic ends the effect it happens in, and nothing else.

use std::panic::panic_any;

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, EffectView, ErrorKind, Event, EventKind, Gate, Loom, Observer, Result, RunContext,
    RunErrorKind, RunId, Runnable, Settlement, SpanId, Verdict,
};
use loom_testing::Recorder;

use crate::recorded::{recorded, recorded_by, tree};
use crate::steps::{echo, forever, panic, wait};

#[test]
fn f059_a_panic_in_a_step_fails_that_step_with_its_message_and_the_run_goes_on() {
    async fn careful(cx: RunContext, text: String) -> Result<String> {
        let (bad, good) =
            futures::join!(cx.step("bad", &panic, "luck"), cx.step("good", &echo, text));
        let error = bad.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        cx.step("after", &echo, format!("{error} ({})", good?))
            .await
    }
    let (recorder, session) = recorded();
    let outcome = block_on(session.run(&careful, "go")).unwrap();
    assert_eq!(outcome.output, "careful/bad: no luck today (go)");
    assert_eq!(outcome.visited, ["good", "after"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run careful",
            "  loom.workflow.step bad ✗ failed",
            "  loom.workflow.step good",
            "  loom.workflow.step after",
        ]
    );
}

#[test]
fn f059_a_function_may_panic_before_it_gives_its_future() {
    fn early(_: String) -> BoxFuture<'static, Result<String>> {
        panic!("too early")
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&early, "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(error.to_string(), "early: too early");
    assert_eq!(tree(&recorder), ["loom.workflow.run early ✗ failed"]);
}

/// Panics with a text, an owned text, or something else.
struct PanicsWith(u32);

impl Runnable<String> for PanicsWith {
    type Out = String;

    async fn run(&self, _cx: &RunContext, _: String) -> Result<String> {
        match self.0 {
            0 => panic_any("static"),
            1 => panic_any("owned".to_owned()),
            other => panic_any(other),
        }
    }
}

#[test]
fn f059_a_panic_may_carry_anything() {
    let (_, session) = recorded();
    let messages = [0, 1, 2].map(|it| {
        let error = block_on(session.run(&PanicsWith(it), "go")).unwrap_err();
        error.message().to_owned()
    });
    assert_eq!(messages, ["static", "owned", "a panic without a message"]);
}

#[test]
fn f059_effects_that_are_open_beside_a_panic_close_as_dropped() {
    async fn beside(cx: RunContext, _: String) -> Result<String> {
        let waits =
            |cx: RunContext, text: String| async move { cx.step("inner", &forever, text).await };
        futures::join!(cx.step("waits", &waits, "x"), async { panic!("beside it") }).0
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&beside, "go")).unwrap_err();
    assert_eq!(error.to_string(), "beside: beside it");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run beside ✗ failed",
            "  loom.workflow.step waits ✗ cancelled (dropped)",
            "    loom.workflow.step inner ✗ cancelled (dropped)",
        ]
    );
}

struct PanickingGate;

impl Gate for PanickingGate {
    fn name(&self) -> &str {
        "shaky"
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        assert_ne!(effect.name().as_str(), "echo", "can't decide");
        Verdict::Allow
    }
}

#[test]
fn f059_a_gate_that_panics_denies() {
    let (recorder, session) = recorded_by(Loom::builder().gate(PanickingGate));
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Denied);
    assert!(
        error.message().starts_with("shaky: it panicked: "),
        "{error}"
    );
    assert!(error.message().contains("can't decide"), "{error}");
    assert_eq!(tree(&recorder), ["loom.workflow.run echo ✗ denied"]);
    block_on(session.run(&wait, 0u32)).unwrap();
}

/// An observer that panics at these calls.
#[derive(Clone, Copy, PartialEq)]
enum PanicsAt {
    Events,
    Closings,
    Polls,
    Settling,
}

impl Observer for PanicsAt {
    fn on_event(&self, event: &Event<'_>) {
        assert!(*self != Self::Events, "seen enough");
        let is_closing = matches!(event.kind, EventKind::Closed(_));
        assert!(!(*self == Self::Closings && is_closing), "not the end");
    }

    fn wants_polls(&self) -> bool {
        *self == Self::Polls
    }

    fn enter(&self, _span: SpanId) {
        panic!("no entry");
    }

    fn exit(&self, _span: SpanId) {
        panic!("no exit");
    }

    async fn settle(&self, _run: &RunId) -> Settlement {
        assert!(*self != Self::Settling, "unsettled");
        Settlement::nothing()
    }
}

async fn one_step(cx: RunContext, text: String) -> Result<String> {
    cx.step("step", &echo, text).await
}

#[test]
fn f059_an_observer_that_panics_is_counted_and_changes_nothing() {
    let table = [
        // Two openings, two closings, one settled.
        (PanicsAt::Events, 5),
        (PanicsAt::Closings, 2),
        // Two bodies, each entered and left once.
        (PanicsAt::Polls, 4),
    ];
    for (observer, faults) in table {
        let recorder = Recorder::default();
        let loom = Loom::builder()
            .observe(observer)
            .observe(recorder.clone())
            .build();
        let outcome = block_on(loom.session("alice").run(&one_step, "go")).unwrap();
        assert_eq!(
            (outcome.output.as_str(), loom.observer_faults()),
            ("go", faults)
        );
        assert!(outcome.durable().is_ok());
        assert_eq!(
            tree(&recorder),
            ["loom.workflow.run one_step", "  loom.workflow.step step"]
        );
    }
}

#[test]
fn f059_an_observer_may_panic_even_while_another_panic_unwinds() {
    async fn beside(cx: RunContext, text: String) -> Result<String> {
        futures::join!(cx.step("waits", &forever, text), async {
            panic!("the first")
        })
        .0
    }
    let recorder = Recorder::default();
    let observer = PanicsAt::Closings;
    let loom = Loom::builder()
        .observe(observer)
        .observe(recorder.clone())
        .build();
    let error = block_on(loom.session("alice").run(&beside, "go")).unwrap_err();
    assert_eq!(error.to_string(), "beside: the first");
    assert_eq!(loom.observer_faults(), 2);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run beside ✗ failed",
            "  loom.workflow.step waits ✗ cancelled (dropped)"
        ]
    );
}

#[test]
fn f059_an_observer_that_panics_while_settling_keeps_the_output_and_is_named_in_the_outcome() {
    let (_, session) = recorded_by(Loom::builder().observe(PanicsAt::Settling));
    let outcome = block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(outcome.output, "go");
    let [settlement] = &outcome.settled[..] else {
        panic!("{:?}", outcome.settled)
    };
    let error = settlement.result.as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(error.message(), "it panicked while settling: unsettled");
    assert_eq!(outcome.durable().unwrap_err().kind(), ErrorKind::Failed);
}
