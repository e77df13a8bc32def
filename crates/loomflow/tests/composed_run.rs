//! The composed run: a workflow that holds an agent that holds a workflow, recorded whole.

#![cfg(feature = "full")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

use loomflow::audit::{Audit, AuditKey, Row, Verdict};
use loomflow::otel::{OtelObserver, provider_builder};
use loomflow::{
    Agent, Error, ErrorKind, FnModel, Loom, Recorder, Reply, Request, Result, RunContext,
    ScriptedModel, Session, Workflow,
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData};
use serde_json::json;

struct Watched {
    recorder: Recorder,
    audit: Audit,
    exporter: InMemorySpanExporter,
    session: Session,
}

fn watched() -> Watched {
    let recorder = Recorder::default();
    let audit = Audit::in_memory(AuditKey::generate().unwrap())
        .build()
        .unwrap();
    let exporter = InMemorySpanExporter::default();
    let provider = provider_builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let loom = Loom::builder()
        .install(audit.clone())
        .observe(OtelObserver::new(&provider))
        .observe(recorder.clone())
        .build();
    Watched {
        recorder,
        audit,
        exporter,
        session: loom.session("alice"),
    }
}

async fn gate(text: String) -> Result<String> {
    Ok(text)
}

async fn authorize(request: String) -> Result<String> {
    Ok(request)
}

async fn execute(request: String) -> Result<String> {
    if request.contains("impossible") {
        return Err(Error::new(ErrorKind::Failed, "the bank says no"));
    }
    Ok("refunded".into())
}

async fn log_completion(answer: String) -> Result<String> {
    Ok(answer)
}

/// The page's bidirectional example; the agent has no name.
fn gated_action() -> Workflow<String, String> {
    let action = Workflow::chain("action")
        .then(authorize)
        .then(execute)
        .build();
    let model = FnModel::new("offline", |request: &Request<'_>| {
        Ok(match request.tool_results().first() {
            None => Reply::call("action", json!({"input": request.prompt().unwrap().text()})),
            Some(result) => Reply::text(result.text.clone()),
        })
    });
    let agent = Agent::builder("Decide whether to invoke the action workflow.")
        .model(model)
        .tool(action.as_tool())
        .build()
        .unwrap();
    Workflow::chain("gated_action")
        .then(gate)
        .then(agent)
        .then(log_completion)
        .build()
}

/// A row in the words of the contract: `action`, the name, and the run and its parent as letters.
fn shown(row: &Row, runs: &[&str]) -> String {
    let letter = |run: &str| ["A", "B", "C"][runs.iter().position(|it| *it == run).unwrap()];
    let parent = row
        .parent_run
        .as_ref()
        .map_or("-", |it| letter(it.as_str()));
    let end = row.end.as_deref().unwrap_or("-");
    format!(
        "{} {} {end} {} {parent}",
        row.action,
        row.name,
        letter(row.run.as_str())
    )
}

#[tokio::test]
async fn the_trace_is_the_contract_s() {
    let it = watched();
    let outcome = it.session.run(&gated_action(), "please").await.unwrap();
    assert_eq!(outcome.output, "refunded");
    assert_eq!(outcome.visited, ["gate", "agent_node", "log_completion"]);
    assert_eq!(
        it.recorder.tree().to_string(),
        "\
loom.workflow.run gated_action
├─ loom.workflow.step gate
├─ loom.workflow.step agent_node
│  └─ loom.run agent
│     ├─ loom.turn 0
│     │  ├─ loom.model.stream offline
│     │  └─ loom.tool action
│     │     └─ loom.workflow.run action
│     │        ├─ loom.workflow.step authorize
│     │        └─ loom.workflow.step execute
│     └─ loom.turn 1
│        └─ loom.model.stream offline
└─ loom.workflow.step log_completion
"
    );
}

#[tokio::test]
async fn the_exported_spans_are_one_trace_and_all_say_who_and_where() {
    let it = watched();
    let outcome = it.session.run(&gated_action(), "please").await.unwrap();
    let exported = it.exporter.get_finished_spans().unwrap();
    let attribute = |span: &SpanData, name: &str| {
        let found = span.attributes.iter().find(|it| it.key.as_str() == name);
        found.map(|it| it.value.to_string())
    };
    let mut rows = Vec::new();
    for recorded in it.recorder.spans() {
        let id = recorded.span.to_string();
        let span = exported
            .iter()
            .find(|span| span.span_context.span_id().to_string() == id)
            .unwrap();
        assert_eq!(
            span.span_context.trace_id().to_string(),
            outcome.trace_id.to_string()
        );
        assert_eq!(attribute(span, "user_id").as_deref(), Some("alice"));
        assert_eq!(
            attribute(span, "session_id").as_deref(),
            Some(outcome.session_id.as_str())
        );
        assert_eq!(
            attribute(span, "run_id").as_deref(),
            Some(recorded.run.as_str())
        );
        let parent = recorded
            .parent_span
            .map_or("0000000000000000".to_owned(), |it| it.to_string());
        assert_eq!(span.parent_span_id.to_string(), parent);
        rows.push(format!(
            "{} [{}]",
            span.name,
            attribute(span, "pattern").unwrap()
        ));
    }
    assert_eq!(exported.len(), rows.len());
    assert_eq!(
        rows,
        [
            "loom.workflow.run [workflow]",
            "loom.workflow.step [workflow]",
            "loom.workflow.step [workflow]",
            "loom.run [agent]",
            "loom.turn [agent]",
            "loom.model.stream [agent]",
            "loom.tool [agent]",
            "loom.workflow.run [workflow]",
            "loom.workflow.step [workflow]",
            "loom.workflow.step [workflow]",
            "loom.turn [agent]",
            "loom.model.stream [agent]",
            "loom.workflow.step [workflow]",
        ]
    );
}

#[tokio::test]
async fn the_audit_trail_is_exactly_the_contract_s_rows() {
    let it = watched();
    let outcome = it.session.run(&gated_action(), "please").await.unwrap();
    let rows = it.audit.rows();
    let mut runs: Vec<&str> = Vec::new();
    for row in &rows {
        if !runs.contains(&row.run.as_str()) {
            runs.push(row.run.as_str());
        }
        assert_eq!(row.user.as_ref().unwrap().as_str(), "alice");
        assert_eq!(row.session, outcome.session_id);
        assert_eq!(row.trace, outcome.trace_id);
    }
    assert_eq!(
        rows.iter().map(|row| shown(row, &runs)).collect::<Vec<_>>(),
        [
            "workflow_started gated_action - A -",
            "step_started gate - A -",
            "step_completed gate completed A -",
            "step_started agent_node - A -",
            "run_started agent - B A",
            "tool_call action - B A",
            "workflow_started action - C B",
            "step_started authorize - C B",
            "step_completed authorize completed C B",
            "step_started execute - C B",
            "step_completed execute completed C B",
            "workflow_completed action completed C B",
            "tool_result action completed B A",
            "run_completed agent completed B A",
            "step_completed agent_node completed A -",
            "step_started log_completion - A -",
            "step_completed log_completion completed A -",
            "workflow_completed gated_action completed A -",
        ]
    );
    assert_eq!(runs[0], outcome.run_id.as_str());
    assert_eq!(it.audit.verify().verdict, Verdict::Ok);
    // The open entry and the eighteen rows.
    assert_eq!(outcome.anchors[0].size, 19);
}

#[tokio::test]
async fn a_failure_deep_inside_is_told_to_the_model_and_never_shown_as_success() {
    let it = watched();
    let outcome = it.session.run(&gated_action(), "impossible").await.unwrap();
    assert_eq!(outcome.output, "error: the bank says no");
    let failed: Vec<String> = it
        .recorder
        .spans()
        .iter()
        .filter(|span| span.error.is_some())
        .map(loomflow::RecordedSpan::line)
        .collect();
    assert_eq!(
        failed,
        [
            "loom.tool action ✗ failed",
            "loom.workflow.run action ✗ failed",
            "loom.workflow.step execute ✗ failed",
        ]
    );
    assert_eq!(it.audit.verify().verdict, Verdict::Ok);
}

/// The page's first example: the classifier is a function that itself runs an agent.
async fn classify(cx: RunContext, text: String) -> Result<String> {
    let model = ScriptedModel::new([Reply::text("billing")]).named("haiku");
    let classifier = Agent::builder("Reply 'billing' or 'tech'.")
        .named("classifier")
        .model(model)
        .build()?;
    cx.step("ask", &classifier, text).await
}

#[tokio::test]
async fn a_route_of_agents_with_a_classifier_that_runs_an_agent_has_no_anonymous_record() {
    let it = watched();
    let desk = |answer: &str| {
        Agent::builder("Handle it.")
            .model(ScriptedModel::new([Reply::text(answer)]).named("opus"))
            .build()
            .unwrap()
    };
    let support = Workflow::route("support", classify)
        .on("billing", desk("refunded"))
        .on("tech", desk("rebooted"))
        .build()
        .unwrap();
    let outcome = it
        .session
        .run(&support, "My card was charged twice.")
        .await
        .unwrap();
    assert_eq!(outcome.output, "refunded");
    assert_eq!(outcome.visited, ["classify", "route_billing"]);
    assert_eq!(
        it.recorder.tree().lines(),
        [
            "loom.workflow.run support",
            "  loom.workflow.step classify",
            "    loom.workflow.step ask",
            "      loom.run classifier",
            "        loom.turn 0",
            "          loom.model.stream haiku",
            "  loom.workflow.step route_billing",
            "    loom.run agent",
            "      loom.turn 0",
            "        loom.model.stream opus",
        ]
    );
    assert_eq!(
        it.audit
            .rows()
            .iter()
            .filter(|row| row.user.is_none())
            .count(),
        0
    );
    let anonymous = it.exporter.get_finished_spans().unwrap();
    let named = |span: &SpanData| {
        span.attributes
            .iter()
            .any(|it| it.key.as_str() == "user_id")
    };
    assert_eq!(anonymous.iter().filter(|span| !named(span)).count(), 0);
}
