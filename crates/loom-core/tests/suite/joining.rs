//! Branches run side by side; what one's end means for the others depends on how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Branch, CancelReason, Effect, EffectKind, Error, ErrorKind, Limits, Loom, LoomBuilder,
    MemoryJournal, Result, RunContext, RunError, RunErrorKind, Tokens,
};
use loom_testing::Recorder;

use crate::recorded::{recorded_by, story, tree};
use crate::steps::{echo, fail, forever, give_way, wait};

/// What a branch does in a step of its own.
#[derive(Clone, Copy)]
enum Does {
    /// Gives its name after so many polls.
    Waits(u32),
    Fails,
    Forever,
    Asks,
    ReachesLimit,
    Cancels,
}

async fn does(cx: RunContext, what: Does, name: &'static str) -> Result<String> {
    match what {
        Does::Waits(polls) => {
            wait(polls).await?;
            Ok(name.to_owned())
        }
        Does::Fails => fail(String::new()).await,
        Does::Forever => forever(String::new()).await,
        Does::Asks => {
            give_way().await;
            cx.ask(name, "sure?").await
        }
        Does::ReachesLimit => {
            let call = Effect::new(EffectKind::Model, "opus").reserving(1, 0);
            let spend = |cx: RunContext, ()| async move {
                cx.spend(Tokens::new(1, 0));
                Ok(())
            };
            cx.perform(call.clone(), (), spend).await?;
            cx.perform(call, (), spend).await?;
            Ok(name.to_owned())
        }
        Does::Cancels => {
            cx.handle().cancel();
            cx.step("late", &echo, "x").await
        }
    }
}

type Joined = (Recorder, Result<Vec<String>, RunError>);

/// Joins such branches, at most so many at a time.
fn joined(loom: LoomBuilder, at_once: usize, branches: &'static [(&'static str, Does)]) -> Joined {
    let root = move |cx: RunContext, _: String| -> BoxFuture<'static, Result<Vec<String>>> {
        Box::pin(async move {
            let cx = &cx;
            let branch = |&(name, what): &(&'static str, Does)| {
                let effect = Effect::new(EffectKind::Step, name);
                Branch::new(move |cx: RunContext| async move {
                    cx.perform(effect, (), move |cx, ()| does(cx, what, name))
                        .await
                })
            };
            cx.join(at_once, branches.iter().map(branch)).await
        })
    };
    let (recorder, session) = recorded_by(loom);
    let result = block_on(session.run(&root, "go")).map(|it| it.output);
    (recorder, result)
}

/// The endings of the root and of each branch that was begun.
fn endings(recorder: &Recorder) -> Vec<String> {
    tree(recorder);
    let line = |it: &loom_testing::RecordedSpan| format!("{} {}", it.name, it.ending.unwrap());
    let is_own = |it: &&loom_testing::RecordedSpan| it.effect == EffectKind::Step;
    recorder.spans().iter().filter(is_own).map(line).collect()
}

#[test]
fn outputs_are_in_order_whatever_ends_first() {
    let branches = &[
        ("a", Does::Waits(3)),
        ("b", Does::Waits(0)),
        ("c", Does::Waits(1)),
    ];
    let (recorder, result) = joined(Loom::builder(), 8, branches);
    assert_eq!(result.unwrap(), ["a", "b", "c"]);
    let closed: Vec<_> = story(&recorder)
        .into_iter()
        .filter(|it| it.starts_with("close"))
        .collect();
    assert_eq!(
        closed,
        [
            "close function/[1]/b completed",
            "close function/[2]/c completed",
            "close function/[0]/a completed",
            "close function completed",
        ]
    );
    let (_, none) = joined(Loom::builder(), 8, &[]);
    assert_eq!(none.unwrap(), Vec::<String>::new());
}

#[test]
fn so_many_run_at_a_time_begun_in_order() {
    for (at_once, most) in [(1, 1), (3, 3), (8, 8), (100, 20), (usize::MAX, 20)] {
        let (now, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (running, highest) = (now.clone(), seen.clone());
        let root = move |cx: RunContext, _: String| {
            let (running, highest) = (running.clone(), highest.clone());
            async move {
                let (cx, running, highest) = (&cx, &running, &highest);
                let branch = |i: usize| {
                    let effect = Effect::new(EffectKind::Step, "item").at_index(i);
                    Branch::of_one_effect(move |cx: RunContext| async move {
                        cx.perform(effect, (), move |_, ()| async move {
                            let beside = running.fetch_add(1, Ordering::Relaxed) + 1;
                            highest.fetch_max(beside, Ordering::Relaxed);
                            for _ in 0..i % 3 {
                                give_way().await;
                            }
                            give_way().await;
                            running.fetch_sub(1, Ordering::Relaxed);
                            Ok(i as u64)
                        })
                        .await
                    })
                };
                cx.join(at_once, (0..20).map(branch)).await
            }
        };
        let (recorder, session) = recorded_by(Loom::builder());
        let outcome = block_on(session.run(&root, "go")).unwrap();
        assert_eq!(outcome.output, (0..20).collect::<Vec<u64>>());
        assert_eq!(
            (now.load(Ordering::Relaxed), seen.load(Ordering::Relaxed)),
            (0, most)
        );
        let begun: Vec<_> = recorder.spans()[1..]
            .iter()
            .map(|it| it.path.clone())
            .collect();
        let in_order: Vec<_> = (0..20).map(|i| format!("function/item[{i}]")).collect();
        assert_eq!(begun, in_order);
    }
}

#[test]
fn who_must_be_alone_runs_beside_nobody() {
    let now = Arc::new(AtomicUsize::new(0));
    let running = now.clone();
    let root = move |cx: RunContext, _: String| {
        let running = running.clone();
        async move {
            let (cx, running) = (&cx, &running);
            let branch = |i: usize| {
                let alone = i % 3 == 2;
                let effect = Effect::new(EffectKind::Step, "item").at_index(i);
                Branch::of_one_effect(move |cx: RunContext| async move {
                    cx.perform(effect, (), move |_, ()| async move {
                        let before = running.fetch_add(1, Ordering::Relaxed);
                        assert!(!alone || before == 0, "{i} isn't alone");
                        for _ in 0..3 {
                            give_way().await;
                            assert!(!alone || running.load(Ordering::Relaxed) == 1);
                        }
                        running.fetch_sub(1, Ordering::Relaxed);
                        Ok(i as u64)
                    })
                    .await
                })
                .alone(alone)
            };
            cx.join(8, (0..12).map(branch)).await
        }
    };
    let (_, session) = recorded_by(Loom::builder());
    let outcome = block_on(session.run(&root, "go")).unwrap();
    assert_eq!(outcome.output, (0..12).collect::<Vec<u64>>());
}

#[test]
fn the_first_failure_ends_the_others_and_no_further_one_begins() {
    let branches = &[
        ("done", Does::Waits(0)),
        ("stuck", Does::Forever),
        ("bad", Does::Fails),
        ("never", Does::Waits(0)),
    ];
    let (recorder, result) = joined(Loom::builder(), 2, branches);
    assert_eq!(result.unwrap_err().to_string(), "function/[2]/bad: broken");
    assert_eq!(
        endings(&recorder),
        [
            "done completed",
            "stuck cancelled (sibling_failed)",
            "bad failed"
        ]
    );
}

#[test]
fn a_limit_of_the_tree_ends_the_others_for_that_reason() {
    let loom = || Loom::builder().limits(Limits::default().with_tokens_max(1));
    let branches = &[("stuck", Does::Forever), ("spends", Does::ReachesLimit)];
    let (recorder, result) = joined(loom(), 8, branches);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        error.to_string(),
        "function/[1]/spends: tokens_max 1 reached"
    );
    assert_eq!(
        endings(&recorder),
        ["stuck cancelled (limit_reached)", "spends interrupted"]
    );
    let noted = story(&recorder);
    let noted = noted
        .iter()
        .filter(|it| it.contains("limit_reached") && it.starts_with("note"));
    assert_eq!(noted.count(), 1);
}

#[test]
fn who_is_first_to_see_that_the_run_was_cancelled_ends_the_others_for_that() {
    let branches = &[("stuck", Does::Forever), ("sees", Does::Cancels)];
    let (recorder, result) = joined(Loom::builder(), 8, branches);
    assert_eq!(
        result.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        endings(&recorder),
        ["stuck cancelled (requested)", "sees cancelled (requested)"]
    );
}

#[test]
fn a_question_lets_those_that_run_end_and_all_questions_are_in_one_error() {
    let loom = Loom::builder().journal(MemoryJournal::default());
    let branches = &[
        ("asks", Does::Asks),
        ("goes_on", Does::Waits(9)),
        ("asks_too", Does::Asks),
        ("never", Does::Waits(0)),
    ];
    let (recorder, result) = joined(loom, 3, branches);
    let error = result.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Paused);
    let asked: Vec<_> = error
        .questions()
        .iter()
        .map(|it| it.path.as_str())
        .collect();
    assert_eq!(
        asked,
        ["function/[0]/asks/asks", "function/[2]/asks_too/asks_too"]
    );
    assert_eq!(
        endings(&recorder),
        ["asks paused", "goes_on completed", "asks_too paused"]
    );
    assert_eq!(tree(&recorder)[0], "loom.workflow.run function ✗ paused");
}

#[test]
fn a_failure_after_a_question_is_what_counts() {
    let loom = Loom::builder().journal(MemoryJournal::default());
    let branches = &[
        ("asks", Does::Asks),
        ("late", Does::Waits(5)),
        ("stuck", Does::Forever),
    ];
    let root = move |cx: RunContext, _: String| async move {
        let cx = &cx;
        let branch = |&(name, what): &(&'static str, Does)| {
            let effect = Effect::new(EffectKind::Step, name);
            Branch::new(move |cx: RunContext| async move {
                cx.perform(effect, (), move |cx, ()| async move {
                    let output = does(cx, what, name).await?;
                    Err::<String, _>(Error::invalid(output))
                })
                .await
            })
        };
        cx.join(8, branches.iter().map(branch)).await
    };
    let (recorder, session) = recorded_by(loom);
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(
        (error.error().kind(), error.message()),
        (ErrorKind::Invalid, "late")
    );
    assert_eq!(
        endings(&recorder),
        [
            "asks paused",
            "late failed",
            "stuck cancelled (sibling_failed)"
        ]
    );
}

#[test]
fn f060_a_join_that_is_dropped_closes_all_its_branches() {
    use futures::FutureExt;

    async fn root(cx: RunContext, text: String) -> Result<String> {
        let stuck = ["a", "b"].map(|name| {
            Branch::new(move |cx: RunContext| async move { cx.step(name, &forever, "x").await })
        });
        let mut join = Box::pin(cx.join(8, stuck));
        assert!(join.as_mut().now_or_never().is_none());
        drop(join);
        cx.step("after", &echo, text).await
    }
    let (recorder, session) = recorded_by(Loom::builder());
    block_on(session.run(&root, "go")).unwrap();
    assert_eq!(
        endings(&recorder),
        [
            "a cancelled (dropped)",
            "b cancelled (dropped)",
            "after completed"
        ]
    );
}
