//! A model that calls a tool which isn't there is told what there is.

use loom_agent::Reply;
use loom_core::{Result, Tool, key};
use serde_json::json;

use crate::recorded::{recorded, tree};
use crate::script::{caller, erred, gave};

async fn find(text: String) -> Result<String> {
    Ok(text)
}

fn tools() -> [Tool; 2] {
    ["lookup", "refund"].map(|name| Tool::new(name, "Finds.", find))
}

#[tokio::test]
async fn a_misspelt_tool_gives_the_close_match() {
    let (recorder, session) = recorded();
    let calls = Reply::call("lokup", json!({"input": "a"}))
        .and_call("Lookup", json!({"input": "b"}))
        .and_call("lookup", json!({"input": "c"}));
    let (agent, shown) = caller(calls, tools());
    let outcome = session.run(&agent, "?").await.unwrap();
    assert_eq!(
        shown.told(),
        [
            erred(
                "c1",
                "lokup",
                r#"error: there is no tool "lokup"; did you mean "lookup"? the tools are ["lookup", "refund"]"#
            ),
            erred(
                "c2",
                "Lookup",
                r#"error: there is no tool "Lookup"; did you mean "lookup"? the tools are ["lookup", "refund"]"#
            ),
            gave("c3", "lookup", "c"),
        ]
    );
    assert_eq!(outcome.usage.tool_calls, 1);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool lokup ✗ failed",
            "    loom.tool Lookup ✗ failed",
            "    loom.tool lookup",
            "  loom.turn 1",
            "    loom.model.stream scripted",
        ]
    );
    assert_eq!(recorder.spans()[3].input, Some(json!({"input": "a"})));
}

#[tokio::test]
async fn a_tool_like_no_other_gives_the_whole_list() {
    let (_, session) = recorded();
    let (agent, shown) = caller(Reply::call("delete_everything", json!({})), tools());
    session.run(&agent, "?").await.unwrap();
    let text = r#"error: there is no tool "delete_everything"; the tools are ["lookup", "refund"]"#;
    assert_eq!(shown.told(), [erred("c1", "delete_everything", text)]);
}

#[tokio::test]
async fn a_tool_s_name_is_no_path_into_the_record() {
    let (recorder, session) = recorded();
    let (agent, _) = caller(Reply::call("look/up#2[x]\n", json!({})), []);
    session.run(&agent, "?").await.unwrap();
    assert_eq!(
        recorder.spans()[3].path,
        "agent/turn:0/tool:look%2Fup%232%5Bx%5D%0A[c1]"
    );
}

#[tokio::test]
async fn a_name_and_an_id_of_a_megabyte_are_cut_in_the_record_and_told_apart_by_their_hash() {
    let (recorder, session) = recorded();
    let long = "é".repeat(512 * 1024);
    let mut calls = Reply::default();
    for end in ["a", "b"] {
        calls = calls.and_call(format!("{long}{end}"), json!({}));
    }
    calls.calls[0].id = format!("{long}a").into();
    calls.calls[1].id = format!("{long}b").into();
    let (agent, shown) = caller(calls, tools());
    session.run(&agent, "?").await.unwrap();

    let cut = |hash: &str| format!("{}…#{hash}", "é".repeat(122));
    let hashes = ["45ef7225", "f3c95430"];
    let spans = recorder.spans();
    for (span, hash) in spans[3..5].iter().zip(hashes) {
        let (name, segment) = (cut(hash), cut(hash).replace('#', "%23"));
        assert_eq!(name.len(), 256);
        assert_eq!(span.name, *name);
        assert_eq!(span.path, format!("agent/turn:0/tool:{segment}[{segment}]"));
        assert_eq!(span.attributes.text(key::CALL_ID), Some(&*name));
    }
    // The model finds its results by the ids it gave, and is told only the beginning of the name.
    let told = shown.told();
    assert_eq!(told[1].call_id, *format!("{long}b"));
    assert_eq!(
        told[1].text,
        format!(
            r#"error: there is no tool "{}…"; the tools are ["lookup", "refund"]"#,
            "é".repeat(60)
        )
    );
}
