//! A name that is no name is an error of the first run, which opens nothing.

use loom_core::{Error, ErrorKind, Name, Result, RunContext};
use loom_workflow::Workflow;
use serde_json::json;

use crate::recorded::{recorded, tree};

async fn unreachable(_: String) -> Result<String> {
    panic!("a workflow with a wrong name runs nothing")
}

fn named(name: impl Into<Name>) -> Workflow<String, String> {
    Workflow::chain(name).then(unreachable).build()
}

#[tokio::test]
async fn a_workflow_with_a_wrong_name_opens_nothing() {
    let long = "n".repeat(257);
    let start = "n".repeat(40);
    let table = [
        (
            named(""),
            r#"the workflow: the name "" is empty"#.to_owned(),
        ),
        (
            named("new\nline"),
            r#"the workflow: the name "new\nline" has a control character"#.to_owned(),
        ),
        (
            named(long),
            format!(r#"the workflow: the name "{start}…" is longer than 256 bytes"#),
        ),
    ];
    for (workflow, message) in table {
        let (recorder, session) = recorded();
        let error = session.run(&workflow, "hi").await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(error.message(), message);
        assert_eq!(recorder.events(), []);
    }
}

#[tokio::test]
async fn every_wrong_name_is_said_at_once_and_in_every_run() {
    let nothing = |_cx: RunContext, text: String| async move { Ok::<_, Error>(text) };
    let workflow = Workflow::chain("")
        .then_fn("", nothing)
        .then_fn("tab\t", nothing)
        .then(unreachable)
        .build();
    let (recorder, session) = recorded();
    for _ in 0..2 {
        let error = session.run(&workflow, "hi").await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.message(),
            r#"a step: the name "" is empty; a step: the name "tab\t" has a control character; the workflow: the name "" is empty"#
        );
    }
    assert_eq!(recorder.events(), []);
}

#[tokio::test]
async fn a_name_that_is_taken_and_too_long_for_a_number_is_told_to_be_taken() {
    let nothing = |_cx: RunContext, text: String| async move { Ok::<_, Error>(text) };
    for length in [255, 256] {
        let workflow = Workflow::chain("twice")
            .then_fn("n".repeat(length), nothing)
            .then_fn("n".repeat(length), nothing)
            .build();
        let (_, session) = recorded();
        let error = session.run(&workflow, "hi".to_owned()).await.unwrap_err();
        let start = "n".repeat(40);
        assert_eq!(
            error.message(),
            format!("two steps are named \"{start}…\", which is too long for a number behind it")
        );
    }
}

#[tokio::test]
async fn a_name_of_256_bytes_is_one() {
    let (recorder, session) = recorded();
    let name = "n".repeat(256);
    let workflow = Workflow::chain::<String>(name.clone()).build();
    session.run(&workflow, "hi").await.unwrap();
    assert_eq!(tree(&recorder), [format!("loom.workflow.run {name}")]);
}

#[tokio::test]
async fn a_nested_workflow_with_a_wrong_name_fails_its_step_and_opens_no_run() {
    let (recorder, session) = recorded();
    let nested = Workflow::chain("ok")
        .then_fn(
            "\u{7f}",
            |_cx, text: String| async move { Ok::<_, Error>(text) },
        )
        .build();
    let workflow = Workflow::chain("outer").then(nested).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        r#"outer/ok: a step: the name "\u{7f}" has a control character"#
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run outer ✗ failed",
            "  loom.workflow.step ok ✗ failed",
        ]
    );
}

#[tokio::test]
async fn a_tool_of_a_workflow_with_a_wrong_name_gives_the_error() {
    async fn act(cx: RunContext, _: ()) -> Result<String> {
        let tool = named("").as_tool().named("act");
        let output = tool.call(&cx, "c1", json!({"input": "hi"})).await?;
        Ok(output.into_text())
    }
    let (_, session) = recorded();
    let error = session.run(&act, ()).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        r#"act/tool:act[c1]: the workflow: the name "" is empty"#
    );
}
