//! A part that is full makes the door wait: nothing opens meanwhile, and what is open goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, join};
use loom_core::{
    Backpressure, CancelReason, Error, ErrorKind, Limits, Loom, Result, RunContext, RunErrorKind,
    step,
};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded_by, story, tree};
use crate::steps::{echo, forever, give_way};

/// Lets as many effects open as it has permits; each uses one up.
#[derive(Clone)]
struct Turnstile(Arc<Semaphore>);

impl Turnstile {
    fn with(permits: usize) -> Self {
        Self(Arc::new(Semaphore::new(permits)))
    }

    fn let_in(&self, more: usize) {
        self.0.add_permits(more);
    }
}

impl Backpressure for Turnstile {
    async fn ready(&self) -> Result<()> {
        self.0.acquire().await.map_err(Error::from_any)?.forget();
        Ok(())
    }
}

fn second() -> Duration {
    Duration::from_secs(1)
}

#[tokio::test(start_paused = true)]
async fn the_door_waits_until_there_is_room_and_opens_in_order() {
    async fn three(cx: RunContext, _: String) -> Result<()> {
        let (a, b, c) = join!(
            cx.step("a", &echo, "x"),
            cx.step("b", &echo, "x"),
            cx.step("c", &echo, "x")
        );
        a.and(b).and(c).map(|_| ())
    }
    let turnstile = Turnstile::with(1);
    let (recorder, session) = recorded_by(Loom::builder().backpressure(turnstile.clone()));
    let started = Instant::now();
    let (outcome, ()) = join!(session.run(&three, "go"), async {
        for name in ["three/a", "three/b", "three/c"] {
            sleep(second()).await;
            assert_ne!(recorder.spans().last().unwrap().path, name);
            turnstile.let_in(1);
            give_way().await;
            give_way().await;
            assert_eq!(recorder.spans().last().unwrap().path, name);
        }
    });
    outcome.unwrap();
    assert_eq!(started.elapsed().as_secs(), 3);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run three",
            "  loom.workflow.step a",
            "  loom.workflow.step b",
            "  loom.workflow.step c"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_open_goes_on_and_closes_while_the_door_waits() {
    async fn ticks(cx: RunContext, _: String) -> Result<()> {
        for _ in 0..3 {
            sleep(second()).await;
            cx.note("tick", &loom_core::Attributes::new());
        }
        Ok(())
    }
    async fn root(cx: RunContext, _: String) -> Result<()> {
        let (ticks, late) = join!(cx.step("ticks", &ticks, "x"), cx.step("late", &echo, "x"));
        ticks.and(late.map(|_| ()))
    }
    let turnstile = Turnstile::with(2);
    let (recorder, session) = recorded_by(Loom::builder().backpressure(turnstile.clone()));
    let (outcome, ()) = join!(session.run(&root, "go"), async {
        sleep(10 * second()).await;
        turnstile.let_in(1);
    });
    outcome.unwrap();
    assert_eq!(
        story(&recorder),
        [
            "open root",
            "open root/ticks",
            "note root/ticks tick",
            "note root/ticks tick",
            "note root/ticks tick",
            "close root/ticks completed",
            "open root/late",
            "close root/late completed",
            "close root completed",
            "settled root",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_at_the_door_is_cancelled_by_its_deadline_and_a_step_by_its_limit() {
    let (recorder, session) = recorded_by(Loom::builder().backpressure(Turnstile::with(0)));
    let hurried = session.deadline(second());
    let error = hurried.run(&echo, "go").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(story(&recorder), Vec::<String>::new());

    async fn outer(cx: RunContext, text: String) -> Result<String> {
        cx.step("inner", &echo, text).await
    }
    let (recorder, session) = recorded_by(Loom::builder().backpressure(Turnstile::with(1)));
    let limited = step(outer).timeout(second());
    let error = session.run(&limited, "go").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Timeout);
    assert_eq!(tree(&recorder), ["loom.workflow.run outer ✗ failed"]);
}

#[tokio::test(start_paused = true)]
async fn every_part_must_have_room() {
    let (one, two) = (Turnstile::with(9), Turnstile::with(0));
    let loom = Loom::builder()
        .backpressure(one.clone())
        .backpressure(two.clone());
    let (recorder, session) = recorded_by(loom);
    let mut run = session.run(&echo, "go");
    assert!((&mut run).now_or_never().is_none());
    assert_eq!(story(&recorder), Vec::<String>::new());
    two.let_in(1);
    run.await.unwrap();
    assert_eq!(tree(&recorder), ["loom.workflow.run echo"]);
}

/// A run that leaves a task behind which waits at the door; what came of the task.
async fn left_at_the_door(
    loom: loom_core::LoomBuilder,
    let_in: impl FnOnce(),
) -> (Vec<String>, ErrorKind) {
    let (recorder, session) = recorded_by(loom);
    let left = Arc::new(Mutex::new(None));
    let leaves = left.clone();
    let root = move |cx: RunContext, text: String| {
        let leaves = leaves.clone();
        async move {
            let (waits, is_waiting) = oneshot::channel();
            let task = tokio::spawn(async move {
                let mut late = Box::pin(cx.step("late", &echo, "x"));
                assert!(late.as_mut().now_or_never().is_none());
                waits.send(()).unwrap();
                late.await
            });
            *leaves.lock().unwrap() = Some(task);
            is_waiting.await.unwrap();
            Ok::<_, loom_core::Error>(text)
        }
    };
    session.run(&root, "go").await.unwrap();
    let_in();
    let task = left.lock().unwrap().take().unwrap();
    let error = task.await.unwrap().unwrap_err();
    (story(&recorder), error.kind())
}

#[tokio::test(start_paused = true)]
async fn f056_who_still_waits_at_the_door_when_the_run_is_over_opens_nothing() {
    let turnstile = Turnstile::with(1);
    let loom = Loom::builder().backpressure(turnstile.clone());
    let (story, kind) = left_at_the_door(loom, || turnstile.let_in(1)).await;
    assert_eq!(kind, ErrorKind::Stopped);
    let whole = [
        "open function",
        "close function completed",
        "settled function",
    ];
    assert_eq!(story, whole);
}

#[tokio::test(start_paused = true)]
async fn f056_a_limit_that_is_reached_at_the_door_when_the_run_is_over_is_not_noted_there() {
    let turnstile = Turnstile::with(1);
    let loom = Loom::builder()
        .backpressure(turnstile.clone())
        .limits(Limits::default().with_effects_max(1));
    let (story, _) = left_at_the_door(loom, || turnstile.let_in(1)).await;
    let whole = [
        "open function",
        "close function completed",
        "settled function",
    ];
    assert_eq!(story, whole);
}

/// Has room for so many effects, and then fails or panics.
struct Breaks {
    room: AtomicUsize,
    panics: bool,
}

impl Backpressure for Breaks {
    async fn ready(&self) -> Result<()> {
        let taken = |room: usize| room.checked_sub(1);
        let room = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
        assert!(room.is_ok() || !self.panics, "no disk");
        room.map(drop)
            .map_err(|_| Error::new(ErrorKind::Upstream, "the disk is full"))
    }
}

async fn two_at_once(cx: RunContext, _: String) -> Result<String> {
    async fn outer(cx: RunContext, text: String) -> Result<String> {
        cx.step("inner", &echo, text).await
    }
    let careful = step(outer).retry(3).or_else(echo);
    let (waits, outer) = join!(
        cx.step("waits", &forever, "x"),
        cx.step("outer", &careful, "x")
    );
    waits.and(outer)
}

#[tokio::test(start_paused = true)]
async fn a_part_that_can_not_go_on_ends_the_run_as_broken_whatever_wraps_the_step() {
    for (panics, message) in [
        (false, "the disk is full"),
        (true, "an installed part panicked: no disk"),
    ] {
        let breaks = Breaks {
            room: AtomicUsize::new(3),
            panics,
        };
        let (recorder, session) = recorded_by(Loom::builder().backpressure(breaks));
        let error = session.run(&two_at_once, "go").await.unwrap_err();
        assert_eq!(error.kind(), RunErrorKind::Broken);
        assert_eq!(error.to_string(), format!("two_at_once/outer: {message}"));
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run two_at_once ✗ failed",
                "  loom.workflow.step waits ✗ cancelled (broken)",
                "  loom.workflow.step outer ✗ failed",
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_can_not_go_on_lets_no_run_begin() {
    let breaks = Breaks {
        room: AtomicUsize::new(0),
        panics: false,
    };
    let (recorder, session) = recorded_by(Loom::builder().backpressure(breaks));
    let error = session.run(&echo, "go").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Broken);
    assert_eq!(error.error().kind(), ErrorKind::Upstream);
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(story(&recorder), Vec::<String>::new());
}
