//! Panics that try to spread: payloads and destructors that panic again end nothing more either.

use std::panic::panic_any;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Approval, Approver, CancelReason, Effect, EffectKind, ErrorKind, Event, Gate, Loom, Observer,
    Question, Recorder, Result, RunContext, RunId, Settlement, Verdict,
};

use crate::recorded::{recorded, recorded_by, story, tree};
use crate::steps::{echo, forever};

/// Panics when it is dropped: as a panic's payload, or as what a body holds.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        // Two at once would abort the whole process.
        if !std::thread::panicking() {
            panic!("the bomb went off");
        }
    }
}

#[test]
fn f059_a_body_s_payload_may_panic_when_it_is_dropped() {
    async fn careful(cx: RunContext, text: String) -> Result<String> {
        async fn bad(_: String) -> Result<String> {
            panic_any(Bomb)
        }
        let error = cx.step("bad", &bad, "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert_eq!(error.message(), "a panic without a message");
        cx.step("after", &echo, text).await
    }
    let (recorder, session) = recorded();
    assert_eq!(block_on(session.run(&careful, "go")).unwrap().output, "go");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run careful",
            "  loom.workflow.step bad ✗ failed",
            "  loom.workflow.step after",
        ]
    );
}

/// Whatever it is asked, it panics with a bomb.
#[derive(Clone, Copy)]
struct Explodes;

impl Gate for Explodes {
    fn name(&self) -> &str {
        panic_any(Bomb)
    }

    fn concerns(&self, _effect: &Effect) -> bool {
        panic_any(Bomb)
    }

    async fn check(&self, _cx: &RunContext, _effect: &Effect) -> Verdict {
        panic_any(Bomb)
    }
}

impl Approver for Explodes {
    async fn approve(&self, _: &RunContext, _: &Effect, _: &Question) -> Approval {
        panic_any(Bomb)
    }
}

impl Observer for Explodes {
    fn on_event(&self, _event: &Event<'_>) {
        panic_any(Bomb)
    }

    fn name(&self) -> &str {
        panic_any(Bomb)
    }

    fn wants_polls(&self) -> bool {
        panic_any(Bomb)
    }

    async fn settle(&self, _run: &RunId) -> Settlement {
        panic_any(Bomb)
    }
}

#[test]
fn f059_a_gate_that_panics_even_at_its_name_denies_under_a_name_it_is_given() {
    let (recorder, session) = recorded_by(Loom::builder().gate(Explodes));
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            ErrorKind::Denied,
            "gate: it panicked: a panic without a message"
        )
    );
    assert_eq!(
        story(&recorder),
        [
            "open echo",
            "gate echo gate denies: it panicked: a panic without a message",
            "close echo denied",
            "settled echo",
        ]
    );
}

#[test]
fn f059_an_approver_s_payload_may_panic_when_it_is_dropped() {
    struct Asks;
    impl Gate for Asks {
        fn name(&self) -> &str {
            "asks"
        }

        async fn check(&self, _cx: &RunContext, _effect: &Effect) -> Verdict {
            Verdict::Ask("may it?".into())
        }
    }
    let (recorder, session) = recorded_by(Loom::builder().gate(Asks).approver(Explodes));
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(tree(&recorder), ["loom.workflow.run echo ✗ denied"]);
}

#[test]
fn f059_an_observer_s_payloads_may_panic_when_they_are_dropped() {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .observe(Explodes)
        .observe(recorder.clone())
        .build();
    let outcome = block_on(loom.session("alice").run(&echo, "go")).unwrap();
    assert_eq!(outcome.output, "go");
    assert_eq!(outcome.settled[0].name, "observer");
    assert_eq!(loom.observer_faults(), 3, "opened, closed, settled");
    assert_eq!(tree(&recorder), ["loom.workflow.run echo"]);
}

/// Holds a bomb while it never ends.
async fn holds_a_bomb(_: String) -> Result<String> {
    let _bomb = Bomb;
    futures::future::pending().await
}

#[test]
fn f059_a_destructor_that_panics_on_cancellation_is_told_and_all_is_closed() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        cx.step("holds", &holds_a_bomb, text).await
    }
    let (recorder, session) = recorded();
    let mut run = session.start(&root, "go");
    assert!((&mut run).now_or_never().is_none());
    run.handle().cancel();
    let error = block_on(run).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            ErrorKind::Cancelled,
            "the run was cancelled (requested); it panicked while it stopped: the bomb went off"
        )
    );
    assert_eq!(
        error.ending().cancel_reason(),
        Some(CancelReason::Requested)
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root ✗ cancelled (requested)",
            "  loom.workflow.step holds ✗ cancelled (requested)",
        ]
    );
}

#[test]
fn f059_what_is_dropped_with_a_reason_may_panic_and_the_reason_does_not_stay() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let drops = |cx: RunContext, text: String| async move {
            let mut holds = Box::pin(cx.step("holds", &holds_a_bomb, text.clone()));
            assert!(holds.as_mut().now_or_never().is_none());
            let caught = std::panic::AssertUnwindSafe(|| {
                cx.cancel_with(CancelReason::TimedOut, holds);
            });
            std::panic::catch_unwind(caught).unwrap_err();
            let mut later = Box::pin(cx.step("later", &forever, text.clone()));
            assert!(later.as_mut().now_or_never().is_none());
            drop(later);
            Ok::<_, loom_core::Error>(text)
        };
        cx.step("drops", &drops, text).await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&root, "go")).unwrap();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root",
            "  loom.workflow.step drops",
            "    loom.workflow.step holds ✗ cancelled (timed_out)",
            "    loom.workflow.step later ✗ cancelled (dropped)",
        ]
    );
}

/// Is ready at once, and panics when it is dropped.
struct ReadyBomb(Option<Bomb>);

impl Future for ReadyBomb {
    type Output = Result<String>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::task::Poll::Ready(Ok("done".to_owned()))
    }
}

impl Drop for ReadyBomb {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

#[test]
fn f059_a_future_that_panics_when_it_is_dropped_after_its_end_fails_only_its_effect() {
    async fn careful(cx: RunContext, text: String) -> Result<String> {
        let ready = Effect::new(EffectKind::Step, "ready");
        let _ = cx.perform(ready, |_| ReadyBomb(Some(Bomb))).await;
        cx.step("after", &echo, text).await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&careful, "go")).unwrap();
    assert_eq!(
        tree(&recorder).last().unwrap(),
        "  loom.workflow.step after"
    );
}
