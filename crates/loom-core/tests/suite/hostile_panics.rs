//! Panics that try to spread: payloads and destructors that panic again end nothing more either.

use std::panic::panic_any;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Approval, Approver, Branch, CancelReason, Effect, EffectKind, EffectView, ErrorKind, Event,
    Gate, Loom, Observer, Question, Result, RunContext, RunErrorKind, RunId, Settlement, Verdict,
    step,
};
use loom_testing::Recorder;

use crate::recorded::{recorded, recorded_by, story, tree};
use crate::steps::{echo, fail, forever, give_way};

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

    async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
        panic_any(Bomb)
    }
}

impl Approver for Explodes {
    async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
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
            RunErrorKind::Denied,
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

        async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
            Verdict::Ask("may it?".into())
        }
    }
    let (recorder, session) = recorded_by(Loom::builder().gate(Asks).approver(Explodes));
    let error = block_on(session.run(&echo, "go")).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Denied);
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
    assert_eq!(
        loom.observer_faults(),
        4,
        "opened, closed, settling, settled"
    );
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
    let mut run = session.run(&root, "go");
    assert!((&mut run).now_or_never().is_none());
    run.handle().cancel();
    let error = block_on(run).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            RunErrorKind::Cancelled(CancelReason::Requested),
            "the run was cancelled (requested); it panicked while it stopped: the bomb went off"
        )
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
            cx.cancel_with(CancelReason::TimedOut, holds);
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
        let _ = cx.perform(ready, (), |_, ()| ReadyBomb(Some(Bomb))).await;
        cx.step("after", &echo, text).await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&careful, "go")).unwrap();
    assert_eq!(
        tree(&recorder).last().unwrap(),
        "  loom.workflow.step after"
    );
}

#[test]
fn a_destructor_that_panics_in_one_branch_leaves_the_others_endings_as_they_would_have_been() {
    async fn fails_later(text: String) -> Result<String> {
        give_way().await;
        fail(text).await
    }
    async fn root(cx: RunContext, _: String) -> Result<()> {
        let branches = [
            Branch::named("waits", |cx| async move {
                cx.step("waits", &forever, "x").await
            }),
            Branch::named("holds", |cx| async move {
                cx.step("holds", &holds_a_bomb, "x").await
            }),
            Branch::named(
                "also",
                |cx| async move { cx.step("also", &forever, "x").await },
            ),
            Branch::named("fails", |cx| async move {
                cx.step("fails", &fails_later, "x").await
            }),
        ];
        cx.join(4, branches).await.map(drop)
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(error.to_string(), "root/[fails]/fails: broken");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root ✗ failed",
            "  loom.workflow.step waits ✗ cancelled (sibling_failed)",
            "  loom.workflow.step holds ✗ cancelled (sibling_failed)",
            "  loom.workflow.step also ✗ cancelled (sibling_failed)",
            "  loom.workflow.step fails ✗ failed",
        ]
    );
}

/// Waits on both sides of a step that holds a bomb.
async fn bomb_amidst(cx: RunContext, _: String) -> Result<String> {
    let (one, bomb, other) = futures::join!(
        cx.step("one", &forever, "x"),
        cx.step("bomb", &holds_a_bomb, "x"),
        cx.step("other", &forever, "x")
    );
    one.and(bomb).and(other)
}

#[test]
fn a_destructor_that_panics_on_cancellation_leaves_what_is_beside_it_cancelled() {
    let (recorder, session) = recorded();
    let mut run = session.run(&bomb_amidst, "go");
    assert!((&mut run).now_or_never().is_none());
    run.handle().cancel();
    let error = block_on(run).unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run bomb_amidst ✗ cancelled (requested)",
            "  loom.workflow.step one ✗ cancelled (requested)",
            "  loom.workflow.step bomb ✗ cancelled (requested)",
            "  loom.workflow.step other ✗ cancelled (requested)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_when_time_is_up_leaves_the_timeout_and_what_is_beside_it() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let limited = step(bomb_amidst).timeout(Duration::from_secs(1));
        let error = cx.step("limited", &limited, text).await.unwrap_err();
        cx.step("after", &echo, error.to_string()).await
    }
    let (recorder, session) = recorded();
    let outcome = session.run(&root, "go").await.unwrap();
    assert_eq!(outcome.output, "root/limited: timed out after 1s");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root",
            "  loom.workflow.step limited ✗ failed",
            "    loom.workflow.step one ✗ cancelled (timed_out)",
            "    loom.workflow.step bomb ✗ cancelled (timed_out)",
            "    loom.workflow.step other ✗ cancelled (timed_out)",
            "  loom.workflow.step after",
        ]
    );
}
