//! What anchors prove, and what can't be said without one.

use loom_audit::{Audit, AuditKey, Expected, Verdict, verify};
use loom_core::Loom;

use crate::composed::{composed_log, fixed, fixed_key, refund, run_composed, small_log};

fn verdict(log: &[u8], expected: &[Expected]) -> Verdict {
    verify(log, &[fixed_key()], expected).verdict
}

fn run_refund(audit: &Audit) {
    let loom = Loom::builder().install(audit.clone()).build();
    futures::executor::block_on(loom.session("bob").run(&refund, 7_u64)).unwrap_err();
}

#[test]
fn an_honest_log_is_ok_with_its_anchor_and_unanchored_without() {
    let audit = composed_log();
    run_refund(&audit);
    let report = verify(&audit.bytes(), &[fixed_key()], &[audit.anchor().into()]);
    assert_eq!(report, audit.verify());
    assert_eq!(report.verdict, Verdict::Ok);
    assert_eq!(report.findings, []);
    assert_eq!(report.open, []);
    assert_eq!(
        (
            report.size,
            report.anchored,
            report.entries,
            report.events,
            report.users,
            report.runs
        ),
        (23, 23, 23, 22, 2, 4)
    );
    assert_eq!(
        (report.log, report.head),
        (Some(audit.anchor().log), audit.anchor().head)
    );

    let without = verify(&audit.bytes(), &[fixed_key()], &[]);
    let found: Vec<String> = without.findings.iter().map(ToString::to_string).collect();
    let end = audit.bytes().len();
    assert_eq!(
        found,
        [format!(
            "unanchored: line 24, byte {end}: nothing says how far it should go"
        )]
    );
}

#[test]
fn a_log_that_grew_still_extends_its_older_anchors() {
    let audit = composed_log();
    let older = audit.anchor();
    run_refund(&audit);
    let both = [Expected::from(&older), audit.anchor().into()];
    assert_eq!(verdict(&audit.bytes(), &both), Verdict::Ok);
    let report = verify(&audit.bytes(), &[fixed_key()], &both[..1]);
    assert_eq!(
        (report.verdict, report.anchored, report.size),
        (Verdict::Ok, 19, 23)
    );
}

#[test]
fn f020_a_tail_cut_between_entries_is_truncated_with_an_anchor_and_never_ok_without() {
    let audit = composed_log();
    let lines = audit.lines();
    for kept in 0..lines.len() {
        let cut: String = lines[..kept]
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            verdict(cut.as_bytes(), &[audit.anchor().into()]),
            Verdict::Truncated
        );
        assert_eq!(verdict(cut.as_bytes(), &[]), Verdict::Unanchored);
    }
}

#[test]
fn f021_an_emptied_log_is_truncated_with_an_anchor_and_unanchored_without() {
    assert_eq!(
        verdict(&[], &[composed_log().anchor().into()]),
        Verdict::Truncated
    );
    assert_eq!(verdict(&[], &[]), Verdict::Unanchored);
}

#[test]
fn f022_an_older_copy_is_truncated_against_a_later_anchor() {
    let audit = composed_log();
    let copy = audit.bytes();
    run_refund(&audit);
    assert_eq!(verdict(&copy, &[audit.anchor().into()]), Verdict::Truncated);
}

#[test]
fn f032_two_logs_that_went_apart_are_forked_where_their_anchors_meet() {
    let (left, right) = (fixed().build().unwrap(), fixed().build().unwrap());
    assert_eq!(left.bytes(), right.bytes());
    run_composed(&left);
    run_refund(&right);
    assert_eq!(
        verdict(&left.bytes(), &[right.anchor().into()]),
        Verdict::Forked
    );
    assert_eq!(
        verdict(&right.bytes(), &[right.anchor().into()]),
        Verdict::Ok
    );
    // Without the log's id it is the head alone that differs.
    let bare: Expected = format!("5:{}", right.anchor().head).parse().unwrap();
    assert_eq!(verdict(&left.bytes(), &[bare]), Verdict::Forked);
}

#[test]
fn f023_another_log_under_the_same_key_is_the_wrong_log() {
    let other = fixed().log_id(uuid::Uuid::from_u128(7)).build().unwrap();
    run_composed(&other);
    assert_eq!(
        verdict(&other.bytes(), &[composed_log().anchor().into()]),
        Verdict::WrongLog
    );
}

#[test]
fn a_log_under_another_key_can_not_be_checked() {
    let log = composed_log();
    let other = AuditKey::from_bytes(&[9; 32]).unwrap();
    let report = verify(
        &log.bytes(),
        std::slice::from_ref(&other),
        &[log.anchor().into()],
    );
    assert_eq!(
        (report.verdict, report.findings.len()),
        (Verdict::WrongKey, 1)
    );
    assert_eq!(verify(&log.bytes(), &[], &[]).verdict, Verdict::WrongKey);
    let keys = [other, fixed_key()];
    assert_eq!(
        verify(&log.bytes(), &keys, &[log.anchor().into()]).verdict,
        Verdict::Ok
    );
}

#[test]
fn what_was_opened_and_never_closed_is_listed() {
    let audit = composed_log();
    let log: String = audit.lines()[..9]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    let report = verify(log.as_bytes(), &[fixed_key()], &[]);
    let open: Vec<_> = report
        .open
        .iter()
        .map(|it| (it.seq, it.action.as_str(), it.name.as_str()))
        .collect();
    assert_eq!(
        open,
        [
            (2, "workflow_started", "gated_action"),
            (5, "step_started", "agent_node"),
            (6, "run_started", "helper"),
            (7, "tool_call", "action"),
            (8, "workflow_started", "action"),
            (9, "step_started", "authorize"),
        ]
    );
}

#[test]
fn a_log_shared_by_two_looms_with_the_same_ids_is_whole() {
    let audit = fixed().build().unwrap();
    run_composed(&audit);
    run_composed(&audit);
    assert_eq!(audit.verify().verdict, Verdict::Ok);
    let twice = fixed().build().unwrap();
    let loom = Loom::builder()
        .install(twice.clone())
        .install(twice.clone())
        .build();
    futures::executor::block_on(loom.session("alice").run(&refund, 7_u64)).unwrap_err();
    assert_eq!(
        (twice.verify().verdict, twice.rows().len()),
        (Verdict::Ok, 8)
    );
}

#[test]
fn verdicts_stand_worst_first_and_have_their_exit_codes() {
    let codes = [
        (Verdict::WrongKey, 2),
        (Verdict::Forged, 1),
        (Verdict::Forked, 1),
        (Verdict::Damaged, 1),
        (Verdict::Truncated, 1),
        (Verdict::WrongLog, 1),
        (Verdict::Torn, 3),
        (Verdict::Unanchored, 3),
        (Verdict::Ok, 0),
    ];
    assert!(codes.is_sorted_by_key(|it| it.0));
    assert_eq!(codes.map(|it| it.0.exit_code()), codes.map(|it| it.1));
    assert_eq!(small_log().verify().verdict.to_string(), "ok");
}

#[test]
fn a_head_in_upper_case_is_the_same_head() {
    let audit = composed_log();
    let mut expected = Expected::from(audit.anchor());
    expected.head = expected.head.to_uppercase();
    let report = verify(&audit.bytes(), &[fixed_key()], &[expected]);
    assert_eq!((report.verdict, report.anchored), (Verdict::Ok, 19));
}

#[test]
fn several_anchors_of_one_size_are_each_held_against_the_log() {
    let audit = composed_log();
    let right = Expected::from(audit.anchor());
    let mut wrong = right.clone();
    wrong.head = "ab".repeat(32);
    let both = [right.clone(), wrong];
    assert_eq!(verdict(&audit.bytes(), &both), Verdict::Forked);
    assert_eq!(
        verdict(&audit.bytes(), &[right.clone(), right]),
        Verdict::Ok
    );
}
