//! Attacks by looms and runs within one another.

use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use loomflow::{
    Backpressure, Error, ErrorKind, Event, EventKind, Limits, Loom, MemoryJournal, Observer,
    Outcome, Result, RunContext, RunError, RunErrorKind, Step, UserId, Workflow, step,
};

use crate::support_b::{asks, guarded, hangs, on_tokio, plain, rig, slow, spends, spin};

/// A part that can't go on.
struct Worn;

impl Backpressure for Worn {
    fn ready(&self) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Err(Error::invalid("worn out")))
    }
}

/// A loom for runs that end so.
fn loom_for(how: &str) -> Loom {
    match how {
        "broken" => Loom::builder().backpressure(Worn).build(),
        "limit" => Loom::builder()
            .limits(Limits::default().with_tokens_max(100))
            .build(),
        _ => Loom::builder().journal(MemoryJournal::default()).build(),
    }
}

/// A run of that loom that ends so.
async fn ends(other: &Loom, how: &str, n: u64) -> Result<Outcome<u64>, RunError> {
    let session = other.session("bob");
    match how {
        "deadline" => {
            session
                .run(&hangs, n)
                .deadline(Duration::from_millis(50))
                .await
        }
        "cancelled" => {
            let run = session.run(&hangs, n);
            run.handle().cancel();
            run.await
        }
        "paused" => session.run(&asks, n).await,
        "limit" => {
            let twice = Workflow::chain::<u64>("twice")
                .then(spends)
                .then(spends)
                .build();
            session.run(&twice, n).await
        }
        "shut" => {
            other.shutdown(Duration::from_secs(1)).await;
            session.run(&slow, n).await
        }
        "denied" | "failed" => {
            let kind = if how == "denied" {
                ErrorKind::Denied
            } else {
                ErrorKind::Failed
            };
            let fails = Step::<u64, u64>::new(move |_: u64| async move {
                Err::<u64, _>(Error::new(kind, "no"))
            });
            session.run(&fails, n).await
        }
        _ => session.run(&slow, n).await,
    }
}

#[test]
fn however_an_inner_run_ends_it_is_an_ordinary_failure_of_the_step_around_it() {
    guarded(|| {
        for how in [
            "deadline",
            "cancelled",
            "paused",
            "broken",
            "limit",
            "denied",
            "failed",
            "shut",
        ] {
            let other = loom_for(how);
            let rig = rig(|it| it.journal(MemoryJournal::default()));
            let body = move |n: u64| {
                let other = other.clone();
                async move {
                    let ended = ends(&other, how, n).await;
                    assert!(ended.is_err(), "{how}");
                    Ok::<_, Error>(ended?.output)
                }
            };
            let alone = Workflow::chain::<u64>("alone")
                .then(step(body.clone()).named("calls"))
                .then(slow)
                .build();
            let falls = Workflow::chain::<u64>("falls")
                .then(step(step(body).named("calls")).or_else(slow))
                .build();
            on_tokio(async {
                let session = rig.loom.session("alice");
                let ended = session.run(&alone, 1u64).await.unwrap_err();
                assert_eq!(ended.kind(), RunErrorKind::Failed, "{how}: {ended}");
                assert_eq!(ended.questions().len(), 0);
                let invalid =
                    matches!(ended.error().kind(), ErrorKind::Invalid | ErrorKind::Failed);
                assert!(invalid && !ended.error().is_retryable(), "{how}: {ended:?}");
                assert_eq!(session.run(&falls, 1u64).await.unwrap().output, 2, "{how}");
                assert!(
                    rig.loom
                        .paused(&session.scope().unwrap())
                        .await
                        .unwrap()
                        .is_empty()
                );
            });
            assert!(
                !rig.endings()
                    .iter()
                    .any(|it| !it.ends_with("completed") && !it.ends_with("failed")),
                "{how} {:?}",
                rig.endings()
            );
            rig.assert_whole();
        }
    });
}

#[test]
fn branches_of_one_run_that_are_polled_in_another_stay_the_first_ones() {
    let rig = plain();
    let loom = rig.loom.clone();
    let body = move |cx: RunContext, n: u64| {
        let loom = loom.clone();
        async move {
            let set = Arc::new(Mutex::new(Some(cx.branches::<u64>())));
            if let Some(set) = set.lock().unwrap().as_mut() {
                set.push(
                    0,
                    loomflow::Branch::new(move |cx: RunContext| async move {
                        cx.step("mine", &slow, n).await
                    }),
                );
            }
            let inner = Step::<u64, u64>::new(move |cx: RunContext, _: u64| {
                let mut set = set.lock().unwrap().take().unwrap();
                async move {
                    let (_, n) = set.next().await?.unwrap();
                    cx.step("his", &slow, n).await
                }
            });
            Ok::<_, Error>(loom.session("bob").run(&inner, n).await?.output)
        }
    };
    let outcome = block_on(async { rig.loom.session("alice").run(&body, 1u64).await.unwrap() });
    assert_eq!(outcome.output, 3);
    for span in rig.recorder.spans() {
        let alices = span.name.as_str() == "mine" || span.run == outcome.run_id;
        assert_eq!(
            span.user.unwrap().as_str(),
            if alices { "alice" } else { "bob" }
        );
        assert_eq!(span.trace == outcome.trace_id, alices);
    }
    rig.assert_whole();
}

#[test]
fn a_context_of_a_run_that_is_over_opens_nothing_in_the_run_that_uses_it() {
    let rig = plain();
    let kept: Arc<Mutex<Option<RunContext>>> = Arc::default();
    let keep = kept.clone();
    let first = move |cx: RunContext, n: u64| {
        *keep.lock().unwrap() = Some(cx);
        async move { Ok::<_, Error>(n) }
    };
    let second = move |cx: RunContext, n: u64| {
        let old = kept.lock().unwrap().clone().unwrap();
        async move {
            let late = old.step("late", &slow, n).await.unwrap_err();
            assert!(late.to_string().contains("over"), "{late}");
            let late = old
                .acting_as(UserId::new("mallory")?, "late", &slow, n)
                .await
                .unwrap_err();
            assert!(late.to_string().contains("over"), "{late}");
            old.handle().cancel();
            assert!(!cx.is_stopping());
            cx.step("own", &slow, n).await
        }
    };
    block_on(async {
        rig.loom.session("alice").run(&first, 1u64).await.unwrap();
        assert_eq!(
            rig.loom
                .session("bob")
                .run(&second, 1u64)
                .await
                .unwrap()
                .output,
            2
        );
    });
    assert_eq!(rig.endings().len(), 3);
    rig.assert_whole();
}

/// Breaks at the event of one name.
struct Panics;

impl Observer for Panics {
    fn on_event(&self, event: &Event<'_>) {
        if let EventKind::Closed(_) = event.kind {
            panic_any(7u8);
        }
    }
}

#[test]
fn a_run_within_a_run_within_an_observer_fault_keeps_its_own_record() {
    let other = rig(|it| it.observe(Panics).journal(MemoryJournal::default()));
    let rig = plain();
    let inner = other.loom.clone();
    let body = move |cx: RunContext, n: u64| {
        let inner = inner.clone();
        async move {
            let loom = inner.clone();
            let nested = Step::<u64, u64>::new(move |n: u64| {
                let loom = loom.clone();
                async move { Ok::<_, Error>(loom.session("carol").run(&slow, n).await?.output) }
            });
            let n = inner.session("bob").run(&nested, n).await?.output;
            cx.step("own", &slow, n).await
        }
    };
    assert_eq!(
        block_on(async {
            rig.loom
                .session("alice")
                .run(&body, 1u64)
                .await
                .unwrap()
                .output
        }),
        3
    );
    assert_eq!(
        (rig.loom.observer_faults(), other.loom.observer_faults()),
        (0, 2)
    );
    assert!(spin(1, other.loom.session("bob").run(&slow, 1u64)).is_none());
    rig.assert_whole();
    other.assert_whole();
}
