//! What was exported, as text to compare whole.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use loom_core::{Loom, LoomBuilder};
use loom_otel::{OtelObserver, provider_builder};
use loom_testing::{CountingIds, Recorder, TickingClock};
use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};

/// A provider of ours, what it exported, and what a recorder saw of the same runs.
pub(crate) struct Telemetry {
    pub(crate) exporter: InMemorySpanExporter,
    pub(crate) provider: SdkTracerProvider,
    pub(crate) recorder: Recorder,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = provider_builder()
            .with_simple_exporter(exporter.clone())
            .build();
        Self::of(exporter, provider)
    }

    pub(crate) fn of(exporter: InMemorySpanExporter, provider: SdkTracerProvider) -> Self {
        Self {
            exporter,
            provider,
            recorder: Recorder::default(),
        }
    }

    /// A loom whose runs are the same to the byte every time.
    pub(crate) fn loom(&self) -> LoomBuilder {
        Loom::builder()
            .clock(TickingClock::default())
            .ids(CountingIds::default())
            .observe(OtelObserver::new(&self.provider))
            .observe(self.recorder.clone())
    }

    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }

    /// Every span with all there is to say of it, children below parents in order of their start.
    pub(crate) fn tree(&self) -> String {
        tree(&self.spans(), &whole)
    }

    /// Every span in one line: its name, its step's name if it has one, and its status.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = tree(&self.spans(), &short);
        text.lines().map(str::to_owned).collect()
    }
}

fn tree(spans: &[SpanData], show: &dyn Fn(&SpanData) -> Vec<String>) -> String {
    let mut spans: Vec<&SpanData> = spans.iter().collect();
    spans.sort_by_key(|it| it.start_time);
    let mut text = String::new();
    let is_root = |it: &&&SpanData| {
        let parent = spans
            .iter()
            .find(|other| other.span_context.span_id() == it.parent_span_id);
        parent.is_none()
    };
    for root in spans.iter().filter(is_root) {
        write(&mut text, &spans, root, 0, show);
    }
    text
}

fn write(
    text: &mut String,
    spans: &[&SpanData],
    span: &SpanData,
    depth: usize,
    show: &dyn Fn(&SpanData) -> Vec<String>,
) {
    for line in show(span) {
        writeln!(text, "{}{line}", "  ".repeat(depth)).unwrap();
    }
    let id = span.span_context.span_id();
    for child in spans.iter().filter(|it| it.parent_span_id == id) {
        assert_eq!(
            child.span_context.trace_id(),
            span.span_context.trace_id(),
            "a child is in its parent's trace"
        );
        write(text, spans, child, depth + 1, show);
    }
}

fn short(span: &SpanData) -> Vec<String> {
    let step = span
        .attributes
        .iter()
        .find(|it| it.key.as_str() == "loom.step");
    let step = step.map_or(String::new(), |it| format!(" {}", it.value));
    let status = match &span.status {
        Status::Error { description } => format!(" ✗ {description}"),
        Status::Unset | Status::Ok => String::new(),
    };
    vec![format!("{}{step}{status}", span.name)]
}

fn whole(span: &SpanData) -> Vec<String> {
    let name = &span.name;
    let (start, end) = (ms(span.start_time), ms(span.end_time));
    let mut lines = vec![format!("{name} {:?} {start}..{end}", span.span_kind)];
    if span.parent_span_is_remote {
        lines.push(format!("  ^ {}", span.parent_span_id));
    }
    if span.status != Status::Unset {
        lines.push(format!("  ! {:?}", span.status));
    }
    for link in span.links.iter() {
        let linked = &link.span_context;
        let (trace, span) = (linked.trace_id(), linked.span_id());
        let flags = linked.trace_flags().to_u8();
        lines.push(format!("  ~ {trace} {span} {flags:02x}"));
        assert_eq!((linked.is_remote(), link.attributes.len()), (true, 0));
    }
    lines.extend(span.attributes.iter().map(|it| format!("  - {}", fact(it))));
    for event in &span.events.events {
        lines.push(format!("  * {} {}", event.name, ms(event.timestamp)));
        lines.extend(
            event
                .attributes
                .iter()
                .map(|it| format!("    - {}", fact(it))),
        );
    }
    let dropped = [
        span.dropped_attributes_count,
        span.events.dropped_count,
        span.links.dropped_count,
    ];
    assert_eq!(dropped, [0; 3]);
    lines
}

fn fact(it: &KeyValue) -> String {
    match &it.value {
        Value::String(text) => format!("{}: {:?}", it.key, text.as_str()),
        other => format!("{}: {other}", it.key),
    }
}

/// Milliseconds since the start of [`TickingClock`].
fn ms(at: SystemTime) -> u128 {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    at.duration_since(start).unwrap().as_millis()
}

/// Runs to the end. Not the executor of `futures`: the SDK's simple processor exports with that
/// one, and it can't be nested.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// The values of an attribute on all spans, with the span's name, by the spans' start.
pub(crate) fn values(spans: &[SpanData], name: &str) -> Vec<(String, String)> {
    let mut spans: Vec<&SpanData> = spans.iter().collect();
    spans.sort_by_key(|it| it.start_time);
    let with = spans.into_iter().flat_map(|span| {
        let found = span.attributes.iter().filter(|it| it.key.as_str() == name);
        found.map(|it| (span.name.to_string(), it.value.to_string()))
    });
    with.collect()
}

/// Spans whose parent is this one, by name.
pub(crate) fn children(spans: &[SpanData], parent: SpanId) -> Vec<String> {
    let mut names: Vec<String> = spans
        .iter()
        .filter(|it| it.parent_span_id == parent)
        .map(|it| it.name.to_string())
        .collect();
    names.sort();
    names
}
