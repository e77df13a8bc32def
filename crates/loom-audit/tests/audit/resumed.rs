//! The rows of a run that pauses, is answered and goes on.

use std::sync::Arc;

use loom_audit::Audit;
use loom_core::{Anchor, MemoryJournal, Result, RunContext, RunError, RunErrorKind, UserId};
use serde_json::{Value, json};

use crate::asked::refund;
use crate::composed::{fixed, fixed_loom};
use crate::rows::{extends, memory, payloads, told};

/// Loads for a customer, then asks: what was loaded is replayed when the run goes on.
pub(crate) async fn order(cx: RunContext, customer: String) -> Result<String> {
    let customer = UserId::new(customer)?;
    let invoice: u64 = cx.acting_as(customer, "load", &load, ()).await?;
    cx.step("confirm", &confirm, invoice).await
}

async fn load(_: RunContext, (): ()) -> Result<u64> {
    Ok(7)
}

async fn confirm(cx: RunContext, invoice: u64) -> Result<String> {
    let sure: bool = cx.ask("sure", format!("Refund invoice {invoice}?")).await?;
    Ok(if sure { "refunded" } else { "kept" }.to_owned())
}

/// The fixed log of a run that paused and went on: 18 entries; and both its anchors.
pub(crate) fn resumed_log() -> (Audit, Vec<Anchor>) {
    let audit = fixed().build().unwrap();
    let loom = fixed_loom(&audit).journal(MemoryJournal::default()).build();
    let session = loom.session("support").id("conv_1");
    let anchors = futures::executor::block_on(async {
        let paused = session.run(&order, "alice").await.unwrap_err();
        let run = paused.report().unwrap();
        let path = &paused.questions()[0].path;
        session.answer(&run.run_id, path, true).await.unwrap();
        let outcome = session.resume(&run.run_id, &order).await.unwrap();
        assert_eq!(outcome.output, "refunded");
        [&run.anchors[..], &outcome.anchors[..]].concat()
    });
    (audit, anchors)
}

#[test]
fn a_run_that_goes_on_says_so_and_which_of_its_rows_are_replayed() {
    let (audit, anchors) = resumed_log();
    let rows = audit.rows();
    let mut words = told(&rows);
    for (word, row) in words.iter_mut().zip(&rows) {
        if row.replayed {
            word.insert_str(0, "again: ");
        }
    }
    assert_eq!(
        words,
        [
            "workflow_started order",
            "step_started load",
            "acting_as load",
            "step_completed load completed",
            "step_started confirm",
            "approval_requested confirm",
            "step_paused confirm paused",
            "workflow_paused order paused",
            "workflow_started order",
            "resumed order",
            "again: step_started load",
            "again: acting_as load",
            "again: step_completed load completed",
            "step_started confirm",
            "approval_granted confirm",
            "step_completed confirm completed",
            "workflow_completed order completed",
        ]
    );
    extends(&audit, &anchors);
    extends(&audit, &anchors[1..]);
    let report = audit.verify();
    assert_eq!((report.events, report.runs, report.users), (17, 2, 2));
}

#[test]
fn a_run_that_goes_on_keeps_its_ids_and_its_users_and_has_new_spans() {
    let rows = resumed_log().0.rows();
    let (before, after) = rows.split_at(8);
    for row in &rows {
        assert_eq!((&row.run, row.trace), (&rows[0].run, rows[0].trace));
        let spans = |rows: &[loom_audit::Row]| rows.iter().any(|it| it.span == row.span);
        assert_ne!(spans(before), spans(after));
    }
    for (index, by) in [
        (1, true),
        (2, true),
        (3, true),
        (10, true),
        (11, true),
        (12, true),
        (13, false),
    ] {
        let user = if by { "alice" } else { "support" };
        assert_eq!(rows[index].user.as_ref().unwrap().as_str(), user);
        let by = by.then_some("support");
        assert_eq!(rows[index].by.as_deref(), by);
    }
    assert_eq!(
        (rows[9].actor.as_str(), rows[9].span),
        ("system", rows[8].span)
    );
}

#[test]
fn payloads_of_a_run_that_goes_on_say_the_question_s_name_and_no_answer() {
    let rows = resumed_log().0.rows();
    assert_eq!(
        payloads(&rows)[4..],
        [
            json!({"in": 1}),
            json!({"question": "sure", "of": "step"}),
            json!({}),
            json!({}),
            json!({"in": 7}),
            json!({"attempt": 2}),
            json!({}),
            json!({"as": "alice"}),
            json!({"out": 1}),
            json!({"in": 1}),
            json!({"question": "sure", "of": "step"}),
            json!({"out": 10}),
            json!({"out": 10}),
        ]
    );
}

#[test]
fn an_own_question_is_refused_by_no_alone() {
    async fn choose(cx: RunContext, (): ()) -> Result<Value> {
        cx.ask("which", "Which one?").await
    }
    for (answer, row) in [
        (json!(false), "approval_refused choose"),
        (json!(true), "approval_granted choose"),
        (json!(0), "approval_granted choose"),
        (json!("false"), "approval_granted choose"),
    ] {
        let audit = memory();
        let loom = fixed_loom(&audit).journal(MemoryJournal::default()).build();
        let session = loom.session("alice").id("conv_1");
        let anchors = futures::executor::block_on(async {
            let paused = session.run(&choose, ()).await.unwrap_err();
            let run = paused.report().unwrap();
            let path = &paused.questions()[0].path;
            let said = session.answer(&run.run_id, path, answer.clone());
            said.await.unwrap();
            let resumed = session.resume(&run.run_id, &choose).await;
            let outcome = resumed.unwrap();
            assert_eq!(outcome.output, answer);
            [&run.anchors[..], &outcome.anchors[..]].concat()
        });
        let rows = audit.rows();
        assert_eq!(
            told(&rows)[3..],
            [
                "workflow_started choose",
                "resumed choose",
                row,
                "workflow_completed choose completed",
            ]
        );
        assert_eq!(
            rows[5].payload,
            Some(json!({"question": "which", "of": "step"}))
        );
        extends(&audit, &anchors);
    }
}

/// Runs a refund in one loom and goes on with it in another, as after a restart; gives how it
/// came out and all anchors.
async fn refunded(audit: &Audit, allowed: bool) -> (Result<String, RunError>, Vec<Anchor>) {
    let journal = Arc::new(MemoryJournal::default());
    let session = || {
        let loom = fixed_loom(audit).journal(journal.clone()).build();
        loom.session("alice").id("conv_1")
    };
    let paused = session().run(&refund, 500_u64).await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    let run = paused.report().unwrap();
    let path = &paused.questions()[0].path;
    session().answer(&run.run_id, path, allowed).await.unwrap();
    let resumed = session().resume(&run.run_id, &refund).await;
    let last = match &resumed {
        Ok(outcome) => outcome.anchors.clone(),
        Err(error) => error.report().unwrap().anchors.clone(),
    };
    let anchors = [&run.anchors[..], &last].concat();
    (resumed.map(|it| it.into_parts().0), anchors)
}

#[test]
fn a_tool_that_waits_for_an_approval_pauses_and_is_called_or_denied_when_the_run_goes_on() {
    let ends = [
        (
            true,
            Ok("paid 500"),
            [
                "approval_granted refund",
                "tool_result refund completed",
                "workflow_completed refund completed",
            ],
        ),
        (
            false,
            Err(RunErrorKind::Denied),
            [
                "approval_refused refund",
                "tool_denied refund denied",
                "workflow_denied refund denied",
            ],
        ),
    ];
    for (allowed, output, end) in ends {
        let audit = memory();
        let (gave, anchors) = futures::executor::block_on(refunded(&audit, allowed));
        assert_eq!(gave.as_deref().map_err(RunError::kind), output);
        let asked = [
            "workflow_started refund",
            "tool_call refund",
            "approval_requested refund",
            "tool_paused refund paused",
            "workflow_paused refund paused",
            "workflow_started refund",
            "resumed refund",
            "tool_call refund",
        ];
        assert_eq!(told(&audit.rows()), [&asked[..], &end].concat());
        extends(&audit, &anchors);
    }
}
