//! Spans that the provider doesn't record, and providers that record nothing.

use loom_core::{Loom, Result, RunContext, TraceParent};
use loom_otel::{OtelObserver, provider_builder};
use opentelemetry::Context;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler};

use crate::exported::{Telemetry, block_on};

async fn pass(n: u64) -> Result<u64> {
    Ok(n)
}

async fn one_step(cx: RunContext, n: u64) -> Result<u64> {
    cx.note("retry", &loom_core::Attributes::new());
    cx.step("pass", &pass, n).await
}

#[test]
fn a_run_that_is_not_sampled_exports_nothing_and_runs_as_ever() {
    let exporter = InMemorySpanExporter::default();
    let provider = provider_builder()
        .with_sampler(Sampler::AlwaysOff)
        .with_simple_exporter(exporter.clone())
        .build();
    let telemetry = Telemetry::of(exporter, provider);
    let loom = telemetry.loom().build();
    let outcome = block_on(loom.session("alice").run(&one_step, 1u64)).unwrap();
    assert_eq!((outcome.output, loom.observer_faults()), (1, 0));
    assert_eq!(telemetry.spans(), []);
}

#[test]
fn a_caller_that_did_not_sample_decides_for_the_whole_run_and_for_spans_inside_it() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.provider.tracer("app");
    let own_span = move |_cx: RunContext, (): ()| {
        tracer.start("own").end();
        std::future::ready(Ok::<_, loom_core::Error>(()))
    };
    let caller: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
        .parse()
        .unwrap();
    let session = telemetry
        .loom()
        .build()
        .session("alice")
        .traceparent(caller);
    block_on(session.run(&own_span, ())).unwrap();
    assert_eq!(telemetry.spans(), []);
}

#[test]
fn providers_that_give_no_spans_disturb_nothing() {
    let off = provider_builder().build();
    off.shutdown().unwrap();
    let loom = Loom::builder()
        .observe(OtelObserver::new(&off))
        .observe(OtelObserver::new(&NoopTracerProvider::new()))
        .observe(OtelObserver::new(&opentelemetry::global::tracer_provider()))
        .build();
    let outcome = block_on(loom.session("alice").run(&one_step, 1u64)).unwrap();
    assert_eq!((outcome.output, loom.observer_faults()), (1, 0));
}

#[test]
fn a_run_inside_an_exporter_that_suppresses_telemetry_exports_nothing() {
    let telemetry = Telemetry::new();
    let loom = telemetry.loom().build();
    let guard = Context::enter_telemetry_suppressed_scope();
    let outcome = block_on(loom.session("alice").run(&one_step, 1u64)).unwrap();
    drop(guard);
    assert_eq!((outcome.output, telemetry.spans().len()), (1, 0));
}
