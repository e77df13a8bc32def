//! Attacks by what would swallow, retry or replace the end that a limit of the tree makes.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loomflow::{
    Agent, BoxFuture, ErrorKind, Reply, Result, RunContext, RunErrorKind, Runnable, ScriptedModel,
    Settling, Step, Tool, UserId, Workflow, step,
};
use serde_json::json;

use crate::budgets::{Calls, limits};
use crate::support_b::{guarded, on_tokio, rig, slow};

/// Swallows whatever happens below.
#[derive(Clone)]
struct Swallows(Calls);

impl Runnable<u64> for Swallows {
    type Out = u64;
    async fn run(&self, cx: &RunContext, n: u64) -> Result<u64> {
        for _ in 0..5 {
            let _ = cx.step("call", &self.0, n).await;
        }
        Ok(n)
    }
}

/// Calls three times.
fn thrice(
    calls: &Calls,
) -> impl Fn(RunContext, u64) -> BoxFuture<'static, Result<u64>> + Clone + Send + Sync + 'static {
    let calls = calls.clone();
    move |cx, n| {
        let calls = calls.clone();
        Box::pin(async move {
            for _ in 0..3 {
                cx.step("call", &calls, n).await?;
            }
            Ok(n)
        })
    }
}

/// Counts how often it is begun.
fn counts(
    begun: &Arc<AtomicUsize>,
) -> impl Fn(u64) -> Ready<Result<u64>> + Clone + Send + Sync + 'static {
    let begun = begun.clone();
    move |n| {
        begun.fetch_add(1, SeqCst);
        ready(Ok(n))
    }
}

/// Calls for another user, and swallows how it ends.
fn acts(
    calls: &Calls,
) -> impl Fn(RunContext, u64) -> BoxFuture<'static, Result<u64>> + Send + Sync + 'static {
    let three = Arc::new(Step::<u64, u64>::new(thrice(calls)));
    move |cx, n| {
        let three = three.clone();
        Box::pin(async move {
            let bob = UserId::new("bob")?;
            let _ = cx.acting_as(bob, "acts", &*three, n).await;
            Ok(n)
        })
    }
}

/// Calls in a tool.
fn agent(calls: &Calls) -> Agent {
    let model = ScriptedModel::new([
        Reply::call("three", json!({"input": 1})),
        Reply::text("done"),
        Reply::text("done"),
    ]);
    Agent::builder("Act.")
        .named("agent")
        .model(model)
        .tool(Tool::new("three", "Three.", thrice(calls)))
        .build()
        .unwrap()
}

/// More calls than there may be, in something that might go on without them to what counts.
fn limited(how: &str, calls: &Calls, after: &Arc<AtomicUsize>) -> Workflow<u64, u64> {
    let three = || thrice(calls);
    let other = counts(after);
    let w = Workflow::chain::<u64>("w");
    match how {
        "swallows" => w.then(Swallows(calls.clone())).then(other).build(),
        "or_else" => w
            .then(step(step(three()).named("three")).or_else(other))
            .build(),
        "retry" => w.then(step(three()).named("three").retry(9)).build(),
        "settled" => w
            .parallel((three(), step(slow).named("slow")).settle())
            .map(|_| 1)
            .then(other)
            .build(),
        "each_settled" => w
            .map(|n| vec![n; 3])
            .each_settled(3, calls.clone())
            .map(|_| 1)
            .then(other)
            .build(),
        "graph" => Workflow::graph("g")
            .node("three", three())
            .node("other", other)
            .start("three")
            .edge("three", "other")
            .edge("other", loomflow::END)
            .settle("three")
            .build_as::<u64, u64>()
            .unwrap_or_else(|_| Workflow::chain::<u64>("g").then(three()).build()),
        "acting" => w.then(acts(calls)).then(other).build(),
        "nested" => {
            let inner = Workflow::chain::<u64>("inner").then(three()).build();
            w.then(step(step(inner).retry(3)).or_else(other)).build()
        }
        _ => w
            .map(|n| n.to_string())
            .then(agent(calls))
            .map(|_| 1)
            .then(other)
            .build(),
    }
}

#[test]
fn a_limit_of_the_tree_is_never_a_value_a_fallback_a_retry_or_a_tools_text() {
    guarded(|| {
        for how in [
            "swallows",
            "or_else",
            "retry",
            "settled",
            "each_settled",
            "tool",
            "graph",
            "acting",
            "nested",
        ] {
            let rig = rig(|it| it.limits(limits().with_model_calls_max(2)));
            let calls = Calls::new(0, Some(1));
            let after = Arc::default();
            let workflow = limited(how, &calls, &after);
            let ended = on_tokio(async { rig.loom.session("alice").run(&workflow, 1u64).await });
            let ended = ended
                .map(|it| it.output)
                .map_err(|it| (it.kind(), it.error().kind()));
            assert_eq!(
                ended,
                Err((RunErrorKind::Interrupted, ErrorKind::LimitReached)),
                "{how}"
            );
            assert_eq!(after.load(SeqCst), 0, "{how}");
            let rows = rig.audit.rows();
            assert_eq!(
                rows.iter()
                    .filter(|it| it.action == "limit_reached")
                    .count(),
                1,
                "{how}"
            );
            assert!(!rows.iter().any(|it| it.action == "retry"), "{how}");
            assert!(
                rig.endings()[0].ends_with(" interrupted"),
                "{how} {:?}",
                rig.endings()
            );
            rig.assert_whole();
        }
    });
}
