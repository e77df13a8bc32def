//! Caps of one agent's or one workflow's own: they end that run, and its caller is told.

use loomflow::{Agent, Limits, Reply, ScriptedModel, Workflow};
use serde_json::json;

use crate::support::{Done, clerk, desk, desk_of, refund_call};
use crate::watched::Durable;

/// An expert who calls a tool again and again, and has two turns.
fn restless() -> Agent {
    let nod = Workflow::chain("nod").then_fn("nod", |_, text: String| async move {
        Ok::<_, loomflow::Error>(text)
    });
    let again = || Reply::call("nod", json!({"input": "again"}));
    Agent::builder("Nod.")
        .named("expert")
        .model(ScriptedModel::new([again(), again(), again()]))
        .tool(nod.build().as_tool())
        .turns_max(2)
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_inner_agent_s_own_cap_is_told_to_the_outer_model() {
    let (durable, done) = (Durable::new(), Done::default());
    let refund = Workflow::chain::<String>("refund").then(restless()).build();
    let desk = desk_of(clerk(&done, &refund_call(), [refund.as_tool()]));
    let process = durable.process();
    let outcome = process.session.run(&desk, "please").await.unwrap();
    assert_eq!(
        outcome.output,
        "stopped by a limit: expert: turns_max 2 reached"
    );
    assert_eq!(outcome.visited, ["gate", "clerk", "log_completion"]);
    assert_eq!(done.asked_models.get(), 2);
    let tree = process.tree();
    assert_eq!(
        tree[..10],
        [
            "loom.workflow.run support",
            "  loom.workflow.step gate",
            "  loom.workflow.step clerk",
            "    loom.run clerk",
            "      loom.turn 0",
            "        loom.model.stream offline",
            "        loom.tool refund ✗ interrupted",
            "          loom.workflow.run refund ✗ interrupted",
            "            loom.workflow.step expert ✗ interrupted",
            "              loom.run expert ✗ interrupted",
        ]
    );
    assert_eq!(tree.iter().filter(|it| it.contains('✗')).count(), 4);
    let told = durable.told();
    let rows = told.iter().skip_while(|it| !it.starts_with("limit_"));
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            "limit_reached expert",
            "run_interrupted expert",
            "step_interrupted expert",
            "workflow_interrupted refund",
            "tool_interrupted refund",
            "run_completed clerk",
            "step_completed clerk",
            "step_started log_completion",
            "step_completed log_completion",
            "workflow_completed support",
        ]
    );
}

#[tokio::test]
async fn a_run_that_would_be_too_deep_is_told_to_the_model_above_it() {
    let (durable, done) = (Durable::new(), Done::default());
    // The desk, the clerk; the refund would be the third.
    let limits = Limits::default().with_depth_max(2);
    let process = durable.wired(|loom| loom.limits(limits));
    let outcome = process.session.run(&desk(&done), "please").await.unwrap();
    assert_eq!(outcome.output, "stopped by a limit: depth_max 2 reached");
    assert_eq!((done.asked_models.get(), done.authorized.get()), (2, 0));
    assert_eq!(
        process.tree()[4..],
        [
            "      loom.turn 0",
            "        loom.model.stream offline",
            "        loom.tool refund ✗ interrupted",
            "      loom.turn 1",
            "        loom.model.stream offline",
            "  loom.workflow.step log_completion",
        ]
    );
    durable.told();
}
