//! The rows of an effect that was begun in an attempt that ended without saying how.

use std::sync::Arc;

use futures::FutureExt;
use loom_audit::{Audit, Detail};
use loom_core::{
    IfUnfinished, Loom, MemoryJournal, Resolution, Result, RunContext, RunErrorKind, Step, Tool,
    ToolOutput,
};
use serde_json::{Value, json};

use crate::composed::{fixed, fixed_loom};
use crate::rows::{extends, told};

fn tool(if_unfinished: IfUnfinished) -> Tool {
    // The first attempt never comes to its end.
    async fn pay(_: Value) -> Result<ToolOutput> {
        std::future::pending().await
    }
    let schema = json!({"type": "object"});
    Tool::with_schema("pay", "Pays.", schema, Step::new(pay)).if_unfinished(if_unfinished)
}

async fn asked(cx: RunContext, (): ()) -> Result<String> {
    let output = tool(IfUnfinished::Ask).call(&cx, "c1", json!({})).await?;
    Ok(output.into_text())
}

async fn failing(cx: RunContext, (): ()) -> Result<String> {
    let output = tool(IfUnfinished::Fail).call(&cx, "c1", json!({})).await?;
    Ok(output.into_text())
}

fn loom(audit: &Audit) -> Loom {
    let journal = Arc::new(MemoryJournal::default());
    fixed_loom(audit).journal(journal).build()
}

const CUT_OFF: [&str; 4] = [
    "workflow_started asked",
    "tool_call pay",
    "tool_cancelled pay cancelled dropped",
    "workflow_cancelled asked cancelled dropped",
];

#[test]
fn an_effect_that_was_cut_off_is_unfinished_and_somebody_says_how_it_ended() {
    let audit = fixed().build().unwrap();
    let session = loom(&audit).session("alice").id("conv_1");
    let mut run = session.run(&asked, ()).id("run_1");
    assert!((&mut run).now_or_never().is_none());
    let run_id = run.handle().run_id().clone();
    drop(run);
    let anchors = futures::executor::block_on(async {
        let paused = session.resume(&run_id, &asked).await.unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused);
        let path = &paused.questions()[0].path;
        let ran = Resolution::Ran(json!("paid 500"));
        session.answer(&run_id, path, ran).await.unwrap();
        let outcome = session.resume(&run_id, &asked).await.unwrap();
        assert_eq!(outcome.output, "paid 500");
        let paused = &paused.report().unwrap().anchors;
        [&paused[..], &outcome.anchors[..]].concat()
    });
    let rows = audit.rows();
    assert_eq!(
        told(&rows),
        [
            &CUT_OFF[..],
            &[
                "workflow_started asked",
                "resumed asked",
                "tool_call pay",
                "unfinished pay",
                "approval_requested pay",
                "tool_paused pay paused",
                "workflow_paused asked paused",
                "workflow_started asked",
                "resumed asked",
                "tool_call pay",
                "unfinished pay",
                "approval_granted pay",
                "tool_result pay completed",
                "workflow_completed asked completed",
            ]
        ]
        .concat()
    );
    assert_eq!(rows[7].payload, Some(json!({"safety": "not_idempotent"})));
    assert_eq!(
        (rows[7].actor.as_str(), rows[7].span),
        ("system", rows[6].span)
    );
    for asked in [&rows[8], &rows[15]] {
        let question = json!({"question": "unfinished", "of": "journal"});
        assert_eq!(asked.payload, Some(question));
    }
    for (row, attempt) in [(&rows[5], 2), (&rows[12], 3)] {
        assert_eq!(row.payload, Some(json!({ "attempt": attempt })));
    }
    assert_eq!(audit.verify().late, []);
    extends(&audit, &anchors);
}

#[test]
fn an_unfinished_effect_that_counts_as_failed_says_so() {
    let audit = fixed().detail(Detail::Full).build().unwrap();
    let session = loom(&audit).session("alice").id("conv_1");
    let mut run = session.run(&failing, ()).id("run_1");
    assert!((&mut run).now_or_never().is_none());
    let run_id = run.handle().run_id().clone();
    drop(run);
    futures::executor::block_on(session.resume(&run_id, &failing)).unwrap_err();
    let rows = audit.rows();
    assert_eq!(
        told(&rows)[6..],
        [
            "tool_call pay",
            "unfinished pay",
            "tool_result pay failed",
            "workflow_failed failing failed",
        ]
    );
    let failed = rows[8].payload.as_ref().unwrap();
    assert_eq!(
        (&failed["kind"], &failed["call"]),
        (&json!("failed"), &json!("c1"))
    );
}
