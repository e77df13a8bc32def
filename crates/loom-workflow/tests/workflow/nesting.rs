//! Workflows in workflows, directly and through a tool: one user, one trace, runs in runs.

use loom_core::{Error, Limits, Loom, Result, RunContext, RunErrorKind, UserId};
use loom_testing::Recorder;
use loom_workflow::Workflow;
use serde_json::json;

use crate::recorded::{recorded, tree};

async fn authorize(text: String) -> Result<String> {
    Ok(text)
}

async fn execute(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

/// A workflow whose second step calls a workflow as a tool, in which a workflow is a step.
fn three_deep() -> Workflow<String, String> {
    let innermost = Workflow::chain("payment").then(execute).build();
    let inner = Workflow::chain("refund").then(authorize).then(innermost);
    let tool = inner.build().as_tool();
    Workflow::chain("support")
        .then(authorize)
        .then_fn("act", move |cx: RunContext, text: String| {
            let tool = tool.clone();
            async move {
                let output = tool.call(&cx, "c1", json!({"input": text})).await?;
                Ok::<_, Error>(output.into_text())
            }
        })
        .build()
}

#[tokio::test]
async fn a_workflow_in_a_workflow_in_a_tool_in_a_workflow() {
    let (recorder, session) = recorded();
    let outcome = session.run(&three_deep(), "inv-1").await.unwrap();
    assert_eq!(outcome.output, "INV-1");
    assert_eq!(outcome.visited, ["authorize", "act"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run support",
            "  loom.workflow.step authorize",
            "  loom.workflow.step act",
            "    loom.tool refund",
            "      loom.workflow.run refund",
            "        loom.workflow.step authorize",
            "        loom.workflow.step payment",
            "          loom.workflow.run payment",
            "            loom.workflow.step execute",
        ]
    );
}

#[tokio::test]
async fn every_record_names_the_user_and_the_nearest_run() {
    let (recorder, session) = recorded();
    let session = session.id("conv_42");
    let outcome = session.run(&three_deep(), "inv-1").await.unwrap();
    let spans = recorder.spans();
    for span in &spans {
        assert_eq!(span.user.as_ref().map(UserId::as_str), Some("alice"));
        assert_eq!(span.session.as_str(), "conv_42");
        assert_eq!(span.trace, outcome.trace_id);
    }
    let (support, refund, payment) = (&spans[0].run, &spans[4].run, &spans[7].run);
    assert_eq!(*support, outcome.run_id);
    let seen: Vec<_> = spans
        .iter()
        .map(|it| (it.path.as_str(), &it.run, it.parent_run.as_ref()))
        .collect();
    let root = |path| (path, support, None);
    let inner = |path| (path, refund, Some(support));
    let innermost = |path| (path, payment, Some(refund));
    assert_eq!(
        seen,
        [
            root("support"),
            root("support/authorize"),
            root("support/act"),
            root("support/act/tool:refund[c1]"),
            inner("support/act/tool:refund[c1]/refund"),
            inner("support/act/tool:refund[c1]/refund/authorize"),
            inner("support/act/tool:refund[c1]/refund/payment"),
            innermost("support/act/tool:refund[c1]/refund/payment/payment"),
            innermost("support/act/tool:refund[c1]/refund/payment/payment/execute"),
        ]
    );
}

#[tokio::test]
async fn workflows_nest_as_deep_as_the_limit_and_no_deeper() {
    let recorder = Recorder::default();
    let limits = Limits::default().with_depth_max(2);
    let loom = Loom::builder().observe(recorder.clone()).limits(limits);
    let session = loom.build().session("alice");
    let error = session.run(&three_deep(), "inv-1").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        error.to_string(),
        "support/act/tool:refund[c1]/refund/payment: act: payment: depth_max 2 reached"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run support ✗ interrupted",
            "  loom.workflow.step authorize",
            "  loom.workflow.step act ✗ interrupted",
            "    loom.tool refund ✗ interrupted",
            "      loom.workflow.run refund ✗ interrupted",
            "        loom.workflow.step authorize",
            "        loom.workflow.step payment ✗ interrupted",
        ]
    );
}
