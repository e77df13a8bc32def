//! The same verification by somebody else's tool: twenty lines of Python.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::composed::{KEY_HEX, composed_log};
use crate::resumed::resumed_log;

/// What `verify_by_hand.py` says of a log; `None` where there is no Python to ask.
fn by_hand(log: &[u8]) -> Option<Output> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_by_hand.py");
    let python = Command::new("python3")
        .args([script, KEY_HEX])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut python = match python {
        Ok(python) => python,
        Err(e) => {
            assert!(!python_is_due_from_env(), "python3 is missing: {e}");
            eprintln!("not checked by hand: python3 is missing ({e})");
            return None;
        }
    };
    // It stops reading at the first fault.
    let _ = python.stdin.take().unwrap().write_all(log);
    Some(python.wait_with_output().unwrap())
}

/// Where everything must be checked, nothing is passed over in silence.
fn python_is_due_from_env() -> bool {
    std::env::var_os("CI").is_some()
}

#[test]
fn a_stranger_finds_the_same_size_and_head() {
    for audit in [composed_log(), resumed_log().0] {
        let Some(output) = by_hand(&audit.bytes()) else {
            return;
        };
        let anchor = audit.anchor();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("{}:{}\n", anchor.size, anchor.head)
        );
    }
}

#[test]
fn a_stranger_finds_a_payload_that_was_edited() {
    let log = String::from_utf8(composed_log().bytes()).unwrap();
    let edited = log.replacen("\"out\":12", "\"out\":13", 1);
    let Some(output) = by_hand(edited.as_bytes()) else {
        return;
    };
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("the payload of entry 4 isn't the one that was signed"),
        "{said}"
    );
}
