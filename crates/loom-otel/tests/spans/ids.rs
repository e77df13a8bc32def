//! Exported ids are the records' ids; where they can't be, they stand beside.

use std::sync::atomic::{AtomicU64, Ordering};

use loom_core::{Result, RunContext, TraceParent};
use loom_testing::Recorder;
use opentelemetry::trace::{SpanId, TraceFlags, TraceId, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{IdGenerator, InMemorySpanExporter, SdkTracerProvider, SpanData};

use crate::exported::{Telemetry, block_on, values};

async fn pass(n: u64) -> Result<u64> {
    Ok(n)
}

async fn two_steps(cx: RunContext, n: u64) -> Result<u64> {
    let n = cx.step("first", &pass, n).await?;
    cx.step("second", &pass, n).await
}

/// Trace, span and parent of every span, as hex.
fn exported(mut spans: Vec<SpanData>) -> Vec<[String; 3]> {
    spans.sort_by_key(|it| it.start_time);
    let ids = spans.iter().map(|it| {
        [
            it.span_context.trace_id().to_string(),
            it.span_context.span_id().to_string(),
            it.parent_span_id.to_string(),
        ]
    });
    ids.collect()
}

fn recorded(recorder: &Recorder) -> Vec<[String; 3]> {
    let ids = recorder.spans().into_iter().map(|it| {
        let parent = it.parent_span.map(|parent| parent.to_string());
        [
            it.trace.to_string(),
            it.span.to_string(),
            parent.unwrap_or_else(|| "0".repeat(16)),
        ]
    });
    ids.collect()
}

#[test]
fn trace_span_and_parent_ids_are_those_that_were_recorded() {
    let telemetry = Telemetry::new();
    let loom = telemetry.loom().build();
    let first = block_on(loom.session("alice").run(&two_steps, 1u64)).unwrap();
    assert_eq!(exported(telemetry.spans()), recorded(&telemetry.recorder));
    let traces: Vec<String> = exported(telemetry.spans())
        .into_iter()
        .map(|[trace, ..]| trace)
        .collect();
    assert_eq!(traces, vec![first.trace_id.to_string(); 3]);

    let second = block_on(loom.session("alice").run(&two_steps, 1u64)).unwrap();
    assert_ne!(first.trace_id, second.trace_id);
    assert_eq!(exported(telemetry.spans()), recorded(&telemetry.recorder));
    assert_eq!(values(&telemetry.spans(), "loom.trace_id"), []);
    assert_eq!(values(&telemetry.spans(), "loom.span_id"), []);
}

#[test]
fn an_incoming_traceparent_is_the_root_s_remote_parent() {
    let telemetry = Telemetry::new();
    let caller: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        .parse()
        .unwrap();
    let session = telemetry.loom().build().session("alice");
    block_on(session.traceparent(caller).run(&two_steps, 1u64)).unwrap();
    let ids = exported(telemetry.spans());
    assert_eq!(ids, recorded(&telemetry.recorder));
    assert_eq!(
        [&ids[0][0], &ids[0][2]],
        ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"]
    );
    let remote: Vec<bool> = telemetry
        .spans()
        .iter()
        .map(|it| it.parent_span_is_remote)
        .collect();
    assert_eq!(remote, [false, false, true]);
}

/// Ids like those of a vendor's distribution.
#[derive(Debug, Default)]
struct Foreign(AtomicU64);

impl IdGenerator for Foreign {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from(0xf000 + u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(0xf000 + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[test]
fn with_another_s_ids_parents_are_right_and_ours_stand_beside() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Foreign::default())
        .with_simple_exporter(exporter.clone())
        .build();
    let telemetry = Telemetry::of(exporter, provider);
    block_on(
        telemetry
            .loom()
            .build()
            .session("alice")
            .run(&two_steps, 1u64),
    )
    .unwrap();
    assert_eq!(
        telemetry.lines(),
        [
            "loom.workflow.run",
            "  loom.workflow.step first",
            "  loom.workflow.step second"
        ]
    );
    let recorded = telemetry.recorder.spans();
    let beside = |name| -> Vec<String> {
        let values = values(&telemetry.spans(), name);
        values.into_iter().map(|(_, value)| value).collect()
    };
    let traces: Vec<String> = recorded.iter().map(|it| it.trace.to_string()).collect();
    let spans: Vec<String> = recorded.iter().map(|it| it.span.to_string()).collect();
    assert_eq!(beside("loom.trace_id"), traces);
    assert_eq!(beside("loom.span_id"), spans);
    assert!(
        exported(telemetry.spans())
            .iter()
            .all(|[trace, span, _]| { trace.ends_with("f001") && span.contains("f00") })
    );
}

#[test]
fn with_another_s_ids_an_incoming_trace_is_continued_all_the_same() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Foreign::default())
        .with_simple_exporter(exporter.clone())
        .build();
    let telemetry = Telemetry::of(exporter, provider);
    let caller: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        .parse()
        .unwrap();
    let session = telemetry.loom().build().session("alice");
    block_on(session.traceparent(caller).run(&pass, 1u64)).unwrap();
    let spans = telemetry.spans();
    assert_eq!(
        exported(spans.clone())[0][0],
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(values(&spans, "loom.trace_id"), []);
    assert_eq!(values(&spans, "loom.span_id").len(), 1);
}

#[test]
fn spans_that_are_not_ours_get_ids_of_their_own() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.provider.tracer("app");
    let one = tracer.start("one");
    let two = tracer.start("two");
    drop((one, two));
    let spans = telemetry.spans();
    let [one, two] = [&spans[0].span_context, &spans[1].span_context];
    assert!(one.is_valid() && two.is_valid());
    assert_ne!(one.trace_id(), two.trace_id());
    assert_ne!(one.span_id(), two.span_id());
    assert_eq!(one.trace_flags(), TraceFlags::SAMPLED);
}

#[test]
fn many_runs_on_many_threads_export_each_span_once_with_its_recorded_ids() {
    let telemetry = Telemetry::new();
    let loom = telemetry.loom().build();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for n in 0..50u64 {
                    let outcome = block_on(loom.session("alice").run(&two_steps, n)).unwrap();
                    assert_eq!(outcome.output, n);
                }
            });
        }
    });
    let mut exported = exported(telemetry.spans());
    let mut recorded = recorded(&telemetry.recorder);
    exported.sort();
    recorded.sort();
    assert_eq!(exported.len(), 600);
    assert_eq!(exported, recorded);
    assert_eq!(loom.observer_faults(), 0);
}
