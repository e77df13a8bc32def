//! A workflow as a tool: what a call gives is the workflow's output, or what stopped it.

use loom_core::{
    Error, ErrorKind, Outcome, Result, RunContext, RunError, RunErrorKind, Tool, ToolOutput,
};
use loom_testing::Recorder;
use loom_workflow::Workflow;
use serde_json::{Value, json};

use crate::recorded::{recorded, tree};

async fn authorize(invoice: String) -> Result<String> {
    match invoice.as_str() {
        "" => Err(Error::invalid("no invoice")),
        _ => Ok(invoice),
    }
}

async fn execute(invoice: String) -> Result<String> {
    Ok(format!("{invoice} is paid back"))
}

fn refund() -> Workflow<String, String> {
    let refund = Workflow::chain("refund").then(authorize);
    refund.then(execute).build()
}

/// Calls a tool with these arguments, within a function's run by the name `act`.
async fn call(tool: Tool, arguments: Value) -> (Result<Outcome<ToolOutput>, RunError>, Recorder) {
    let (recorder, session) = recorded();
    let act = Workflow::chain("act")
        .then_fn("call", move |cx: RunContext, arguments: Value| {
            let tool = tool.clone();
            async move { tool.call(&cx, "c1", arguments).await }
        })
        .build();
    (session.run(&act, arguments).await, recorder)
}

#[tokio::test]
async fn a_call_runs_the_workflow_below_the_tool_s_span() {
    let (outcome, recorder) = call(refund().as_tool(), json!({"input": "INV-1"})).await;
    let outcome = outcome.unwrap();
    assert_eq!(
        outcome.output,
        ToolOutput::Text("INV-1 is paid back".into())
    );
    assert_eq!(outcome.visited, ["call"]);
    assert_eq!(outcome.usage.tool_calls, 1);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run act",
            "  loom.workflow.step call",
            "    loom.tool refund",
            "      loom.workflow.run refund",
            "        loom.workflow.step authorize",
            "        loom.workflow.step execute",
        ]
    );
}

#[tokio::test]
async fn another_name_is_the_tool_s_and_not_the_workflow_s() {
    let tool = refund().as_tool().named("pay_back").input_arg("invoice");
    let (outcome, recorder) = call(tool, json!({"invoice": "INV-1"})).await;
    outcome.unwrap();
    assert_eq!(
        tree(&recorder)[2..4],
        ["    loom.tool pay_back", "      loom.workflow.run refund",]
    );
}

#[tokio::test]
async fn an_output_that_is_no_text_is_json() {
    async fn split(text: String) -> Result<Vec<String>> {
        Ok(text.split(' ').map(str::to_owned).collect())
    }
    let tool = Workflow::chain("split").then(split).build().as_tool();
    let (outcome, _) = call(tool, json!({"input": "a b"})).await;
    assert_eq!(outcome.unwrap().output, ToolOutput::Json(json!(["a", "b"])));
}

#[tokio::test]
async fn a_missing_argument_is_an_error_and_never_an_empty_text() {
    let (outcome, recorder) = call(refund().as_tool(), json!({})).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        r#"act/call/tool:refund[c1]: the argument "input" is missing"#
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run act ✗ failed",
            "  loom.workflow.step call ✗ failed",
            "    loom.tool refund ✗ failed",
        ]
    );
}

#[tokio::test]
async fn an_argument_of_another_type_is_an_error_and_runs_nothing() {
    let (outcome, recorder) = call(refund().as_tool(), json!({"input": 7})).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.message(),
        "the arguments don't fit: invalid type: integer `7`, expected a string"
    );
    assert_eq!(tree(&recorder).len(), 3);
}

#[tokio::test]
async fn a_workflow_that_fails_gives_its_error_and_never_what_came_before() {
    async fn bounce(_: String) -> Result<String> {
        Err(Error::new(ErrorKind::Upstream, "the bank is closed"))
    }
    let refund = Workflow::chain("refund").then(authorize).then(bounce);
    let (outcome, recorder) = call(refund.build().as_tool(), json!({"input": "INV-1"})).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Upstream);
    assert_eq!(
        error.to_string(),
        "act/call/tool:refund[c1]/refund/bounce: the bank is closed"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run act ✗ failed",
            "  loom.workflow.step call ✗ failed",
            "    loom.tool refund ✗ failed",
            "      loom.workflow.run refund ✗ failed",
            "        loom.workflow.step authorize",
            "        loom.workflow.step bounce ✗ failed",
        ]
    );
}

#[tokio::test]
async fn a_workflow_that_is_interrupted_says_by_what() {
    async fn search(cx: RunContext, _: String) -> Result<String> {
        Err(cx.limit_reached("pages_max", 10))
    }
    let search = Workflow::chain("search").then(authorize).then(search);
    let (outcome, recorder) = call(search.build().as_tool(), json!({"input": "cats"})).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.message(), "call: search: pages_max 10 reached");
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert_eq!(
        tree(&recorder)[2..],
        [
            "    loom.tool search ✗ interrupted",
            "      loom.workflow.run search ✗ interrupted",
            "        loom.workflow.step authorize",
            "        loom.workflow.step search ✗ interrupted",
        ]
    );
}

#[tokio::test]
async fn a_panic_below_a_tool_is_an_error_of_the_call() {
    async fn explode(_: String) -> Result<String> {
        panic!("boom")
    }
    let explode = Workflow::chain("explode").then(explode).build();
    let (outcome, _) = call(explode.as_tool(), json!({"input": "x"})).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(error.message(), "boom");
}
