//! Arguments nested deeper than anybody can look at are told to the model, and the run goes on.

use loom_agent::Reply;
use loom_core::{Limits, Loom, LoomBuilder, MemoryJournal, Result, Tool};
use loom_testing::Recorder;
use serde_json::{Value, json};

use crate::recorded::tree;
use crate::script::{caller, erred, gave};

/// Arguments of this many levels, the object around them included.
fn arguments(levels: usize) -> Value {
    let nested = (1..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    // Not by `json!`, which would write the value anew, as deep as it is.
    Value::Object([("input".to_owned(), nested)].into_iter().collect())
}

async fn look(_: Value) -> Result<String> {
    Ok("seen".to_owned())
}

fn tool() -> Tool {
    Tool::new("look", "Looks at anything.", look)
}

/// Calls the tool with arguments that are too deep and with some that aren't, under a recorder.
async fn too_deep(levels: usize, wire: impl FnOnce(LoomBuilder) -> LoomBuilder) {
    let recorder = Recorder::default();
    let loom = wire(Loom::builder().observe(recorder.clone())).build();
    let calls = Reply::call("look", arguments(levels)).and_call("look", json!({"input": 1}));
    let (agent, shown) = caller(calls, [tool()]);
    let outcome = loom.session("alice").run(&agent, "?").await.unwrap();
    assert_eq!(outcome.output, "done");
    assert_eq!(outcome.usage.tool_calls, 1);
    let [deep, right] = &shown.told()[..] else {
        panic!("{:?}", shown.told());
    };
    assert!(deep.is_error);
    assert!(
        deep.text.starts_with("error: the arguments of \"look\" ")
            && deep
                .text
                .contains("arguments nested deeper than 100 levels"),
        "{deep:?}"
    );
    assert_eq!(*right, gave("c2", "look", "seen"));
    assert_eq!(
        tree(&recorder)[3..5],
        ["    loom.tool look ✗ failed", "    loom.tool look"]
    );
}

#[tokio::test]
async fn arguments_deeper_than_100_levels_are_told_to_the_model() {
    for levels in [101, 200, 2000] {
        too_deep(levels, |loom| loom).await;
    }
}

#[tokio::test]
async fn a_journal_does_not_make_deep_arguments_end_the_run() {
    for levels in [101, 2000] {
        too_deep(levels, |loom| loom.journal(MemoryJournal::default())).await;
    }
}

#[tokio::test]
async fn a_limit_of_tokens_does_not_make_deep_arguments_end_the_run() {
    let limits = Limits::default().with_tokens_max(1_000_000);
    too_deep(2000, |loom| loom.limits(limits)).await;
}

#[tokio::test]
async fn arguments_of_100_levels_are_looked_at() {
    let (agent, shown) = caller(Reply::call("look", arguments(100)), [tool()]);
    let loom = Loom::builder().build();
    loom.session("alice").run(&agent, "?").await.unwrap();
    assert_eq!(shown.told(), [gave("c1", "look", "seen")]);
}

#[tokio::test]
async fn arguments_of_100_levels_are_looked_at_with_a_journal_too() {
    let (agent, shown) = caller(Reply::call("look", arguments(100)), [tool()]);
    let loom = Loom::builder().journal(MemoryJournal::default()).build();
    loom.session("alice").run(&agent, "?").await.unwrap();
    assert_eq!(shown.told(), [gave("c1", "look", "seen")]);
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_told_so_however_deep_its_arguments_are() {
    let (agent, shown) = caller(Reply::call("gone", arguments(2000)), [tool()]);
    let loom = Loom::builder().observe(Recorder::default()).build();
    loom.session("alice").run(&agent, "?").await.unwrap();
    let text = r#"error: there is no tool "gone"; the tools are ["look"]"#;
    assert_eq!(shown.told(), [erred("c1", "gone", text)]);
}
