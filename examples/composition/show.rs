//! Shows what was recorded: for people, or as one JSON object on one line.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use loomflow::audit::{Audit, Row, Verdict};
use loomflow::{Error, Outcome, Recorder, Report, Result};
use opentelemetry::{Array, StringValue, Value as OtelValue};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::{Map, Value, json};

/// A run's result and all that was recorded of it.
pub(crate) struct Record {
    pub(crate) result: Result<Outcome<String>>,
    pub(crate) audit: Audit,
    pub(crate) recorder: Recorder,
    #[expect(dead_code, reason = "held, since dropping it would empty the exporter")]
    pub(crate) provider: SdkTracerProvider,
    pub(crate) exporter: InMemorySpanExporter,
}

impl Record {
    fn report(&self) -> Option<&Report> {
        match &self.result {
            Ok(outcome) => Some(outcome.report()),
            Err(error) => error.run(),
        }
    }

    fn error(&self) -> Option<&Error> {
        self.result.as_ref().err()
    }
}

/// Prints the record; the status is 0 only for a run that succeeded under a log that verifies.
pub(crate) fn print(record: &Record, as_json: bool) -> ExitCode {
    let verdict = record.audit.verify().verdict;
    let text = if as_json {
        format!("{}\n", object(record, verdict))
    } else {
        page(record, verdict)
    };
    // A reader that went away has seen enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    if let Some(error) = record.error() {
        eprintln!("composition: {error}");
    }
    if record.error().is_none() && verdict == Verdict::Ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The answer, the tree of spans, the rows and the verdict: nothing that differs from run to run.
fn page(record: &Record, verdict: Verdict) -> String {
    let answer = match &record.result {
        Ok(outcome) => outcome.output.clone(),
        Err(error) => format!("failed: {error}"),
    };
    let rows: Vec<String> = record.audit.rows().iter().map(line).collect();
    format!(
        "{answer}\n\n{}\n{}\n\nverdict: {verdict:?}\n",
        record.recorder.tree(),
        rows.join("\n")
    )
}

fn line(row: &Row) -> String {
    let subject = match row.actor.as_str() {
        "agent" => "agent",
        "model" | "tool" => "tool",
        _ if row.action.starts_with("workflow_") => "workflow",
        _ => "node",
    };
    let user = row.user.as_ref().map_or("-", |it| it.as_str());
    let ok = match (row.actor.as_str(), row.end.as_deref()) {
        ("tool", Some(end)) => format!(" ok={}", end == "completed"),
        _ => String::new(),
    };
    format!(
        "{:>2} {:<20} {subject}={}{ok} user={user}",
        row.seq - 1,
        row.action,
        row.name
    )
}

fn object(record: &Record, verdict: Verdict) -> Value {
    let report = record.report();
    let anchor = report
        .and_then(|it| it.anchors.first())
        .map(|it| format!("{}:{}", it.size, it.head));
    let usage = report.map(|it| {
        json!({
            "input_tokens": it.usage.input_tokens,
            "output_tokens": it.usage.output_tokens,
            "model_calls": it.usage.model_calls,
            "tool_calls": it.usage.tool_calls,
        })
    });
    let mut object = json!({
        "output": record.result.as_ref().ok().map(|it| &it.output),
        "run_id": report.map(|it| &it.run_id),
        "session_id": report.map(|it| &it.session_id),
        "trace_id": report.map(|it| it.trace_id),
        "visited": report.map(|it| &it.visited),
        "usage": usage,
        "anchor": anchor,
        "verdict": format!("{verdict:?}"),
        "spans": spans(record),
        "rows": record.audit.rows().iter().map(row).collect::<Vec<_>>(),
    });
    if let Some(error) = record.error() {
        object["error"] = json!({
            "kind": error.kind().as_str(),
            "message": error.message(),
            "path": error.path(),
        });
    }
    object
}

/// The spans as OpenTelemetry exported them, in the order they were opened.
fn spans(record: &Record) -> Vec<Value> {
    let exported = record.exporter.get_finished_spans().unwrap_or_default();
    let by_id: HashMap<String, &SpanData> = exported
        .iter()
        .map(|span| (span.span_context.span_id().to_string(), span))
        .collect();
    let opened = record.recorder.spans();
    let exported = opened
        .iter()
        .filter_map(|span| Some((span, *by_id.get(&span.span.to_string())?)));
    exported
        .map(|(span, exported)| {
            let parent = exported.parent_span_id.to_string();
            json!({
                "name": exported.name,
                "label": span.name,
                "span_id": exported.span_context.span_id().to_string(),
                "parent_id": (parent != "0000000000000000").then_some(parent),
                "trace_id": exported.span_context.trace_id().to_string(),
                "status": span.ending.map(loomflow::Ending::as_str),
                "start": time(exported.start_time),
                "end": time(exported.end_time),
                "attributes": attributes(exported),
            })
        })
        .collect()
}

fn attributes(span: &SpanData) -> Value {
    let pairs = span
        .attributes
        .iter()
        .map(|it| (it.key.to_string(), value(&it.value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn value(value: &OtelValue) -> Value {
    match value {
        OtelValue::Bool(it) => json!(it),
        OtelValue::I64(it) => json!(it),
        OtelValue::F64(it) => json!(it),
        OtelValue::Array(Array::String(items)) => {
            json!(items.iter().map(StringValue::as_str).collect::<Vec<_>>())
        }
        other => json!(other.as_str()),
    }
}

/// RFC 3339 in UTC, to the microsecond.
fn time(at: SystemTime) -> Option<String> {
    let at = jiff::Timestamp::try_from(at).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

fn row(row: &Row) -> Value {
    json!({
        "seq": row.seq,
        "actor": row.actor,
        "action": row.action,
        "name": row.name,
        "end": row.end,
        "why": row.why,
        "replayed": row.replayed.then_some(true),
        "user": row.user,
        "session": row.session,
        "run": row.run,
        "parent_run": row.parent_run,
        "trace": row.trace,
        "span": row.span,
        "parent_span": row.parent_span,
        "payload": row.payload,
    })
}
