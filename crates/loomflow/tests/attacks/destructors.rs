//! Attacks by destructors that panic: of bodies, inputs, outputs, errors and tools.

use std::future::pending;
use std::panic::panic_any;
use std::thread;

use futures::executor::block_on;
use loomflow::{
    Agent, Branch, CancelReason, Error, ErrorKind, MemoryJournal, Reply, Result, RunContext,
    RunErrorKind, Runnable, ScriptedModel, Settling, Step, Tool, Workflow, step,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support_b::{guarded, plain, poke, rig, slow, yields};

/// Panics where it is dropped, with a payload that does so too.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any(Inner);
        }
    }
}

struct Inner;

impl Drop for Inner {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("and once more");
        }
    }
}

async fn hangs_with_a_bomb(_: u64) -> Result<u64> {
    let _bomb = Bomb;
    pending().await
}

async fn fails(_: u64) -> Result<u64> {
    yields(1).await;
    Err(Error::invalid("no"))
}

#[test]
fn a_destructor_that_panics_in_one_branch_leaves_the_others_endings() {
    guarded(|| {
        let endings = |bomb: bool| {
            let rig = plain();
            let body = move |cx: RunContext, n: u64| async move {
                let hang = |name: &'static str, bomb: bool| {
                    Branch::named(name, move |cx: RunContext| async move {
                        let hangs = Step::<u64, u64>::new(move |_: u64| async move {
                            let _bomb = bomb.then(|| Bomb);
                            pending::<Result<u64>>().await
                        });
                        let _outer = bomb.then(|| Bomb);
                        cx.step("hangs", &hangs, n).await
                    })
                };
                let fail = Branch::named("fail", move |cx: RunContext| async move {
                    cx.step("fails", &fails, n).await
                });
                let ok = Branch::named("ok", move |cx: RunContext| async move {
                    cx.step("add", &|n: u64| async move { Ok::<_, Error>(n) }, n)
                        .await
                });
                cx.join(
                    9,
                    [hang("a", bomb), ok, hang("b", false), fail, hang("c", bomb)],
                )
                .await
            };
            let ended = block_on(async { rig.loom.session("alice").run(&body, 1u64).await });
            rig.assert_whole();
            (
                ended.map(|it| it.output).map_err(|it| it.to_string()),
                rig.endings(),
            )
        };
        assert_eq!(endings(true), endings(false));
    });
}

#[test]
fn a_destructor_that_panics_where_a_run_is_dropped_or_cancelled_escapes_nowhere() {
    guarded(|| {
        for how in ["drop", "cancel", "timeout"] {
            let rig = plain();
            let workflow = Workflow::chain::<u64>("w")
                .parallel((
                    hangs_with_a_bomb,
                    step(hangs_with_a_bomb).named("second"),
                    slow,
                ))
                .map(|(a, b, c)| a + b + c)
                .build();
            let session = rig.loom.session("alice");
            let mut run = session.run(&workflow, 1u64);
            for _ in 0..3 {
                assert!(poke(&mut run).is_pending());
            }
            match how {
                "drop" => drop(run),
                "cancel" => {
                    run.handle().cancel();
                    let ended = block_on(run).unwrap_err();
                    assert_eq!(
                        ended.kind(),
                        RunErrorKind::Cancelled(CancelReason::Requested)
                    );
                }
                _ => {
                    let handle = run.handle();
                    handle.cancel();
                    drop(run);
                }
            }
            assert_eq!(rig.loom.running(), 0);
            assert_eq!(rig.endings()[3], "w/slow completed");
            rig.assert_whole();
        }
    });
}

#[derive(Serialize, Deserialize)]
struct Armed(u64);

impl Drop for Armed {
    fn drop(&mut self) {
        if self.0 > 1 && !thread::panicking() {
            panic_any(Inner);
        }
    }
}

#[test]
fn an_input_or_output_whose_destructor_panics_fails_no_more_than_its_own_effect() {
    async fn arm(n: u64) -> Result<Armed> {
        Ok(Armed(n))
    }
    async fn disarm(mut armed: Armed) -> Result<u64> {
        Ok(std::mem::take(&mut armed.0))
    }
    async fn explode(_armed: Armed) -> Result<u64> {
        Ok(1)
    }
    guarded(|| {
        for journal in [false, true] {
            let rig = rig(|it| match journal {
                true => it.journal(MemoryJournal::default()),
                false => it,
            });
            block_on(async {
                let session = rig.loom.session("alice");
                let fine = Workflow::chain::<u64>("fine")
                    .then(arm)
                    .then(disarm)
                    .build();
                assert_eq!(session.run(&fine, 5u64).await.unwrap().output, 5);
                let explodes = Workflow::chain::<u64>("explodes")
                    .then(arm)
                    .then(explode)
                    .then(slow)
                    .build();
                let ended = session.run(&explodes, 5u64).await.unwrap_err();
                assert_eq!(
                    (ended.kind(), ended.error().kind()),
                    (RunErrorKind::Failed, ErrorKind::Panicked)
                );
                // Outputs that nobody gets, since a branch beside them fails.
                let lost = Workflow::chain::<u64>("lost")
                    .parallel((arm, fails))
                    .map(|(_, n)| n)
                    .build();
                let ended = session.run(&lost, 5u64).await.unwrap_err();
                assert_eq!(
                    (ended.kind(), ended.error().kind()),
                    (RunErrorKind::Failed, ErrorKind::Invalid)
                );
            });
            let endings = rig.endings();
            assert!(
                endings.contains(&"lost/arm completed".to_owned()),
                "{endings:?}"
            );
            rig.assert_whole();
        }
    });
}

#[test]
fn an_output_nobody_gets_since_the_run_is_dropped_takes_nothing_with_it() {
    guarded(|| {
        for at in 0..12 {
            let rig = plain();
            let arm = |n: u64| async move {
                yields(n as usize).await;
                Ok::<_, Error>(Armed(n + 1))
            };
            let body = Workflow::chain::<u64>("w")
                .parallel((arm, step(arm).named("b"), hangs_with_a_bomb))
                .map(|_| 1u64)
                .build();
            let mut run = rig.loom.session("alice").run(&body, 2u64);
            for _ in 0..at {
                let _ = poke(&mut run);
            }
            drop(run);
            assert_eq!(rig.loom.running(), 0);
            rig.assert_whole();
        }
    });
}

#[derive(Debug)]
struct BadError;

impl std::fmt::Display for BadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bad")
    }
}

impl std::error::Error for BadError {}

impl Drop for BadError {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any(Inner);
        }
    }
}

#[derive(Clone, Copy)]
struct FailsBadly;

impl Runnable<u64> for FailsBadly {
    type Out = u64;
    async fn run(&self, _cx: &RunContext, _input: u64) -> Result<u64> {
        Err(Error::with_source(ErrorKind::Failed, "badly", BadError))
    }
}

#[test]
fn an_error_whose_destructor_panics_decides_nothing_beyond_its_effect() {
    guarded(|| {
        let rig = plain();
        block_on(async {
            let session = rig.loom.session("alice");
            let below = |cx: RunContext, n: u64| async move {
                let failed = cx.step("below", &FailsBadly, n).await;
                std::mem::forget(failed);
                cx.step("after", &slow, n).await
            };
            assert_eq!(session.run(&below, 1u64).await.unwrap().output, 2);
            let settled = Workflow::chain::<u64>("settled")
                .parallel((FailsBadly, slow).settle())
                .build();
            let outcome = session.run(&settled, 1u64).await.unwrap();
            assert_eq!(outcome.output.1.clone().done(), Some(2));
            let two = Workflow::chain::<u64>("two")
                .parallel((FailsBadly, fails, slow))
                .map(|(a, _, _)| a)
                .build();
            let ended = session.run(&two, 1u64).await.unwrap_err();
            assert_eq!(ended.message(), "badly");
            std::mem::forget(ended);
        });
        rig.assert_whole();
    });
}

#[test]
fn a_run_that_is_dropped_lets_no_panic_of_a_destructor_out() {
    guarded(|| {
        for journal in [false, true] {
            let rig = rig(|it| match journal {
                true => it.journal(MemoryJournal::default()),
                false => it,
            });
            let session = rig.loom.session("alice");
            let workflow = Workflow::chain::<u64>("w").then(hangs_with_a_bomb).build();
            let mut runs = [
                session.run(&hangs_with_a_bomb, 1u64),
                session.run(&workflow, 1u64),
            ];
            for run in &mut runs {
                assert!(poke(run).is_pending());
            }
            let escaped = runs.map(|run| {
                let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(run)));
                dropped.map_err(std::mem::forget).is_err()
            });
            rig.assert_whole();
            assert_eq!(rig.loom.running(), 0);
            assert_eq!(escaped, [false, false]);
        }
    });
}

#[test]
fn a_tool_whose_destructor_panics_takes_no_other_tool_of_its_turn_along() {
    guarded(|| {
        let rig = plain();
        let bad = Tool::new("bad", "Bad.", |n: u64| async move {
            let _bomb = Bomb;
            yields(n as usize).await;
            Err::<u64, _>(Error::invalid("no"))
        });
        let good = Tool::new("good", "Good.", slow);
        let model = ScriptedModel::new([
            Reply::call("bad", json!({"input": 1}))
                .and_call("good", json!({"input": 1}))
                .and_call("bad", json!({"input": 4})),
            Reply::text("done"),
        ]);
        let agent = Agent::builder("Act.")
            .named("agent")
            .model(model)
            .tool(bad)
            .tool(good)
            .build()
            .unwrap();
        let outcome =
            block_on(async { rig.loom.session("alice").run(&agent, "go").await.unwrap() });
        assert_eq!(outcome.output, "done");
        let spans = rig.recorder.spans();
        let tools = spans.iter().filter(|it| it.name.as_str() == "good");
        assert!(
            tools
                .map(|it| it.ending.unwrap().to_string())
                .eq(["completed"])
        );
        rig.assert_whole();
    });
}
