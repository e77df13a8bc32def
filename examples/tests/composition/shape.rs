//! The object of `--json`, key by key and row by row: others read it.

use serde_json::Value;

use crate::{composition, items, object, text};

/// The keys of an object with the sort of each value: `output text`.
fn shape(value: &Value) -> Vec<String> {
    let sort = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    let object = value.as_object().unwrap();
    let mut shape: Vec<String> = object
        .iter()
        .map(|(key, value)| format!("{key} {}", sort(value)))
        .collect();
    shape.sort();
    shape
}

#[test]
fn the_object_has_exactly_these_keys_of_these_sorts() {
    let run = object(&composition(&["--json"], ""));
    assert_eq!(
        shape(&run),
        [
            "anchor text",
            "output text",
            "rows list",
            "run_id text",
            "session_id text",
            "spans list",
            "trace_id text",
            "usage object",
            "verdict text",
            "visited list",
        ]
    );
    assert_eq!(
        shape(&run["usage"]),
        [
            "input_tokens number",
            "model_calls number",
            "output_tokens number",
            "tool_calls number",
        ]
    );
    for (i, span) in items(&run, "spans").iter().enumerate() {
        let parent = if i == 0 {
            "parent_id null"
        } else {
            "parent_id text"
        };
        let keys = [
            "attributes object",
            "end text",
            "label text",
            "name text",
            parent,
        ];
        let more = ["span_id text", "start text", "status text", "trace_id text"];
        assert_eq!(shape(span), [&keys[..], &more[..]].concat(), "{span}");
    }
    for row in items(&run, "rows") {
        let sort = |given: bool| if given { "text" } else { "null" };
        let is_closing = !text(row, "action").ends_with("_started") && row["action"] != "tool_call";
        let is_of_the_root = row["run"] == run["run_id"];
        let is_root = row["span"] == items(&run, "spans")[0]["span_id"];
        let expected = [
            "action text".to_owned(),
            "actor text".to_owned(),
            format!("end {}", sort(is_closing)),
            "name text".to_owned(),
            format!("parent_run {}", sort(!is_of_the_root)),
            format!("parent_span {}", sort(!is_root)),
            "payload object".to_owned(),
            "replayed null".to_owned(),
            "run text".to_owned(),
            "seq number".to_owned(),
            "session text".to_owned(),
            "span text".to_owned(),
            "trace text".to_owned(),
            "user text".to_owned(),
            "why null".to_owned(),
        ];
        assert_eq!(shape(row), expected, "{row}");
    }
}

#[test]
fn the_object_of_a_run_that_failed_has_an_error_instead_of_an_output() {
    let run = object(&composition(&["--json", "refund INV-1-1 and INV-2-2"], ""));
    assert_eq!(
        shape(&run),
        [
            "anchor text",
            "error object",
            "output null",
            "rows list",
            "run_id text",
            "session_id text",
            "spans list",
            "trace_id text",
            "usage object",
            "verdict text",
            "visited list",
        ]
    );
    assert_eq!(
        run["error"],
        serde_json::json!({
            "kind": "invalid",
            "message": "one invoice at a time, please: INV-1-1, INV-2-2",
            "path": "gated_action/gate",
        })
    );
}

#[test]
fn the_18_rows_are_each_of_their_run_and_its_parent() {
    let run = object(&composition(&["--json"], ""));
    let rows = items(&run, "rows");
    // The runs by the number of the row that begins them.
    let of = |row: usize| rows[row - 1]["run"].as_str();
    let (root, agent, action) = (of(1), of(5), of(7));
    assert_eq!(root, run["run_id"].as_str());
    let said: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                text(row, "action"),
                row["run"].as_str(),
                row["parent_run"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("workflow_started", root, None),
            ("step_started", root, None),
            ("step_completed", root, None),
            ("step_started", root, None),
            ("run_started", agent, root),
            ("tool_call", agent, root),
            ("workflow_started", action, agent),
            ("step_started", action, agent),
            ("step_completed", action, agent),
            ("step_started", action, agent),
            ("step_completed", action, agent),
            ("workflow_completed", action, agent),
            ("tool_result", agent, root),
            ("run_completed", agent, root),
            ("step_completed", root, None),
            ("step_started", root, None),
            ("step_completed", root, None),
            ("workflow_completed", root, None),
        ]
    );
}
