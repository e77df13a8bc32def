//! Whole lines deleted, moved, doubled, swapped between users or taken from elsewhere.

use loom_audit::{Expected, Report, Verdict, verify};
use loom_core::Loom;

use crate::composed::{composed_log, fixed, fixed_key, refund};

fn report(lines: &[String], expected: &[Expected]) -> Report {
    let log: String = lines.iter().map(|line| format!("{line}\n")).collect();
    verify(log.as_bytes(), &[fixed_key()], expected)
}

#[test]
fn f019_every_line_deleted_is_seen() {
    let audit = composed_log();
    let anchor = Expected::from(audit.anchor());
    for index in 0..audit.lines().len() {
        let mut lines = audit.lines();
        lines.remove(index);
        let last = index == lines.len();
        let with = report(&lines, std::slice::from_ref(&anchor)).verdict;
        let without = report(&lines, &[]).verdict;
        let expected = match last {
            true => (Verdict::Truncated, Verdict::Unanchored),
            false => (Verdict::Forged, Verdict::Forged),
        };
        assert_eq!((with, without), expected, "line {}", index + 1);
    }
}

#[test]
fn f019_every_line_moved_to_anywhere_is_seen() {
    let audit = composed_log();
    for from in 0..audit.lines().len() {
        for to in (0..audit.lines().len()).filter(|to| *to != from) {
            let mut lines = audit.lines();
            let line = lines.remove(from);
            lines.insert(to, line);
            let verdict = report(&lines, &[audit.anchor().into()]).verdict;
            assert_eq!(verdict, Verdict::Forged, "line {from} to {to}");
        }
    }
}

#[test]
fn f019_every_line_doubled_anywhere_is_seen() {
    let audit = composed_log();
    for from in 0..audit.lines().len() {
        for to in 0..=audit.lines().len() {
            let mut lines = audit.lines();
            lines.insert(to, lines[from].clone());
            let verdict = report(&lines, &[audit.anchor().into()]).verdict;
            assert_eq!(verdict, Verdict::Forged, "line {from} also at {to}");
        }
    }
}

#[test]
fn f026_another_user_s_name_in_a_row_is_seen() {
    let audit = composed_log();
    for index in 1..audit.lines().len() {
        let mut lines = audit.lines();
        lines[index] = lines[index].replace("\"user\":\"alice\"", "\"user\":\"bob\"");
        let report = report(&lines, &[audit.anchor().into()]);
        assert_eq!(report.verdict, Verdict::Forged);
        assert_eq!(report.findings[0].line, index as u64 + 1);
        assert_eq!(report.findings[0].what, "its mac fits no given key");
    }
}

#[test]
fn f026_two_users_payloads_swapped_are_seen() {
    let audit = fixed().build().unwrap();
    let loom = Loom::builder().install(audit.clone()).build();
    for user in ["alice", "bob"] {
        futures::executor::block_on(loom.session(user).run(&refund, 7_u64)).unwrap_err();
    }
    let mut lines = audit.lines();
    let seal = |line: &str| {
        line.split_once(",\"salt\"")
            .map(|it| it.1.to_owned())
            .unwrap()
    };
    let (alices, bobs) = (seal(&lines[1]), seal(&lines[5]));
    lines[1] = lines[1].replace(&alices, &bobs);
    let report = report(&lines, &[audit.anchor().into()]);
    assert_eq!(report.verdict, Verdict::Forged);
    assert_eq!(
        report.findings[0].what,
        "its payload isn't the one that was signed"
    );
    assert_eq!(report.users, 2);
}

#[test]
fn f040_a_payload_removed_by_hand_is_seen() {
    let audit = composed_log();
    for index in 0..audit.lines().len() {
        let mut lines = audit.lines();
        let end = lines[index].find(",\"salt\"").unwrap();
        lines[index].replace_range(end.., "}");
        let report = report(&lines, &[audit.anchor().into()]);
        assert_eq!(report.verdict, Verdict::Forged);
        assert_eq!(
            report.findings[0].what,
            "its payload was removed, and no entry says so"
        );
    }
}

#[test]
fn f023_a_line_of_another_log_under_the_same_key_is_seen() {
    let (ours, other) = (
        composed_log(),
        fixed().log_id(uuid::Uuid::from_u128(9)).build().unwrap(),
    );
    let mut lines = ours.lines();
    lines[0] = other.lines().remove(0);
    let report = report(&lines, &[]);
    let verdicts: Vec<_> = report
        .findings
        .iter()
        .map(|it| (it.line, it.verdict))
        .collect();
    assert_eq!(
        verdicts[..2],
        [(2, Verdict::WrongLog), (2, Verdict::Forged)]
    );
    assert_eq!(report.verdict, Verdict::Forged);
}

#[test]
fn what_is_found_shows_no_hostile_key_as_it_is() {
    let mut lines = composed_log().lines();
    let key = format!("\\u001b[2J\u{202e}{}", "x".repeat(1_000_000));
    lines[3] = lines[3].replacen("{\"v\":1", &format!("{{\"v\":1,\"{key}\":1"), 1);
    let report = report(&lines, &[]);
    assert_eq!(report.verdict, Verdict::Forged);
    let what = &report.findings[0].what;
    let start = r"unknown field `\u{1b}[2J\u{202e}xxx";
    assert!(what.starts_with(start) && what.ends_with("x…"), "{what}");
    assert!(what.len() < 220, "{} bytes", what.len());
}

#[test]
fn lines_that_do_not_parse_are_all_counted_and_a_tear_once() {
    let audit = composed_log();
    let anchor = Expected::from(audit.anchor());
    let broken = || std::iter::repeat_n("{".to_owned(), 1500);
    let mut damaged = audit.lines();
    damaged.splice(1..1, broken());
    let counts = |lines: &[String]| {
        let report = report(lines, std::slice::from_ref(&anchor));
        (report.verdict, report.findings.len(), report.findings_more)
    };
    assert_eq!(counts(&damaged), (Verdict::Damaged, 1000, 500));
    damaged.extend(broken());
    assert_eq!(counts(&damaged), (Verdict::Damaged, 1000, 501));
    let torn: Vec<_> = audit.lines().into_iter().chain(broken()).collect();
    assert_eq!(counts(&torn), (Verdict::Torn, 1, 0));
}
