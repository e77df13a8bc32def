//! A workflow as a destructive tool: who may run it is decided at the tool, and the model is told.

use std::sync::{Arc, Mutex};

use loomflow::{
    Approval, Approver, Decision, Effect, EffectView, ErrorKind, Permissions, Question, Rule,
    RunErrorKind, RunId, UserId, Workflow,
};
use serde_json::{Value, json};

use crate::support::{Done, clerk, counting, desk_of, refund_call};
use crate::watched::{Durable, Process};

/// The desk whose clerk's refund can't be undone.
fn desk(done: &Done) -> Workflow<String, String> {
    let refund = Workflow::chain("refund")
        .then_fn("authorize", counting("authorized", &done.authorized))
        .then_fn("execute", counting("paid", &done.paid))
        .build();
    let tool = refund.as_tool().destructive();
    desk_of(clerk(done, &refund_call(), [tool]))
}

/// The rows between the call and the model's last word.
fn about_the_tool(durable: &Durable) -> Vec<String> {
    let told = durable.told();
    let call = told.iter().position(|it| it == "tool_call refund").unwrap();
    let end = told.iter().rposition(|it| it == "run_completed clerk");
    told[call + 1..end.unwrap()].to_vec()
}

/// The tree of the desk's run where the tool was denied.
fn denied() -> [&'static str; 10] {
    [
        "loom.workflow.run support",
        "  loom.workflow.step gate",
        "  loom.workflow.step clerk",
        "    loom.run clerk",
        "      loom.turn 0",
        "        loom.model.stream offline",
        "        loom.tool refund ✗ denied",
        "      loom.turn 1",
        "        loom.model.stream offline",
        "  loom.workflow.step log_completion",
    ]
}

const MAY_IT: &str =
    r#"may the tool "refund" be called with {"input":"INV-1"}? (destructive tools are asked for)"#;

#[tokio::test]
async fn where_nobody_can_be_asked_it_is_denied() {
    let (durable, done) = (Durable::new(), Done::default());
    let process = durable.wired(|loom| loom);
    let outcome = process.session.run(&desk(&done), "please").await.unwrap();
    assert_eq!(
        outcome.output,
        format!("denied: permissions: {MAY_IT} Nobody can be asked: there is no approver")
    );
    assert_eq!((done.authorized.get(), outcome.usage.tool_calls), (0, 0));
    assert_eq!(process.tree(), denied());
    let rows = about_the_tool(&durable);
    assert_eq!(rows.last().unwrap(), "tool_denied refund");
}

#[tokio::test]
async fn a_rule_denies_it_by_name_and_arguments() {
    let (durable, done) = (Durable::new(), Done::default());
    let rule = Rule::new(Decision::Deny)
        .tool("ref*")
        .argument("input", "INV-*");
    let allow = Rule::new(Decision::Allow);
    let permissions = Permissions::new().rule(allow).rule(rule);
    let process = durable.wired(|loom| loom.permissions(permissions));
    let outcome = process.session.run(&desk(&done), "please").await.unwrap();
    assert_eq!(
        outcome.output,
        r#"denied: permissions: rule 2 denies the tool "refund""#
    );
    assert_eq!(process.tree(), denied());
    assert_eq!(
        about_the_tool(&durable),
        ["permission_denied refund", "tool_denied refund"]
    );
}

/// Says this of every question, and keeps what it was shown.
#[derive(Clone)]
struct Clerk {
    says: Approval,
    shown: Arc<Mutex<Vec<(String, Value, String)>>>,
}

impl Clerk {
    fn who_says(says: Approval) -> Self {
        Self {
            says,
            shown: Arc::default(),
        }
    }
}

impl Approver for Clerk {
    async fn approve(&self, cx: &EffectView, effect: &Effect, question: &Question) -> Approval {
        let user = cx.user().map(UserId::to_string).unwrap_or_default();
        let input = effect.input().cloned().unwrap_or_default();
        let shown = (user, input, question.body.clone());
        self.shown.lock().unwrap().push(shown);
        self.says.clone()
    }
}

#[tokio::test]
async fn an_approver_who_grants_it_lets_the_workflow_run() {
    let (durable, done) = (Durable::new(), Done::default());
    let approver = Clerk::who_says(Approval::Granted);
    let process = durable.wired(|loom| loom.approver(approver.clone()));
    let outcome = process.session.run(&desk(&done), "please").await.unwrap();
    assert_eq!(outcome.output, "INV-1, authorized, paid");
    let shown = ("alice".into(), json!({"input": "INV-1"}), MAY_IT.into());
    assert_eq!(*approver.shown.lock().unwrap(), [shown]);
    assert_eq!(
        about_the_tool(&durable),
        [
            "approval_requested refund",
            "approval_granted refund",
            "workflow_started refund",
            "step_started authorize",
            "step_completed authorize",
            "step_started execute",
            "step_completed execute",
            "workflow_completed refund",
            "tool_result refund",
        ]
    );
}

#[tokio::test]
async fn an_approver_who_refuses_it_is_told_to_the_model() {
    let (durable, done) = (Durable::new(), Done::default());
    let no = Approval::Refused("not on Sundays".into());
    let process = durable.wired(|loom| loom.approver(Clerk::who_says(no)));
    let outcome = process.session.run(&desk(&done), "please").await.unwrap();
    assert_eq!(outcome.output, "denied: permissions: not on Sundays");
    assert_eq!((done.authorized.get(), outcome.usage.tool_calls), (0, 0));
    assert_eq!(process.tree(), denied());
    assert_eq!(
        about_the_tool(&durable),
        [
            "approval_requested refund",
            "approval_refused refund",
            "tool_denied refund",
        ]
    );
}

/// Runs the desk with a journal and no approver, until it waits for leave; and the question.
async fn waiting(durable: &Durable, done: &Done) -> (Process, RunId, String) {
    let process = durable.process();
    let error = process.session.run(&desk(done), "please").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Paused);
    let question = &error.questions()[0];
    assert_eq!((&*question.name, &*question.body), ("permissions", MAY_IT));
    assert_eq!(
        process.tree()[2..],
        [
            "  loom.workflow.step clerk ✗ paused",
            "    loom.run clerk ✗ paused",
            "      loom.turn 0 ✗ paused",
            "        loom.model.stream offline",
            "        loom.tool refund ✗ paused",
        ]
    );
    let run_id = error.report().unwrap().run_id.clone();
    (process, run_id, question.path.clone())
}

#[tokio::test]
async fn with_a_journal_the_run_waits_for_leave_and_then_runs_it() {
    let (durable, done) = (Durable::new(), Done::default());
    let (_, run_id, path) = waiting(&durable, &done).await;
    assert_eq!(
        path,
        "support/clerk/clerk/turn:0/tool:refund[c1]#ask:permissions"
    );
    let process = durable.process();
    let session = &process.session;
    session.answer(&run_id, &path, true).await.unwrap();
    let resumed = session.resume(&run_id, &desk(&done)).await;
    let outcome = resumed.unwrap();
    assert_eq!(outcome.output, "INV-1, authorized, paid");
    assert_eq!(outcome.usage.tool_calls, 1);
    assert_eq!((done.asked_models.get(), done.paid.get()), (2, 1));
    assert_eq!(
        process.tree()[5..10],
        [
            "        loom.model.stream offline ↻",
            "        loom.tool refund",
            "          loom.workflow.run refund",
            "            loom.workflow.step authorize",
            "            loom.workflow.step execute",
        ]
    );
    let told = durable.told();
    let asked: Vec<_> = told.iter().filter(|it| it.contains("approval")).collect();
    assert_eq!(
        asked,
        ["approval_requested refund", "approval_granted refund"]
    );
}

#[tokio::test]
async fn a_no_refuses_it_and_a_reason_reaches_the_model() {
    let table = [
        (json!(false), "it was refused"),
        (json!("archive it instead"), "archive it instead"),
        (json!({"refused": "not on Sundays"}), "not on Sundays"),
    ];
    for (answer, why) in table {
        let (durable, done) = (Durable::new(), Done::default());
        let (_, run_id, path) = waiting(&durable, &done).await;
        let process = durable.process();
        let session = &process.session;
        session.answer(&run_id, &path, answer).await.unwrap();
        let resumed = session.resume(&run_id, &desk(&done)).await;
        let output = resumed.unwrap().output;
        assert_eq!(output, format!("denied: permissions: {why}"));
        assert_eq!((done.asked_models.get(), done.authorized.get()), (2, 0));
        let told = durable.told();
        let refused = |it: &&String| *it == "approval_refused refund";
        assert_eq!(told.iter().filter(refused).count(), 1);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_refused_and_the_question_stays_open() {
    let (durable, done) = (Durable::new(), Done::default());
    let (_, run_id, path) = waiting(&durable, &done).await;
    let process = durable.process();
    let session = &process.session;
    let wrong = [
        json!("yes"),
        json!("true"),
        json!(1),
        json!(null),
        json!({"approved": true}),
    ];
    for answer in wrong {
        let answered = session.answer(&run_id, &path, answer).await;
        assert_eq!(answered.unwrap_err().kind(), ErrorKind::Invalid);
    }
    session.answer(&run_id, &path, true).await.unwrap();
    let outcome = session.resume(&run_id, &desk(&done)).await.unwrap();
    assert_eq!(outcome.output, "INV-1, authorized, paid");
}
