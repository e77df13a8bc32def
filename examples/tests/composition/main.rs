//! The composed run as the command shows it: `cargo run --example composition -- --json`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

mod shape;

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the example with these arguments and this standard input.
fn composition(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--example", "composition", "--"])
        .args(arguments);
    command
}

fn object(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(&text).unwrap()
}

fn items<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object[name].as_array().unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The spans as lines, each checked to be of the run's trace and user.
fn checked_tree(run: &Value) -> Vec<String> {
    let spans = items(run, "spans");
    let labels: HashMap<&str, &str> = spans
        .iter()
        .map(|it| (text(it, "span_id"), text(it, "label")))
        .collect();
    let mut tree = Vec::new();
    for span in spans {
        let attributes = &span["attributes"];
        assert_eq!(span["trace_id"], run["trace_id"]);
        assert_eq!(
            (text(attributes, "user_id"), text(span, "status")),
            ("bob", "completed")
        );
        assert_eq!(attributes["session_id"], run["session_id"]);
        assert!(text(attributes, "run_id").starts_with(text(run, "run_id")));
        assert!(text(span, "start") <= text(span, "end"));
        let parent = span["parent_id"].as_str().map_or("-", |it| labels[it]);
        tree.push(format!(
            "{} {} < {parent} [{}]",
            text(span, "name"),
            text(span, "label"),
            text(attributes, "pattern")
        ));
    }
    tree
}

/// Every row is of the run's trace and user, and has its span.
fn check_rows(run: &Value) {
    let spans: Vec<&str> = items(run, "spans")
        .iter()
        .map(|it| text(it, "span_id"))
        .collect();
    for row in items(run, "rows") {
        assert_eq!(
            (text(row, "user"), &row["session"], &row["trace"]),
            ("bob", &run["session_id"], &run["trace_id"])
        );
        assert!(
            spans.contains(&text(row, "span")),
            "a row without its span: {row}"
        );
    }
}

#[test]
fn the_object_shows_one_trace_of_one_user_with_all_spans_and_rows() {
    let output = composition(
        &["--user", "bob", "--json", "-"],
        "please refund INV-2026-0007\n",
    );
    assert!(output.status.success(), "{output:?}");
    let run = object(&output);
    assert_eq!(
        run["output"],
        "It is done: refunded invoice INV-2026-0007 under RF-2026-0007."
    );
    assert_eq!(
        run["visited"],
        serde_json::json!(["gate", "agent_node", "log_completion"])
    );
    assert_eq!(run["verdict"], "Ok");
    assert_eq!(
        (&run["usage"]["model_calls"], &run["usage"]["tool_calls"]),
        (&2.into(), &1.into())
    );
    assert_eq!(text(&run, "anchor").split_once(':').unwrap().0, "19");

    let tree = checked_tree(&run);
    assert_eq!(
        tree,
        [
            "loom.workflow.run gated_action < - [workflow]",
            "loom.workflow.step gate < gated_action [workflow]",
            "loom.workflow.step agent_node < gated_action [workflow]",
            "loom.run agent < agent_node [agent]",
            "loom.turn 0 < agent [agent]",
            "loom.model.stream refund-desk < 0 [agent]",
            "loom.tool action < 0 [agent]",
            "loom.workflow.run action < action [workflow]",
            "loom.workflow.step authorize < action [workflow]",
            "loom.workflow.step execute < action [workflow]",
            "loom.turn 1 < agent [agent]",
            "loom.model.stream refund-desk < 1 [agent]",
            "loom.workflow.step log_completion < gated_action [workflow]",
        ]
    );
    check_rows(&run);
    assert_eq!(items(&run, "rows").len(), 18);
}

#[test]
fn without_an_invoice_number_the_agent_refuses_and_calls_nothing() {
    let run = object(&composition(&["--json", "I want my money back."], ""));
    assert!(text(&run, "output").starts_with("I'm sorry"));
    assert_eq!(run["usage"]["tool_calls"], 0);
}

#[test]
fn a_run_that_fails_still_shows_its_record_and_exits_with_1() {
    let output = composition(&["--json", "refund INV-1-1 and INV-2-2"], "");
    assert_eq!(output.status.code(), Some(1));
    let run = object(&output);
    assert_eq!(
        run["error"]["message"],
        "one invoice at a time, please: INV-1-1, INV-2-2"
    );
    assert_eq!(run["output"], Value::Null);
    assert_eq!(run["verdict"], "Ok");
    let statuses: Vec<&str> = items(&run, "spans")
        .iter()
        .map(|it| text(it, "status"))
        .collect();
    assert_eq!(statuses, ["failed", "failed"]);
    let actions: Vec<&str> = items(&run, "rows")
        .iter()
        .map(|it| text(it, "action"))
        .collect();
    assert_eq!(
        actions,
        [
            "workflow_started",
            "step_started",
            "step_failed",
            "workflow_failed"
        ]
    );
}

#[test]
fn bad_input_exits_with_2_and_says_what_is_wrong() {
    let told = |arguments: &[&str], input: &str| {
        let output = composition(arguments, input);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        let said = String::from_utf8(output.stderr).unwrap();
        said.lines()
            .next_back()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        told(&["-"], " \n"),
        "composition: the text is empty: say what you want"
    );
    assert_eq!(
        told(&["--user", "", "hi"], ""),
        r#"composition: the user id "" is empty"#
    );
    for option in ["--loud", "-h", "-j"] {
        assert_eq!(
            told(&[option, "hi"], ""),
            format!("composition: there is no option {option:?}, only --user and --json")
        );
    }
    assert_eq!(
        told(&["--user", "--json", "hi"], ""),
        r#"composition: --user needs a name, not "--json""#
    );
    assert_eq!(told(&["--user"], ""), "composition: --user needs a name");
    assert_eq!(
        told(&["two", "texts"], ""),
        "composition: more than one text: put it in quotes"
    );
}

#[test]
fn after_two_dashes_all_is_text() {
    let run = object(&composition(&["--json", "--", "-h INV-2026-0007"], ""));
    assert_eq!(
        run["output"],
        "What can I do about invoice INV-2026-0007? I can refund it."
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_record_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = command(&["--json"]).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("composition: can't write the record: "),
        "{said}"
    );
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let mut child = command(&["--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
