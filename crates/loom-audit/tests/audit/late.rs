//! Rows that say something of what was over: listed with any verdict, and never in an honest log.

use loom_audit::{Audit, Detail, LateRow, Report, Verdict, verify};
use loom_core::{
    Branch, Limits, LoomBuilder, MemoryJournal, Result, RunContext, RunError, RunErrorKind,
};

use crate::composed::{composed_log, fixed, fixed_key, fixed_loom, run_composed, small_log};
use crate::resumed::{order, resumed_log};
use crate::rows::{memory, told};
use crate::signed::signed_anew;

const SPAN: &str = "its span had closed";
const RUN: &str = "its run had closed and wasn't resumed";

/// What is found in a log of these lines, numbered and signed anew.
fn crafted(lines: &[String]) -> Report {
    let numbered: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let (before, rest) = line.split_once("\"seq\":").unwrap();
            let (_, rest) = rest.split_once(",\"ts\"").unwrap();
            format!("{before}\"seq\":{},\"ds\":{index},\"ts\"{rest}", index + 1)
        })
        .collect();
    verify(signed_anew(&numbered).as_bytes(), &[fixed_key()], &[])
}

/// `seq action name: what`
fn late(report: &Report) -> Vec<String> {
    let line = |row: &LateRow| format!("{} {} {}: {}", row.seq, row.action, row.name, row.what);
    report.late.iter().map(line).collect()
}

/// The line of a row as that of a retry of the same effect.
fn as_retry(line: &str) -> String {
    let action = "\"actor\":\"workflow\",\"action\":\"step_started\"";
    assert!(line.contains(action), "{line}");
    line.replace(action, "\"actor\":\"system\",\"action\":\"retry\"")
}

fn at_another_span(line: &str) -> String {
    let (before, rest) = line.split_once("\"span\":\"").unwrap();
    format!("{before}\"span\":\"00000000000000aa{}", &rest[16..])
}

#[test]
fn a_row_about_a_span_that_had_closed_is_late_and_changes_no_verdict() {
    let mut lines = composed_log().lines();
    lines.insert(4, as_retry(&lines[2]));
    let report = crafted(&lines);
    assert_eq!(late(&report), [format!("5 retry gate: {SPAN}")]);
    assert_eq!((report.verdict, report.late_more), (Verdict::Unanchored, 0));
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(
        (&report.late[0].run, report.late[0].span),
        (&composed_log().rows()[1].run, composed_log().rows()[1].span)
    );
}

#[test]
fn a_row_of_a_span_that_is_still_open_is_not_late() {
    let mut lines = composed_log().lines();
    lines.insert(3, as_retry(&lines[2]));
    assert_eq!(late(&crafted(&lines)), [""; 0]);
}

#[test]
fn rows_of_a_run_after_its_root_had_closed_are_late() {
    let mut lines = composed_log().lines();
    for index in [2, 3] {
        lines.push(at_another_span(&lines[index]));
    }
    let report = crafted(&lines);
    assert_eq!(
        late(&report),
        [
            format!("20 step_started gate: {RUN}"),
            format!("21 step_completed gate: {RUN}"),
        ]
    );
    assert_eq!(report.verdict, Verdict::Unanchored);
}

#[test]
fn rows_of_a_nested_run_are_late_after_its_root_had_closed() {
    let mut lines = composed_log().lines();
    // A step of the workflow in the agent.
    lines.push(at_another_span(&lines[8]));
    assert_eq!(
        late(&crafted(&lines)),
        [format!("20 step_started authorize: {RUN}")]
    );
}

#[test]
fn a_span_that_is_closed_twice_is_late_and_forged() {
    let mut lines = composed_log().lines();
    lines.insert(4, lines[3].clone());
    let report = crafted(&lines);
    assert_eq!(late(&report), [format!("5 step_completed gate: {SPAN}")]);
    assert_eq!(report.verdict, Verdict::Forged);
}

#[test]
fn a_second_attempt_that_does_not_say_so_is_late_from_its_opening_on() {
    let mut lines = resumed_log().0.lines();
    assert!(lines[10].contains("\"action\":\"resumed\""));
    assert_eq!(late(&crafted(&lines)), [""; 0]);
    let resumed = lines.remove(10);
    let without = late(&crafted(&lines));
    assert_eq!(without.len(), 8, "{without:?}");
    assert_eq!(without[0], format!("10 workflow_started order: {RUN}"));
    assert_eq!(without[7], format!("17 workflow_completed order: {RUN}"));
    // Said later, it explains what follows, and neither the opening nor what came in between.
    lines.insert(12, resumed);
    assert_eq!(late(&crafted(&lines)).len(), 3);
}

#[test]
fn a_row_of_an_earlier_attempt_s_span_is_late_after_the_run_was_resumed() {
    let mut lines = resumed_log().0.lines();
    lines.insert(11, as_retry(&lines[2]));
    assert_eq!(late(&crafted(&lines)), [format!("12 retry load: {SPAN}")]);
}

#[test]
fn a_log_that_ends_after_an_opening_has_no_late_row() {
    let mut lines = resumed_log().0.lines();
    lines.truncate(10);
    let report = crafted(&lines);
    assert_eq!(late(&report), [""; 0]);
    assert_eq!(report.open.len(), 1);
}

#[test]
fn what_a_crash_left_open_is_closed_by_the_row_of_the_next_attempt() {
    let mut lines = resumed_log().0.lines();
    let closings: Vec<String> = lines.drain(7..9).collect();
    assert!(closings[1].contains("workflow_paused"), "{closings:?}");
    assert_eq!(crafted(&lines[..8]).open.len(), 3);
    let report = crafted(&lines);
    assert_eq!((report.open.len(), late(&report).len()), (0, 0));
    assert_eq!(report.verdict, Verdict::Unanchored);

    // A worker that was taken over closes its own spans all the same, during the next attempt or
    // after it.
    for at in [10, lines.len()] {
        let mut lines = lines.clone();
        lines.splice(at..at, closings.clone());
        let report = crafted(&lines);
        assert_eq!((report.open.len(), late(&report)), (0, vec![]), "{at}");
        assert_eq!(report.verdict, Verdict::Unanchored, "{report:?}");
    }
}

#[test]
fn no_more_than_a_thousand_late_rows_are_listed_and_the_rest_are_counted() {
    let mut lines = small_log().lines();
    let row = as_retry(&lines[2]);
    lines.extend(vec![row; 1002]);
    let report = crafted(&lines);
    assert_eq!((report.late.len(), report.late_more), (1000, 2));
}

#[test]
fn after_a_line_that_cannot_be_read_nothing_is_late_by_what_was_before_it() {
    let log = String::from_utf8(resumed_log().0.bytes()).unwrap();
    // The row that says that the second attempt is one.
    let lost = log.replacen("\"action\":\"resumed\"", "x", 1);
    assert_ne!(lost, log);
    let report = verify(lost.as_bytes(), &[fixed_key()], &[]);
    assert_eq!(report.verdict, Verdict::Damaged);
    assert_eq!(late(&report), [""; 0]);
}

/// Runs a step that asks, and what comes of it.
struct Asked {
    audit: Audit,
    loom: loom_core::Loom,
    session: loom_core::Session,
    paused: RunError,
}

fn asked(with: impl FnOnce(LoomBuilder) -> LoomBuilder) -> Asked {
    let audit = fixed().detail(Detail::Full).build().unwrap();
    let loom = fixed_loom(&audit).journal(MemoryJournal::default());
    let loom = with(loom).build();
    let session = loom.session("support").id("conv_1");
    let paused = futures::executor::block_on(session.run(&order, "alice")).unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    Asked {
        audit,
        loom,
        session,
        paused,
    }
}

fn is_honest(audit: &Audit) {
    let report = audit.verify();
    assert_eq!(report.verdict, Verdict::Ok, "{report:?}");
    assert_eq!((report.late, report.open), (vec![], vec![]));
}

#[test]
fn logs_of_runs_that_end_in_every_way_have_no_late_row() {
    is_honest(&composed_log());
    is_honest(&small_log());
    is_honest(&resumed_log().0);
    let full = fixed().detail(Detail::Full).build().unwrap();
    run_composed(&full);
    is_honest(&full);
}

#[test]
fn a_paused_run_that_is_cancelled_has_no_late_row() {
    let it = asked(|loom| loom);
    let run_id = it.paused.report().unwrap().run_id.clone();
    let scope = it.session.scope().unwrap();
    futures::executor::block_on(it.loom.cancel(&scope, &run_id)).unwrap();
    assert_eq!(
        told(&it.audit.rows())[8..],
        [
            "workflow_started order",
            "resumed order",
            "workflow_cancelled order cancelled requested",
        ]
    );
    is_honest(&it.audit);
}

#[test]
fn a_run_that_resumes_itself_has_no_late_row() {
    let audit = memory();
    let loom = fixed_loom(&audit).journal(MemoryJournal::default()).build();
    let session = loom.session("alice").id("conv_1");
    let desk = session.clone();
    // Asks in one branch, and is answered in another.
    let answered = move |cx: RunContext, (): ()| {
        let desk = desk.clone();
        async move {
            let asking = Branch::new(|cx| async move { cx.ask("sure", "Sure?").await });
            let answering = Branch::new(|cx| async move {
                let said = desk.answer(cx.run_id(), "function/[0]/sure", true);
                Ok(said.await.is_ok())
            });
            cx.join(2, [asking, answering]).await
        }
    };
    let outcome = futures::executor::block_on(session.run(&answered, ())).unwrap();
    assert_eq!(outcome.output, [true, false]);
    assert_eq!(
        told(&audit.rows()),
        [
            "workflow_started function",
            "approval_requested function",
            "workflow_paused function paused",
            "workflow_started function",
            "resumed function",
            "approval_granted function",
            "workflow_completed function completed",
        ]
    );
    is_honest(&audit);
}

#[test]
fn an_attempt_that_a_limit_refuses_has_no_late_row() {
    let it = asked(|loom| loom);
    let run_id = it.paused.report().unwrap().run_id.clone();
    let path = &it.paused.questions()[0].path;
    let limits = Limits::default().with_effects_max(0);
    let ended = futures::executor::block_on(async {
        it.session.answer(&run_id, path, true).await.unwrap();
        it.session.resume(&run_id, &order).limits(limits).await
    });
    assert_eq!(ended.unwrap_err().kind(), RunErrorKind::Interrupted);
    assert_eq!(told(&it.audit.rows())[8..], ["limit_reached order"]);
    is_honest(&it.audit);
}

#[test]
fn what_a_context_does_after_its_run_is_not_recorded() {
    use std::sync::{Arc, Mutex};

    let kept: Arc<Mutex<Option<RunContext>>> = Arc::default();
    let keep = {
        let kept = kept.clone();
        move |cx: RunContext, (): ()| {
            *kept.lock().unwrap() = Some(cx);
            async { Ok::<_, loom_core::Error>(()) }
        }
    };
    async fn nothing(_: ()) -> Result<()> {
        Ok(())
    }
    let audit = memory();
    let session = fixed_loom(&audit).build().session("alice");
    futures::executor::block_on(session.run(&keep, ())).unwrap();
    let cx = kept.lock().unwrap().take().unwrap();
    let refused = futures::executor::block_on(cx.step("more", &nothing, ()));
    assert!(refused.is_err());
    let _ = cx.limit_reached("turns_max", 1);
    assert_eq!(audit.rows().len(), 2);
    is_honest(&audit);
}
