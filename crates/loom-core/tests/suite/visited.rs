//! `visited`: the root run's own steps that completed, in order of completion, repeats kept.

use futures::executor::block_on;
use loom_core::{Effect, EffectKind, Result, RunContext, Tool};
use serde_json::json;

use crate::recorded::recorded;
use crate::steps::{echo, fail, wait};

async fn stepped(cx: RunContext, text: String) -> Result<String> {
    cx.step("nested", &echo, text).await
}

#[test]
fn repeats_count_and_failures_and_nested_steps_do_not() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        cx.step("a", &echo, "1").await?;
        cx.step("a", &echo, "2").await?;
        cx.step("b", &fail, "3").await.unwrap_err();
        cx.step("c", &stepped, "4").await?;
        let run = Effect::new(EffectKind::Workflow, "inner");
        cx.perform(
            run,
            (),
            |cx, ()| async move { stepped(cx, "5".into()).await },
        )
        .await?;
        let tool = Tool::new("tool", "Steps.", stepped);
        tool.call(&cx, "c1", json!({"input": "6"})).await?;
        cx.step("a", &echo, text).await
    }
    let (_, session) = recorded();
    let outcome = block_on(session.run(&root, "7")).unwrap();
    assert_eq!(outcome.visited, ["a", "a", "c", "a"]);
}

#[test]
fn steps_that_run_at_the_same_time_are_in_order_of_completion() {
    async fn root(cx: RunContext, _: String) -> Result<u32> {
        let (slow, quick) =
            futures::join!(cx.step("slow", &wait, 3u32), cx.step("quick", &wait, 1u32));
        Ok(slow? + quick?)
    }
    let (_, session) = recorded();
    let outcome = block_on(session.run(&root, "go")).unwrap();
    assert_eq!(
        (outcome.output, outcome.visited.clone()),
        (4, vec!["quick".into(), "slow".into()])
    );
}

#[test]
fn nobody_needs_to_watch() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        cx.step("only", &echo, text).await
    }
    let session = loom_core::Loom::builder().build().session("alice");
    assert_eq!(
        block_on(session.run(&root, "go")).unwrap().visited,
        ["only"]
    );
}
