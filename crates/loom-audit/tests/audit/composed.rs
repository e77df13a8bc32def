//! The runs that the other tests look at: a workflow around an agent around a workflow, and a
//! small one that fails.

use std::time::{Duration, SystemTime};

use loom_audit::{Audit, AuditBuilder, AuditKey};
use loom_core::{
    Attributes, Clock, Decision, Effect, EffectKind, Error, ErrorKind, Loom, LoomBuilder,
    Permissions, Result, Rule, RunContext, Step, Tool, ToolOutput, key,
};
use loom_testing::{CountingIds, TickingClock};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const KEY_HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

pub(crate) fn fixed_key() -> AuditKey {
    let bytes: Vec<u8> = (0..32).collect();
    AuditKey::from_bytes(&bytes).unwrap()
}

/// A log whose bytes are the same every time.
pub(crate) fn fixed() -> AuditBuilder {
    let mut count = 0_u128;
    Audit::in_memory(fixed_key())
        .log_id(Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0001))
        .creator("loom-audit tests")
        .clock(Noon)
        .salts(move || {
            count += 1;
            count.to_be_bytes()
        })
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(1_767_182_400, 123_456_789)
    }
}

pub(crate) fn fixed_loom(audit: &Audit) -> LoomBuilder {
    Loom::builder()
        .clock(TickingClock::default())
        .ids(CountingIds::default())
        .permissions(action_allowed())
        .install(audit.clone())
}

/// Without a rule nobody could be asked for the destructive tool of the composed run.
pub(crate) fn action_allowed() -> Permissions {
    Permissions::new().rule(Rule::new(Decision::Allow).tool("action"))
}

/// The fixed log of one composed run: 19 entries.
pub(crate) fn composed_log() -> Audit {
    let audit = fixed().build().unwrap();
    run_composed(&audit);
    audit
}

pub(crate) fn run_composed(audit: &Audit) {
    let session = fixed_loom(audit).build().session("alice").id("conv_1");
    let outcome = futures::executor::block_on(session.run(&gated_action, "pay \"it\"")).unwrap();
    assert_eq!(outcome.output, "logged: done: pay \"it\"");
    assert_eq!(outcome.anchors, [audit.anchor()]);
}

/// The fixed log of a run whose only step fails: 5 entries.
pub(crate) fn small_log() -> Audit {
    let audit = fixed().build().unwrap();
    let session = fixed_loom(&audit).build().session("alice").id("conv_1");
    futures::executor::block_on(session.run(&refund, 7_u64)).unwrap_err();
    audit
}

/// The fixed log of a run without steps: 3 entries.
pub(crate) fn smallest_log() -> Audit {
    let audit = fixed().build().unwrap();
    let session = fixed_loom(&audit).build().session("alice").id("conv_1");
    futures::executor::block_on(session.run(&refuse, 7_u64)).unwrap_err();
    audit
}

pub(crate) async fn refund(cx: RunContext, id: u64) -> Result<u64> {
    cx.step("validate", &refuse, id).await
}

async fn refuse(id: u64) -> Result<u64> {
    Err(Error::new(ErrorKind::Failed, format!("no invoice {id}")))
}

pub(crate) async fn gated_action(cx: RunContext, text: String) -> Result<String> {
    let text: String = cx.step("gate", &same, text).await?;
    let done: String = cx.step("agent_node", &agent, text).await?;
    cx.step("log_completion", &logged, done).await
}

async fn same(text: String) -> Result<String> {
    Ok(text)
}

async fn logged(text: String) -> Result<String> {
    Ok(format!("logged: {text}"))
}

/// What an agent does at the door: a run, turns in it, model calls and tools in those.
async fn agent(cx: RunContext, text: String) -> Result<String> {
    let run = Effect::new(EffectKind::Agent, "helper")
        .with(key::MODEL, "opus")
        .with(key::TURNS_MAX, 50_u32);
    cx.perform(run, text, |cx, text| async move {
        let used = Attributes::new()
            .with(key::TURNS, 2_u32)
            .with(key::INPUT_TOKENS, 30_u32)
            .with(key::OUTPUT_TOKENS, 4_u32);
        cx.record(used);
        let done = cx.perform(Effect::turn(0), text, first_turn).await?;
        cx.perform(Effect::turn(1), done, last_turn).await
    })
    .await
}

async fn first_turn(cx: RunContext, text: String) -> Result<String> {
    model_call(&cx, "a call".to_owned()).await?;
    let args = json!({ "input": text, "amount": 2 });
    let output = action_tool().call(&cx, "c1", args).await?;
    Ok(output.into_text())
}

async fn last_turn(cx: RunContext, text: String) -> Result<String> {
    model_call(&cx, text).await
}

async fn model_call(cx: &RunContext, reply: String) -> Result<String> {
    let call = Effect::new(EffectKind::Model, "opus")
        .with(key::MODEL, "opus")
        .with(key::PROVIDER, "scripted");
    cx.perform(call, (), |cx, ()| async move {
        cx.record_one(key::INPUT_TOKENS, 15_u32);
        cx.record_one(key::OUTPUT_TOKENS, 2_u32);
        Ok(reply)
    })
    .await
}

fn action_tool() -> Tool {
    let schema = json!({"type": "object"});
    Tool::with_schema("action", "Acts.", schema, Step::new(action)).destructive()
}

async fn action(cx: RunContext, args: Value) -> Result<ToolOutput> {
    let input = args["input"].as_str().unwrap_or_default().to_owned();
    let output: String = cx
        .perform(
            Effect::new(EffectKind::Workflow, "action"),
            input,
            |cx, input| async move {
                let input: String = cx.step("authorize", &same, input).await?;
                cx.step("execute", &execute, input).await
            },
        )
        .await?;
    Ok(ToolOutput::Text(output))
}

async fn execute(text: String) -> Result<String> {
    Ok(format!("done: {text}"))
}
