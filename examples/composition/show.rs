//! Shows what was recorded: for people, or as one JSON object on one line.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use loomflow::audit::{self, Audit, Row, Verdict};
use loomflow::{Outcome, RecordedSpan, Recorder, Report, RunError, RunErrorKind};
use opentelemetry::{Array, StringValue, Value as OtelValue};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::{Map, Value, json};

/// A run's result and all that was recorded of it.
pub(crate) struct Record {
    pub(crate) result: Result<Outcome<String>, RunError>,
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
            Err(ended) => ended.report(),
        }
    }

    fn error(&self) -> Option<&RunError> {
        self.result.as_ref().err()
    }
}

/// Prints the record; the status is 0 only for a run that succeeded and was recorded whole, under
/// a log that verifies.
pub(crate) fn print(record: &Record, as_json: bool) -> ExitCode {
    let (text, failure) = shown(record, &record.audit.verify(), as_json);
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    if let Some(failure) = &failure {
        eprintln!("composition: {failure}");
    }
    match written.and_then(|()| stdout.flush()) {
        // A reader that went away has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("composition: can't write the record: {error}");
            ExitCode::FAILURE
        }
        _ if failure.is_some() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// The text to print, and what went wrong, if anything did.
pub(crate) fn shown(
    record: &Record,
    log: &audit::Report,
    as_json: bool,
) -> (String, Option<Failure>) {
    let exported = record.exporter.get_finished_spans().unwrap_or_default();
    let failure = Failure::of(record, log, &exported);
    let text = if as_json {
        let object = object(record, log.verdict, &exported, failure.as_ref());
        format!("{object}\n")
    } else {
        page(record, log.verdict)
    };
    (text, failure)
}

/// What went wrong: with the run, else with its log, else with its spans.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    kind: String,
    message: String,
    path: Option<String>,
}

impl Failure {
    fn of(record: &Record, log: &audit::Report, exported: &[SpanData]) -> Option<Self> {
        if let Some(error) = record.error() {
            return Some(Self {
                kind: kind_of(error).to_owned(),
                message: error.message().to_owned(),
                path: error.path().map(str::to_owned),
            });
        }
        if log.verdict != Verdict::Ok {
            let what = log
                .findings
                .first()
                .map_or_else(String::new, |it| format!("; {it}"));
            return Some(Self {
                kind: log.verdict.as_str().to_owned(),
                message: format!("the audit log doesn't verify: it is {}{what}", log.verdict),
                path: None,
            });
        }
        let spans = record.recorder.spans();
        let lost = spans
            .iter()
            .find(|it| exported_as(it, exported).is_none())?;
        Some(Self {
            kind: "internal".to_owned(),
            message: "its span wasn't exported".to_owned(),
            path: Some(lost.path.clone()),
        })
    }
}

/// How the run ended in a word; one that failed, as what.
fn kind_of(ended: &RunError) -> &'static str {
    match ended.kind() {
        RunErrorKind::Failed => ended.error().kind().as_str(),
        other => other.as_str(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)
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

fn object(
    record: &Record,
    verdict: Verdict,
    exported: &[SpanData],
    failure: Option<&Failure>,
) -> Value {
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
        "spans": spans(record, exported),
        "rows": record.audit.rows().iter().map(row).collect::<Vec<_>>(),
    });
    if let Some(failure) = failure {
        object["error"] = json!({
            "kind": failure.kind,
            "message": failure.message,
            "path": failure.path,
        });
    }
    object
}

/// The spans as OpenTelemetry exported them, in the order they were opened; of one that it didn't
/// export, only what was recorded.
fn spans(record: &Record, exported: &[SpanData]) -> Vec<Value> {
    let opened = record.recorder.spans();
    opened
        .iter()
        .map(|span| {
            let found = exported_as(span, exported);
            let parent = match found {
                Some(found) => Some(found.parent_span_id.to_string()),
                None => span.parent_span.map(|it| it.to_string()),
            };
            json!({
                "name": span.effect.span_name(),
                "label": span.name,
                "span_id": span.span.to_string(),
                "parent_id": parent.filter(|it| it != "0000000000000000"),
                "trace_id": span.trace.to_string(),
                "status": span.ending.map(loomflow::Ending::as_str),
                "start": found.and_then(|it| time(it.start_time)),
                "end": found.and_then(|it| time(it.end_time)),
                "attributes": found.map(attributes),
            })
        })
        .collect()
}

/// The exported span with the recorded one's name and ids.
fn exported_as<'a>(span: &RecordedSpan, exported: &'a [SpanData]) -> Option<&'a SpanData> {
    exported.iter().find(|it| {
        it.span_context.span_id().to_string() == span.span.to_string()
            && it.span_context.trace_id().to_string() == span.trace.to_string()
            && it.name == span.effect.span_name()
    })
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
