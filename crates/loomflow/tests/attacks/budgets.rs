//! Attacks on limits and on what is counted against them.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use futures::executor::block_on;
use futures::future::{Either, select};
use loomflow::{
    Agent, Branch, Decision, Effect, EffectKind, Error, ErrorKind, FnModel, Limits, Permissions,
    Reply, Request, Result, Rule, RunContext, RunErrorKind, Runnable, Settling, Tokens, Tool,
    Workflow, step,
};
use serde_json::json;

use crate::support_b::{guarded, rig, slow, spin, yields};

pub(crate) fn limits() -> Limits {
    Limits::default()
}

/// Calls a model that reserves and spends so much, and counts what it really took.
#[derive(Clone)]
pub(crate) struct Calls {
    reserves: u64,
    spends: Option<u64>,
    made: Arc<AtomicU64>,
}

impl Calls {
    pub(crate) fn new(reserves: u64, spends: Option<u64>) -> Self {
        Self {
            reserves,
            spends,
            made: Arc::default(),
        }
    }
}

impl Runnable<u64> for Calls {
    type Out = u64;
    async fn run(&self, cx: &RunContext, n: u64) -> Result<u64> {
        let call = Effect::new(EffectKind::Model, "m").reserving(self.reserves, self.reserves);
        let spends = self.spends;
        let made = self.made.clone();
        cx.perform(call, n, move |cx, n| async move {
            made.fetch_add(1, SeqCst);
            yields(3).await;
            if let Some(spends) = spends {
                cx.spend(Tokens::new(spends, 0).costing(spends));
            }
            Ok(n)
        })
        .await
    }
}

fn hundred(
    calls: &Calls,
) -> impl Fn(RunContext, u64) -> loomflow::BoxFuture<'static, Result<u64>> + Send + Sync + 'static {
    let calls = calls.clone();
    move |cx, n| {
        let calls = calls.clone();
        Box::pin(async move {
            let branch = |_| {
                let calls = calls.clone();
                Branch::new(move |cx: RunContext| async move { cx.step("call", &calls, n).await })
            };
            Ok(cx.join(100, (0..100).map(branch)).await?.len() as u64)
        })
    }
}

#[test]
fn a_hundred_branches_take_no_more_than_a_limit_of_the_tree() {
    guarded(|| {
        for (what, limits, allowed) in [
            ("calls", limits().with_model_calls_max(10), 10),
            ("tokens", limits().with_tokens_max(1_000), 10),
            ("cost", limits().with_cost_micro_usd_max(1_000), 10),
            (
                "all",
                limits()
                    .with_cost_micro_usd_max(1_000)
                    .with_tokens_max(700)
                    .with_model_calls_max(9),
                7,
            ),
            (
                "enough",
                limits()
                    .with_cost_micro_usd_max(10_000)
                    .with_tokens_max(10_000)
                    .with_model_calls_max(100),
                100,
            ),
        ] {
            let rig = rig(|it| it.limits(limits));
            let calls = Calls::new(100, Some(100));
            let body = hundred(&calls);
            let ended = block_on(async { rig.loom.session("alice").run(&body, 1u64).await });
            match ended {
                Ok(outcome) => assert_eq!(
                    (outcome.output, outcome.charged.tokens, allowed),
                    (100, Some(10_000), 100),
                    "{what}"
                ),
                Err(ended) => {
                    assert_eq!(ended.kind(), RunErrorKind::Interrupted, "{what}");
                    assert_eq!(ended.error().kind(), ErrorKind::LimitReached, "{what}");
                    assert!(
                        ended
                            .report()
                            .unwrap()
                            .charged
                            .tokens
                            .is_none_or(|it| it <= allowed * 100),
                        "{what}"
                    );
                }
            }
            assert_eq!(calls.made.load(SeqCst), allowed, "{what}");
            rig.assert_whole();
        }
    });
}

#[test]
fn calls_within_calls_that_reserve_end_and_never_wait_for_each_other() {
    guarded(|| {
        for (outer, inner, branches) in [
            (600, 600, 1),
            (500, 400, 2),
            (500, 100, 2),
            (1_000, 1, 1),
            (400, 400, 3),
            (u64::MAX, u64::MAX, 2),
        ] {
            let rig = rig(|it| {
                it.limits(
                    limits()
                        .with_tokens_max(1_000)
                        .with_cost_micro_usd_max(1_000),
                )
            });
            let body = move |cx: RunContext, n: u64| async move {
                let branch = |_| {
                    Branch::new(move |cx: RunContext| async move {
                        let call = Effect::new(EffectKind::Model, "outer").reserving(outer, outer);
                        cx.perform(call, n, move |cx, n| async move {
                            yields(2).await;
                            Calls::new(inner, Some(10)).run(&cx, n).await?;
                            cx.spend(Tokens::new(10, 0).costing(10));
                            Ok(n)
                        })
                        .await
                    })
                };
                Ok::<_, Error>(cx.join(9, (0..branches).map(branch)).await?.len())
            };
            let ended = spin(1_000, rig.loom.session("alice").run(&body, 1u64));
            let ended =
                ended.unwrap_or_else(|| panic!("{outer} {inner} {branches} waits for ever"));
            let fine = ended
                .as_ref()
                .map_or_else(|it| it.kind() == RunErrorKind::Interrupted, |_| true);
            assert!(fine, "{ended:?}");
            rig.assert_whole();
        }
    });
}

#[test]
fn a_call_that_is_dropped_or_silent_is_charged_what_it_reserved_and_unknown_in_the_report() {
    guarded(|| {
        for how in ["dropped", "silent", "failed", "panicked", "partly"] {
            let rig = rig(|it| it.limits(limits().with_tokens_max(1_000)));
            let body = move |cx: RunContext, n: u64| async move {
                let call = Effect::new(EffectKind::Model, "m").reserving(400, 0);
                let work = Box::pin(cx.perform(call, n, move |cx, n| async move {
                    match how {
                        "dropped" => pending().await,
                        "failed" => Err(Error::invalid("no")),
                        "panicked" => panic!("no"),
                        "partly" => {
                            cx.spend(Tokens::new(1, 1));
                            pending().await
                        }
                        _ => Ok(n),
                    }
                }));
                match select(work, Box::pin(yields(5))).await {
                    Either::Left(_) | Either::Right(_) => Ok::<_, Error>(n),
                }
            };
            let outcome =
                block_on(async { rig.loom.session("alice").run(&body, 1u64).await.unwrap() });
            assert_eq!(
                (outcome.usage.model_calls, outcome.charged.model_calls),
                (1, 1),
                "{how}"
            );
            let charged = outcome.charged.tokens.unwrap();
            if how == "partly" {
                assert!((2..=400).contains(&charged));
            } else {
                assert_eq!(charged, 400, "{how}");
                assert_eq!(outcome.usage.input_tokens, None, "{how}");
            }
            rig.assert_whole();
        }
    });
}

#[test]
fn a_call_that_reports_all_there_is_overflows_nothing_and_ends_what_comes_after_it() {
    for limited in [true, false] {
        let limits = if limited {
            limits()
                .with_tokens_max(u64::MAX - 1)
                .with_cost_micro_usd_max(u64::MAX - 1)
        } else {
            limits()
        };
        let rig = rig(|it| it.limits(limits));
        let body = |cx: RunContext, n: u64| async move {
            for _ in 0..3 {
                let call = Effect::new(EffectKind::Model, "m").reserving(u64::MAX, u64::MAX);
                cx.perform(call, n, |cx, n| async move {
                    cx.spend(Tokens::new(u64::MAX, u64::MAX).costing(u64::MAX));
                    cx.spend(Tokens::new(u64::MAX, 1).costing(1));
                    Ok(n)
                })
                .await?;
            }
            Ok::<_, Error>(n)
        };
        let ended = spin(100, rig.loom.session("alice").run(&body, 1u64)).unwrap();
        match ended {
            Ok(outcome) => assert!(!limited && outcome.usage.model_calls == 3),
            Err(ended) => assert!(
                limited && ended.kind() == RunErrorKind::Interrupted,
                "{ended:?}"
            ),
        }
        rig.assert_whole();
    }
}

#[test]
fn a_call_that_a_gate_denied_is_an_effect_and_no_call() {
    let permissions = Permissions::new().rule(Rule::new(Decision::Deny).argument("input", "13"));
    let rig = rig(|it| {
        it.permissions(permissions)
            .limits(limits().with_tool_calls_max(2))
    });
    let body = |cx: RunContext, _: u64| async move {
        let tool = Tool::new("t", "T.", slow);
        for (id, n) in [("a", 13), ("b", 1), ("c", 13), ("d", 13), ("e", 2)] {
            let called = tool.call(&cx, id, json!({"input": n})).await;
            assert_eq!(called.is_err(), n == 13);
        }
        Ok::<_, Error>(tool.call(&cx, "f", json!({"input": 13})).await.is_err())
    };
    let ended = block_on(async { rig.loom.session("alice").run(&body, 1u64).await });
    if let Ok(outcome) = &ended {
        assert_eq!(
            (
                outcome.usage.tool_calls,
                outcome.charged.tool_calls,
                outcome.charged.effects
            ),
            (2, 2, 7)
        );
    } else {
        // All there may be were made: the last is refused by the limit before any gate is asked.
        assert_eq!(ended.unwrap_err().kind(), RunErrorKind::Interrupted);
    }
    rig.assert_whole();
}

#[test]
fn an_effect_refused_by_a_limit_has_its_row_and_nothing_else() {
    for effects_max in [1u64, 2, 5] {
        let rig = rig(|it| it.limits(limits().with_effects_max(effects_max)));
        let body = |cx: RunContext, n: u64| async move {
            for _ in 0..10 {
                let _ = cx.step("one", &slow, n).await;
            }
            Ok::<_, Error>(n)
        };
        let raised = rig.loom.session("alice").limits(limits());
        let ended = block_on(async {
            raised
                .run(&body, 1u64)
                .limits(limits().with_effects_max(50))
                .await
                .unwrap_err()
        });
        assert_eq!(ended.kind(), RunErrorKind::Interrupted);
        assert_eq!(
            rig.recorder.spans().len() as u64,
            effects_max,
            "{:?}",
            rig.endings()
        );
        assert_eq!(ended.report().unwrap().charged.effects, effects_max);
        let reached: Vec<_> = rig
            .audit
            .rows()
            .into_iter()
            .filter(|it| it.action == "limit_reached")
            .collect();
        assert_eq!(reached.len(), 1);
        rig.assert_whole();
    }
}

#[test]
fn parallel_tools_of_agents_share_the_limits_of_their_tree() {
    guarded(|| {
        let rig = rig(|it| it.limits(limits().with_tool_calls_max(10)));
        let done = Arc::new(AtomicUsize::new(0));
        let count = done.clone();
        let tool = Tool::new("work", "Works.", move |n: u64| {
            count.fetch_add(1, SeqCst);
            slow(n)
        });
        let model = FnModel::new("m", |_: &Request<'_>| {
            let call = |reply: Reply, n: u64| reply.and_call("work", json!({"input": n}));
            Ok((1..40).fold(Reply::call("work", json!({"input": 0})), call))
        });
        let agent = Agent::builder("Work.")
            .named("agent")
            .model(model)
            .tool(tool)
            .build()
            .unwrap();
        let workflow = Workflow::chain::<String>("w")
            .parallel(
                (
                    step(agent.clone()).named("a"),
                    step(agent.clone()).named("b"),
                    step(agent).named("c"),
                )
                    .settle(),
            )
            .map(|_| 1u64)
            .build();
        let ended = block_on(async { rig.loom.session("alice").run(&workflow, "go").await });
        assert_eq!(ended.unwrap_err().kind(), RunErrorKind::Interrupted);
        assert_eq!(done.load(SeqCst), 10);
        rig.assert_whole();
    });
}
