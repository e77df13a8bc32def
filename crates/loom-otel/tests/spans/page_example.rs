//! The trace of the page's bidirectional example, driven by hand: workflow, agent, workflow.

use loom_core::{Attributes, BoxFuture, Effect, EffectKind, Name, Result, RunContext, key};

use crate::exported::{Telemetry, block_on};

async fn pass(text: String) -> Result<String> {
    Ok(text)
}

async fn model_call(cx: &RunContext, id: &'static str, finish: &'static str) -> Result<()> {
    let effect = Effect::new(EffectKind::Model, "opus")
        .with(key::MODEL, "opus")
        .with(key::PROVIDER, "anthropic");
    cx.perform(effect, (), |cx, ()| async move {
        cx.delta("secret");
        cx.record(
            Attributes::new()
                .with(key::RESPONSE_ID, id)
                .with(key::RESPONSE_MODEL, "opus-20260101")
                .with(key::FINISH_REASONS, vec![Name::from(finish)])
                .with(key::INPUT_TOKENS, 12u64)
                .with(key::OUTPUT_TOKENS, 3u64),
        );
        Ok(())
    })
    .await
}

async fn action(cx: RunContext) -> Result<String> {
    let run = Effect::new(EffectKind::Workflow, "action");
    cx.perform(run, "secret".to_owned(), |cx, input| async move {
        let input = cx.step("authorize", &pass, input).await?;
        cx.step("execute", &pass, input).await
    })
    .await
}

async fn turns(cx: RunContext) -> Result<String> {
    let turn = cx.perform(Effect::turn(0), (), |cx, ()| async move {
        model_call(&cx, "msg_1", "tool_use").await?;
        let tool = Effect::tool("action", "call_1").with(key::DESCRIPTION, "Run the workflow.");
        cx.perform(tool, (), |cx, ()| action(cx)).await
    });
    turn.await?;
    let turn = cx.perform(Effect::turn(1), (), |cx, ()| async move {
        model_call(&cx, "msg_2", "end_turn").await?;
        Ok("secret".to_owned())
    });
    turn.await
}

/// Boxed, since the compiler follows only so many futures into one another.
fn agent(cx: RunContext) -> BoxFuture<'static, Result<String>> {
    let agent = Effect::new(EffectKind::Agent, "approver")
        .with(key::MODEL, "opus")
        .with(key::TURNS_MAX, 50u32);
    let run = async move {
        let answered = cx.perform(agent, (), |cx, ()| async move {
            let answer = turns(cx.clone()).await?;
            cx.record_one(key::TURNS, 2u32);
            cx.record_one(key::INPUT_TOKENS, 24u64);
            cx.record_one(key::OUTPUT_TOKENS, 6u64);
            Ok(answer)
        });
        answered.await
    };
    Box::pin(run)
}

async fn gated_action(cx: RunContext, text: String) -> Result<String> {
    let text = cx.step("gate", &pass, text).await?;
    let node = Effect::new(EffectKind::Step, "agent_node").with(key::VISIT, 1u32);
    let text = cx.perform(node, text, |cx, _text| agent(cx)).await?;
    cx.step("log_completion", &pass, text).await
}

#[test]
fn the_page_s_example_is_exported_as_one_tree_with_all_its_attributes() {
    let telemetry = Telemetry::new();
    let session = telemetry.loom().build().session("alice").id("conv_42");
    block_on(session.run(&gated_action, "secret")).unwrap();
    assert_eq!(telemetry.tree(), include_str!("page_example.txt"));
    assert!(!format!("{:?}", telemetry.spans()).contains("secret"));
}

#[test]
fn every_span_is_in_our_scope_with_the_pinned_conventions() {
    let telemetry = Telemetry::new();
    block_on(telemetry.loom().build().anonymous().run(&gated_action, "x")).unwrap();
    for span in telemetry.spans() {
        let scope = &span.instrumentation_scope;
        let told = (scope.name(), scope.version(), scope.schema_url());
        assert_eq!(
            told,
            (
                "loomflow",
                Some(env!("CARGO_PKG_VERSION")),
                Some("https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev")
            )
        );
    }
}

#[test]
fn a_run_of_nobody_in_an_unnamed_session_has_no_user_and_no_conversation() {
    let telemetry = Telemetry::new();
    block_on(telemetry.loom().build().anonymous().run(&gated_action, "x")).unwrap();
    let spans = telemetry.spans();
    let names = |name| crate::exported::values(&spans, name).len();
    assert_eq!(
        (
            names("user_id"),
            names("gen_ai.conversation.id"),
            names("session_id"),
            names("run_id")
        ),
        (0, 0, 13, 13)
    );
}
