//! Every attribute of every span that the composed run exports, in the order they were set.

#![cfg(feature = "full")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

use std::fmt::Write;

use loomflow::audit::{Audit, AuditKey};
use loomflow::otel::{OtelObserver, provider_builder};
use loomflow::{
    Agent, CountingIds, FnModel, Loom, Reply, Request, Result, RunContext, TickingClock, Tokens,
    Workflow, step_fn,
};
use opentelemetry::Value;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData};
use serde_json::json;

async fn pass(text: String) -> Result<String> {
    Ok(text)
}

/// Opens a step of one name twice.
async fn twice(cx: RunContext, text: String) -> Result<String> {
    let text = cx.step("look", &pass, text).await?;
    cx.step("look", &pass, text).await
}

/// A workflow that holds an agent that holds a workflow.
fn gated_action() -> Workflow<String, String> {
    let action = Workflow::chain("action").then(step_fn(pass)).build();
    let model = FnModel::new("offline", |request: &Request<'_>| {
        let reply = match request.tool_results().first() {
            None => Reply::call("action", json!({"input": "please"})),
            Some(result) => Reply::text(result.text.clone()),
        };
        Ok(reply.with_tokens(Tokens::new(12, 3)))
    });
    let agent = Agent::builder("Decide whether to invoke the action workflow.")
        .model(model)
        .tool(action.as_tool())
        .build()
        .unwrap();
    Workflow::chain("gated_action")
        .then(twice)
        .then(agent)
        .build()
}

/// The spans in the order they were opened, each with its attributes; what a key signs is left out.
fn shown(spans: &[SpanData]) -> String {
    let mut spans: Vec<_> = spans.iter().collect();
    spans.sort_by_key(|span| span.start_time);
    let mut text = String::new();
    for span in spans {
        writeln!(text, "{} {:?}", span.name, span.span_kind).unwrap();
        for it in &span.attributes {
            match it.key.as_str() {
                "loom.audit.log" | "loom.audit.head" => writeln!(text, "  {} …", it.key),
                _ => match &it.value {
                    Value::String(value) => writeln!(text, "  {} {:?}", it.key, value.as_str()),
                    value => writeln!(text, "  {} {value}", it.key),
                },
            }
            .unwrap();
        }
    }
    text
}

#[tokio::test]
async fn the_composed_run_exports_these_attributes_and_no_others() {
    let exporter = InMemorySpanExporter::default();
    let provider = provider_builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let audit = Audit::in_memory(AuditKey::generate().unwrap())
        .build()
        .unwrap();
    let loom = Loom::builder()
        .clock(TickingClock::default())
        .ids(CountingIds::default())
        .install(audit)
        .observe(OtelObserver::new(&provider))
        .build();
    let session = loom.session("alice").id("conv_42");
    session.run(&gated_action(), "please").await.unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(shown(&spans), include_str!("exported_attributes.txt"));
}
