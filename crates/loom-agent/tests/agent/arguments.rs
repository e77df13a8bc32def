//! Arguments are held against the tool's schema before anything runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use loom_agent::{Agent, Message, Prompt, Reply};
use loom_core::{
    Effect, EffectKind, EffectView, Error, Gate, Loom, Result, RunContext, Step, Tool, ToolOutput,
    UserId, Verdict,
};
use loom_testing::Recorder;
use serde_json::{Value, json};

use crate::recorded::{recorded, tree};
use crate::script::{caller, erred, gave, script};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Refund {
    invoice: String,
    cents: u32,
}

/// A tool that pays back, and how often it did.
fn refund() -> (Tool, Arc<AtomicU32>) {
    let paid = Arc::new(AtomicU32::new(0));
    let count = paid.clone();
    let pay = move |cx: RunContext, refund: Refund| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            let user = cx.user().map(UserId::as_str).unwrap_or_default();
            Ok::<_, Error>(format!(
                "{} cents of {} to {user}",
                refund.cents, refund.invoice
            ))
        }
    };
    (Tool::new("refund", "Pays back.", pay), paid)
}

/// Counts how often it was asked about a tool.
#[derive(Default)]
struct Asked(AtomicU32);

impl Gate for Asked {
    fn name(&self) -> &str {
        "asked"
    }

    async fn check(&self, _cx: &EffectView, effect: &Effect) -> Verdict {
        let is_tool = effect.kind() == EffectKind::Tool;
        self.0.fetch_add(u32::from(is_tool), Ordering::SeqCst);
        Verdict::Allow
    }
}

#[tokio::test]
async fn what_does_not_fit_is_told_field_by_field() {
    let table = [
        (
            json!("{\"invoice\": \"INV-"),
            r#""{\"invoice\": \"INV-" is not of type "object""#,
        ),
        (json!(null), r#"null is not of type "object""#),
        (
            json!({"invoice": 7, "cents": "much"}),
            r#"/cents: "much" is not of type "integer"; /invoice: 7 is not of type "string""#,
        ),
        (
            json!({"invoice": "INV-1", "cents": -5}),
            "/cents: -5 is less than the minimum of 0",
        ),
        (
            json!({"invoice": "INV-1", "cents": 4_294_967_296u64}),
            "/cents: 4294967296 is greater than the maximum of 4294967295",
        ),
        (
            json!({"invoice": "INV-1"}),
            r#""cents" is a required property"#,
        ),
        (
            json!({"invoice": "INV-1", "cents": 5, "fast": true}),
            "Additional properties are not allowed ('fast' was unexpected)",
        ),
    ];
    for (arguments, misfit) in table {
        let (_, session) = recorded();
        let (tool, paid) = refund();
        let (agent, shown) = caller(Reply::call("refund", arguments), [tool]);
        session.run(&agent, "Pay.").await.unwrap();
        let text = format!(r#"error: the arguments of "refund" don't fit its schema: {misfit}"#);
        assert_eq!(shown.told(), [erred("c1", "refund", &text)]);
        assert_eq!(paid.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn arguments_that_do_not_fit_run_nothing_ask_no_gate_and_fail_the_call_s_span() {
    let recorder = Recorder::default();
    let asked = Arc::new(Asked::default());
    let loom = Loom::builder()
        .observe(recorder.clone())
        .gate(asked.clone());
    let (tool, paid) = refund();
    let (agent, _) = caller(Reply::call("refund", json!({"cents": 5})), [tool]);
    let outcome = loom.build().session("alice").run(&agent, "Pay.").await;

    assert_eq!(outcome.unwrap().usage.tool_calls, 0);
    assert_eq!(paid.load(Ordering::SeqCst), 0);
    assert_eq!(asked.0.load(Ordering::SeqCst), 0);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool refund ✗ failed",
            "  loom.turn 1",
            "    loom.model.stream scripted",
        ]
    );
    let refused = &recorder.spans()[3];
    assert_eq!(refused.input, Some(json!({"cents": 5})));
    assert_eq!(refused.output, None);
    assert_eq!(
        refused.error.as_deref(),
        Some(r#"the arguments of "refund" don't fit its schema: "invoice" is a required property"#)
    );
}

#[tokio::test]
async fn the_model_may_repair_its_arguments() {
    let (_, session) = recorded();
    let (tool, paid) = refund();
    let wrong = Reply::call("refund", json!({"invoice": "INV-1"}));
    let right = Reply::call("refund", json!({"invoice": "INV-1", "cents": 5}));
    let (model, shown) = script([wrong.clone(), right.clone(), Reply::text("paid")]);
    let agent = Agent::builder("Pay.").model(model).tool(tool);
    let outcome = session.run(&agent.build().unwrap(), "Pay.").await.unwrap();

    assert_eq!(outcome.output, "paid");
    assert_eq!(paid.load(Ordering::SeqCst), 1);
    let misfit =
        r#"error: the arguments of "refund" don't fit its schema: "cents" is a required property"#;
    assert_eq!(
        shown.conversations().last().unwrap()[..],
        [
            Message::User(Prompt::from("Pay.")),
            Message::Assistant(wrong),
            Message::Tools(vec![erred("c1", "refund", misfit)]),
            Message::Assistant(right),
            Message::Tools(vec![gave("c1", "refund", "5 cents of INV-1 to alice")]),
        ]
    );
}

#[tokio::test]
async fn a_right_call_beside_a_wrong_one_is_made() {
    let (_, session) = recorded();
    let (tool, paid) = refund();
    let calls = Reply::call("refund", json!({}))
        .and_call("refund", json!({"invoice": "INV-1", "cents": 5}));
    let (agent, shown) = caller(calls, [tool]);
    session.run(&agent, "Pay.").await.unwrap();
    let misfits = r#"error: the arguments of "refund" don't fit its schema: "invoice" is a required property; "cents" is a required property"#;
    assert_eq!(
        shown.told(),
        [
            erred("c1", "refund", misfits),
            gave("c2", "refund", "5 cents of INV-1 to alice"),
        ]
    );
    assert_eq!(paid.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn at_most_eight_misfits_of_a_call_are_told() {
    let (_, session) = recorded();
    let sum = Tool::new("sum", "Adds.", |numbers: Vec<u32>| async move {
        Ok::<_, Error>(numbers.iter().sum::<u32>())
    });
    let words: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
    let (agent, shown) = caller(Reply::call("sum", json!({"input": words})), [sum]);
    session.run(&agent, "Add.").await.unwrap();
    let misfits: Vec<String> = (0..8)
        .map(|n| format!(r#"/input/{n}: "w{n}" is not of type "integer""#))
        .collect();
    let text = format!(
        r#"error: the arguments of "sum" don't fit its schema: {}"#,
        misfits.join("; ")
    );
    assert_eq!(shown.told(), [erred("c1", "sum", &text)]);
}

#[tokio::test]
async fn a_misfit_is_told_in_at_most_300_characters_whatever_it_repeats() {
    let (recorder, session) = recorded();
    let (tool, paid) = refund();
    let wrong = json!({"invoice": "INV-1", "cents": "é".repeat(1_000_000)});
    let (agent, shown) = caller(Reply::call("refund", wrong), [tool]);
    session.run(&agent, "Pay.").await.unwrap();
    // The quotation mark counts as well.
    let text = format!(
        r#"the arguments of "refund" don't fit its schema: /cents: "{}…"#,
        "é".repeat(299)
    );
    assert_eq!(
        shown.told(),
        [erred("c1", "refund", &format!("error: {text}"))]
    );
    assert_eq!(recorder.spans()[3].error.as_ref(), Some(&text));
    assert_eq!(paid.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn f053_a_user_id_filled_in_by_the_model_is_refused_and_changes_nobody() {
    let (recorder, session) = recorded();
    let (tool, paid) = refund();
    let wrong = json!({"invoice": "INV-1", "cents": 5, "user_id": "mallory"});
    let right = json!({"invoice": "INV-1", "cents": 5});
    let calls = Reply::call("refund", wrong).and_call("refund", right);
    let (agent, shown) = caller(calls, [tool]);
    session.run(&agent, "Pay.").await.unwrap();

    let misfit = r#"error: the arguments of "refund" don't fit its schema: Additional properties are not allowed ('user_id' was unexpected)"#;
    assert_eq!(
        shown.told(),
        [
            erred("c1", "refund", misfit),
            gave("c2", "refund", "5 cents of INV-1 to alice"),
        ]
    );
    assert_eq!(paid.load(Ordering::SeqCst), 1);
    for span in recorder.spans() {
        assert_eq!(span.user.as_ref().map(UserId::as_str), Some("alice"));
    }
}

#[tokio::test]
async fn a_schema_that_allows_a_user_id_still_leaves_the_scope_alone() {
    async fn whoami(cx: RunContext, arguments: Value) -> Result<ToolOutput> {
        let user = cx.user().map(UserId::as_str).unwrap_or_default();
        Ok(ToolOutput::Text(format!("{arguments} asked by {user}")))
    }
    let (recorder, session) = recorded();
    let tool = Tool::with_schema(
        "whoami",
        "Tells who asks.",
        json!({"type": "object"}),
        Step::new(whoami),
    );
    let (agent, shown) = caller(Reply::call("whoami", json!({"user_id": "bob"})), [tool]);
    session.run(&agent, "Who?").await.unwrap();
    let text = r#"{"user_id":"bob"} asked by alice"#;
    assert_eq!(shown.told(), [gave("c1", "whoami", text)]);
    for span in recorder.spans() {
        assert_eq!(span.user.as_ref().map(UserId::as_str), Some("alice"));
    }
}
