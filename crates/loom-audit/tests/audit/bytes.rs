//! The format, byte for byte.

use crate::composed::{composed_log, small_log};
use crate::resumed::resumed_log;

#[test]
fn the_log_of_a_fixed_run_is_these_bytes() {
    assert_eq!(
        composed_log().lines(),
        lines(include_str!("composed_run.jsonl"))
    );
    assert_eq!(small_log().lines(), lines(include_str!("small_run.jsonl")));
    assert_eq!(
        resumed_log().0.lines(),
        lines(include_str!("resumed_run.jsonl"))
    );
}

fn lines(file: &str) -> Vec<&str> {
    file.lines().collect()
}

#[test]
fn lines_end_in_a_line_feed_and_hold_no_other() {
    let audit = composed_log();
    let text = String::from_utf8(audit.bytes()).unwrap();
    assert_eq!(text, audit.lines().join("\n") + "\n");
    assert_eq!(audit.anchor().size, 19);
}
