//! The rows of asking somebody whether a tool may be called, and of what they said.

use loom_audit::{Audit, Detail};
use loom_core::{
    Anchor, Approval, Approver, Effect, EffectView, Gate, LoomBuilder, Question, Result,
    RunContext, RunErrorKind, Step, Tool, ToolOutput, Verdict,
};
use serde_json::{Value, json};

use crate::composed::{fixed, fixed_loom};
use crate::rows::{extends, memory, payloads, told};

/// Answers all questions alike.
struct Desk(Approval);

impl Approver for Desk {
    async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
        self.0.clone()
    }
}

fn refusing() -> Desk {
    Desk(Approval::Refused("too much for this desk".into()))
}

/// Calls a destructive tool.
pub(crate) async fn refund(cx: RunContext, cents: u64) -> Result<String> {
    async fn pay(args: Value) -> Result<ToolOutput> {
        Ok(ToolOutput::Text(format!("paid {}", args["cents"])))
    }
    let schema = json!({"type": "object"});
    let tool = Tool::with_schema("refund", "Refunds.", schema, Step::new(pay)).destructive();
    Ok(tool
        .call(&cx, "c1", json!({"cents": cents}))
        .await?
        .into_text())
}

/// Runs a refund that is allowed; gives its anchors.
fn refunded(loom: LoomBuilder) -> Vec<Anchor> {
    let session = loom.build().session("alice").id("conv_1");
    let outcome = futures::executor::block_on(session.run(&refund, 500_u64)).unwrap();
    outcome.anchors.clone()
}

/// Runs a refund that is denied; gives its anchors.
fn denied(loom: LoomBuilder) -> Vec<Anchor> {
    let session = loom.build().session("alice").id("conv_1");
    let error = futures::executor::block_on(session.run(&refund, 500_u64)).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Denied);
    error.report().unwrap().anchors.clone()
}

#[test]
fn an_approval_that_is_granted_has_its_question_and_its_answer_before_the_result() {
    let audit = memory();
    let anchors = refunded(fixed_loom(&audit).approver(Desk(Approval::Granted)));
    let rows = audit.rows();
    assert_eq!(
        told(&rows),
        [
            "workflow_started refund",
            "tool_call refund",
            "approval_requested refund",
            "approval_granted refund",
            "tool_result refund completed",
            "workflow_completed refund completed",
        ]
    );
    assert_eq!(
        payloads(&rows)[1..5],
        [
            json!({
                "call": "c1",
                "bytes": 13,
                "destructive": true,
                // hmac.new(hkdf(key, "loom-audit/1 digest"), b"500", sha256)
                "args": {"cents": "59939c4a586bf355"},
            }),
            json!({"question": "permissions", "of": "gate"}),
            json!({"question": "permissions", "of": "gate"}),
            json!({"call": "c1", "out": 10}),
        ]
    );
    for row in &rows[2..4] {
        assert_eq!((row.actor.as_str(), row.span), ("gate", rows[1].span));
        assert_eq!(row.parent_span, Some(rows[0].span));
    }
    extends(&audit, &anchors);
}

#[test]
fn an_approval_that_is_refused_has_its_question_and_its_answer_before_the_denial() {
    let audit = memory();
    let anchors = denied(fixed_loom(&audit).approver(refusing()));
    let rows = audit.rows();
    assert_eq!(
        told(&rows),
        [
            "workflow_started refund",
            "tool_call refund",
            "approval_requested refund",
            "approval_refused refund",
            "tool_denied refund denied",
            "workflow_denied refund denied",
        ]
    );
    assert_eq!(
        payloads(&rows)[2..],
        [
            json!({"question": "permissions", "of": "gate"}),
            json!({"question": "permissions", "of": "gate"}),
            json!({"call": "c1", "kind": "denied"}),
            json!({"kind": "denied"}),
        ]
    );
    assert_eq!(rows[3].actor, "gate");
    extends(&audit, &anchors);
}

#[test]
fn a_tool_nobody_can_be_asked_for_is_denied_without_a_question() {
    let audit = memory();
    let anchors = denied(fixed_loom(&audit));
    let rows = audit.rows();
    assert_eq!(
        told(&rows),
        [
            "workflow_started refund",
            "tool_call refund",
            "permission_denied refund",
            "tool_denied refund denied",
            "workflow_denied refund denied",
        ]
    );
    assert_eq!(rows[2].payload, Some(json!({"gate": "permissions"})));
    assert_eq!(
        (rows[2].actor.as_str(), rows[2].span),
        ("gate", rows[1].span)
    );
    extends(&audit, &anchors);
}

/// Wants somebody asked about everything.
struct Careful;

impl Gate for Careful {
    fn name(&self) -> &'static str {
        "careful"
    }

    async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
        Verdict::Ask("is this wise?".into())
    }
}

#[test]
fn each_gate_that_wants_somebody_asked_has_rows_of_its_own() {
    let audit = memory();
    let loom = fixed_loom(&audit).gate(Careful);
    let anchors = refunded(loom.approver(Desk(Approval::Granted)));
    let rows = audit.rows();
    assert_eq!(
        told(&rows),
        [
            "workflow_started refund",
            "approval_requested refund",
            "approval_granted refund",
            "tool_call refund",
            "approval_requested refund",
            "approval_granted refund",
            "approval_requested refund",
            "approval_granted refund",
            "tool_result refund completed",
            "workflow_completed refund completed",
        ]
    );
    assert_eq!(
        payloads(&rows)[4..8],
        [
            json!({"question": "permissions", "of": "gate"}),
            json!({"question": "permissions", "of": "gate"}),
            json!({"question": "careful", "of": "gate"}),
            json!({"question": "careful", "of": "gate"}),
        ]
    );
    extends(&audit, &anchors);
}

#[test]
fn full_says_what_was_asked_and_why_it_was_refused() {
    let audit: Audit = fixed().detail(Detail::Full).build().unwrap();
    let anchors = denied(fixed_loom(&audit).approver(refusing()));
    let rows = audit.rows();
    let body = rows[2].payload.as_ref().unwrap()["body"].as_str().unwrap();
    assert!(
        body.starts_with("may the tool \"refund\" be called"),
        "{body}"
    );
    assert_eq!(
        payloads(&rows)[2..4],
        [
            json!({"question": "permissions", "of": "gate", "body": body}),
            json!({
                "question": "permissions", "of": "gate",
                "body": body,
                "reason": "too much for this desk",
            }),
        ]
    );
    extends(&audit, &anchors);
}

#[test]
fn an_approval_with_changed_arguments_says_which_by_digest_and_in_full_their_values() {
    for detail in [Detail::Summary, Detail::Full] {
        let audit = fixed().detail(detail).build().unwrap();
        let desk = Desk(Approval::GrantedWith(json!({"cents": 300, "note": "half"})));
        let anchors = refunded(fixed_loom(&audit).approver(desk));
        let rows = audit.rows();
        assert_eq!(told(&rows)[3], "approval_granted refund");
        let granted = rows[3].payload.clone().unwrap();
        let (changed, asked_for) = (&granted["changed"], &rows[1].payload.clone().unwrap());
        assert_ne!(changed["cents"], asked_for["args"]["cents"]);
        let digests = changed.as_object().unwrap();
        assert_eq!(digests.keys().collect::<Vec<_>>(), ["cents", "note"]);
        for digest in digests.values() {
            assert_eq!(digest.as_str().unwrap().len(), 16);
        }
        let expected = match detail {
            Detail::Full => json!({
                "question": "permissions", "of": "gate", "changed": changed,
                "body": granted["body"], "input": {"cents": 300, "note": "half"},
            }),
            _ => json!({"question": "permissions", "of": "gate", "changed": changed}),
        };
        assert_eq!(granted, expected);
        if detail == Detail::Full {
            assert_eq!(rows[4].payload.as_ref().unwrap()["output"], "paid 300");
        }
        extends(&audit, &anchors);
    }
}

#[test]
fn the_second_gate_of_a_name_asks_as_a_gate_too() {
    let audit = memory();
    let loom = fixed_loom(&audit).gate(Careful).gate(Careful);
    refunded(loom.approver(Desk(Approval::Granted)));
    let asked = |row: &&loom_audit::Row| row.action.starts_with("approval");
    let rows = audit.rows();
    let payloads: Vec<_> = rows.iter().filter(asked).map(|it| &it.payload).collect();
    // Each of both for the run and for the tool, and the default permissions for the tool.
    assert_eq!(payloads.len(), 10);
    for payload in payloads {
        assert_eq!(payload.as_ref().unwrap()["of"], "gate");
    }
}
