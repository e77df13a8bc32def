//! What the example says of a file that describes no graph, and how it exits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

use std::process::Command;

/// The exit status and what is told, for this file.
fn graph_from_file(path: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--example", "graph_from_file", "--"])
        .arg(path)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told)
}

#[test]
fn a_broken_file_is_told_everything_that_is_wrong_with_it_at_once() {
    let (status, told) = graph_from_file("graph_from_file/broken.toml");
    assert_eq!(status, Some(2));
    let wrong = told
        .trim_end()
        .strip_prefix("graph_from_file: the graph \"broken\" can't be built: ");
    assert_eq!(
        wrong.unwrap_or(&told).split("; ").collect::<Vec<_>>(),
        [
            r#"the node "classify": no router is registered as "lower" (did you mean "lowercase"?)"#,
            r#"the node "billing": no step is registered as "anwser" (did you mean "answer"?)"#,
            r#"the edge "billing" -> "EDN": there is no node "EDN" (did you mean "END"?)"#,
            r#""classify" has a router and plain edges: it may have one or the other"#,
            r#""tech" leads nowhere: give it an edge, to END for example, or say `.sink("tech")`"#,
        ]
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (status, told) = graph_from_file("nowhere.toml");
    assert_eq!(status, Some(2));
    assert!(
        told.starts_with("graph_from_file: nowhere.toml: "),
        "{told}"
    );
}
