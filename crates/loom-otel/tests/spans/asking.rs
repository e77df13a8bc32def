//! What a span says of those who were asked: by name and by what came of it, never in words.

use loom_core::{
    Approval, Approver, Decision, Effect, EffectView, Gate, Permissions, Question, Result, Rule,
    RunContext, RunErrorKind, Step, Tool, ToolOutput, Verdict,
};
use serde_json::{Value, json};

use crate::exported::{Telemetry, block_on};

/// Says the same to everything.
struct Desk(Approval);

impl Approver for Desk {
    async fn approve(
        &self,
        _view: &EffectView,
        _effect: &Effect,
        _question: &Question,
    ) -> Approval {
        self.0.clone()
    }
}

struct FourEyes;

impl Gate for FourEyes {
    fn name(&self) -> &str {
        "four_eyes"
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        match effect.name().as_str() {
            "pay" => Verdict::Ask("secret".to_owned()),
            _ => Verdict::Allow,
        }
    }
}

async fn refund(cx: RunContext, (): ()) -> Result<()> {
    let pay = Effect::tool("pay", "call_1").destructive(true);
    cx.perform(pay, (), |_cx, ()| async { Ok(()) }).await
}

/// All that the tool's span says.
fn tool(telemetry: &Telemetry) -> String {
    let tree = telemetry.tree();
    let (_, tool) = tree.split_once("\n  loom.tool").unwrap();
    tool.to_owned()
}

#[test]
fn an_approval_that_was_granted_is_asked_and_answered_by_name() {
    let telemetry = Telemetry::new();
    let loom = telemetry.loom().approver(Desk(Approval::Granted)).build();
    block_on(loom.session("alice").id("conv").run(&refund, ())).unwrap();
    assert_eq!(
        tool(&telemetry),
        r#" Internal 3..7
    - pattern: "agent"
    - user_id: "alice"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "refund/tool:pay[call_1]"
    - loom.span: "loom.tool"
    - gen_ai.conversation.id: "conv"
    - gen_ai.operation.name: "execute_tool"
    - gen_ai.tool.call.id: "call_1"
    - gen_ai.tool.name: "pay"
    - gen_ai.tool.type: "function"
    - loom.ending: "completed"
    * permission_decided 4
      - loom.gate: "permissions"
      - loom.verdict: "ask"
    * approval_asked 5
      - loom.question: "permissions"
    * approval_answered 6
      - loom.question: "permissions"
      - loom.approval: "allowed"
"#
    );
    assert!(!format!("{:?}", telemetry.spans()).contains("destructive tools"));
}

#[test]
fn an_approval_that_was_refused_says_so_and_neither_the_question_nor_why() {
    let telemetry = Telemetry::new();
    let desk = Desk(Approval::Refused("secret".to_owned()));
    let allowed = Permissions::new().rule(Rule::new(Decision::Allow).tool("pay"));
    let builder = telemetry.loom().permissions(allowed).gate(FourEyes);
    let session = builder.approver(desk).build().session("alice").id("conv");
    let error = block_on(session.run(&refund, ())).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Denied);
    assert_eq!(
        tool(&telemetry),
        r#" Internal 4..9
    ! Error { description: "denied" }
    - pattern: "agent"
    - user_id: "alice"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "refund/tool:pay[call_1]"
    - loom.span: "loom.tool"
    - gen_ai.conversation.id: "conv"
    - gen_ai.operation.name: "execute_tool"
    - gen_ai.tool.call.id: "call_1"
    - gen_ai.tool.name: "pay"
    - gen_ai.tool.type: "function"
    - loom.ending: "denied"
    - error.type: "denied"
    * permission_decided 5
      - loom.gate: "permissions"
      - loom.verdict: "allow"
    * permission_decided 6
      - loom.gate: "four_eyes"
      - loom.verdict: "ask"
    * approval_asked 7
      - loom.question: "four_eyes"
    * approval_answered 8
      - loom.question: "four_eyes"
      - loom.approval: "refused"
"#
    );
    assert!(!format!("{:?}", telemetry.spans()).contains("secret"));
}

#[test]
fn what_nobody_can_be_asked_is_denied_and_no_approval_is_told() {
    let telemetry = Telemetry::new();
    let session = telemetry.loom().build().session("alice").id("conv");
    block_on(session.run(&refund, ())).unwrap_err();
    assert_eq!(
        tool(&telemetry),
        r#" Internal 3..6
    ! Error { description: "denied" }
    - pattern: "agent"
    - user_id: "alice"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "refund/tool:pay[call_1]"
    - loom.span: "loom.tool"
    - gen_ai.conversation.id: "conv"
    - gen_ai.operation.name: "execute_tool"
    - gen_ai.tool.call.id: "call_1"
    - gen_ai.tool.name: "pay"
    - gen_ai.tool.type: "function"
    - loom.ending: "denied"
    - error.type: "denied"
    * permission_decided 4
      - loom.gate: "permissions"
      - loom.verdict: "ask"
    * permission_decided 5
      - loom.gate: "permissions"
      - loom.verdict: "deny"
"#
    );
}

#[test]
fn a_run_without_the_default_permissions_says_so_and_its_tools_have_no_decision() {
    let telemetry = Telemetry::new();
    let loom = telemetry.loom().without_permissions().build();
    block_on(loom.session("alice").id("conv").run(&refund, ())).unwrap();
    assert_eq!(
        telemetry.tree(),
        r#"loom.workflow.run Internal 2..5
  - pattern: "workflow"
  - user_id: "alice"
  - session_id: "conv"
  - run_id: "019b76da-a801-7000-8000-000000000002"
  - loom.path: "refund"
  - loom.span: "loom.workflow.run"
  - gen_ai.conversation.id: "conv"
  - gen_ai.operation.name: "invoke_workflow"
  - loom.permissions: "off"
  - gen_ai.workflow.name: "refund"
  - loom.ending: "completed"
  loom.tool Internal 3..4
    - pattern: "agent"
    - user_id: "alice"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "refund/tool:pay[call_1]"
    - loom.span: "loom.tool"
    - gen_ai.conversation.id: "conv"
    - gen_ai.operation.name: "execute_tool"
    - gen_ai.tool.call.id: "call_1"
    - gen_ai.tool.name: "pay"
    - gen_ai.tool.type: "function"
    - loom.ending: "completed"
"#
    );
}

#[test]
fn an_approval_by_the_second_gate_of_a_name_is_one_too() {
    let telemetry = Telemetry::new();
    let allowed = Permissions::new().rule(Rule::new(Decision::Allow).tool("pay"));
    let builder = telemetry.loom().permissions(allowed);
    let builder = builder.gate(FourEyes).gate(FourEyes);
    let loom = builder.approver(Desk(Approval::Granted)).build();
    block_on(loom.session("alice").id("conv").run(&refund, ())).unwrap();
    let tool = tool(&telemetry);
    assert_eq!(tool.matches("* approval_asked").count(), 2, "{tool}");
    assert_eq!(tool.matches("* approval_answered").count(), 2, "{tool}");
    assert_eq!(tool.matches("loom.approval: \"allowed\"").count(), 2);
    assert!(!tool.contains("* question_"), "{tool}");
}

#[test]
fn an_approval_with_other_arguments_says_so_and_not_which() {
    async fn pay(args: Value) -> Result<ToolOutput> {
        Ok(ToolOutput::Json(args))
    }
    async fn refund(cx: RunContext, (): ()) -> Result<String> {
        let step = Step::new(pay);
        let schema = json!({"type": "object"});
        let tool = Tool::with_schema("pay", "Pays.", schema, step).destructive();
        let paid = tool.call(&cx, "call_1", json!({"cents": 5})).await?;
        Ok(paid.into_text())
    }
    let telemetry = Telemetry::new();
    let desk = Desk(Approval::GrantedWith(json!({"cents": 333})));
    let loom = telemetry.loom().approver(desk).build();
    let outcome = block_on(loom.session("alice").id("conv").run(&refund, ())).unwrap();
    assert_eq!(outcome.output, r#"{"cents":333}"#);
    let tool = tool(&telemetry);
    let (_, answered) = tool.split_once("* approval_answered 6\n").unwrap();
    assert_eq!(
        answered,
        r#"      - loom.question: "permissions"
      - loom.approval: "allowed"
      - loom.approval_changed: true
"#
    );
    assert!(!format!("{:?}", telemetry.spans()).contains("333"));
}
