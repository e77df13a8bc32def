//! Spans that users' own code starts nest under the effect they were started in.

use loom_core::{Effect, EffectKind, Result, RunContext};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{FutureExt, Span, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use crate::exported::{Telemetry, block_on, children};

fn step(name: &'static str) -> Effect {
    Effect::new(EffectKind::Step, name)
}

/// A user's code: a span before it waits, and one after.
async fn work(tracer: SdkTracer, name: &'static str) -> Result<()> {
    tracer.start(format!("{name} before")).end();
    tokio::task::yield_now().await;
    tracer.start(format!("{name} after")).end();
    Ok(())
}

/// The names of the spans below the `nth` effect that was opened.
fn below(telemetry: &Telemetry, nth: usize) -> Vec<String> {
    let parent = telemetry.recorder.spans()[nth].span.as_u64();
    children(&telemetry.spans(), parent.into())
}

#[tokio::test]
async fn a_user_s_spans_nest_under_their_step_across_await_and_beside_siblings() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.provider.tracer("app");
    let both = move |cx: RunContext, (): ()| {
        let (one, two, own) = (tracer.clone(), tracer.clone(), tracer.clone());
        async move {
            let (left, right) = futures::join!(
                cx.perform(step("left"), (), |_cx, ()| work(one, "left")),
                cx.perform(step("right"), (), |_cx, ()| work(two, "right")),
            );
            own.start("last").end();
            left.and(right)
        }
    };
    let session = telemetry.loom().build().session("alice");
    session.run(&both, ()).await.unwrap();

    assert_eq!(
        below(&telemetry, 0),
        ["last", "loom.workflow.step", "loom.workflow.step"]
    );
    assert_eq!(below(&telemetry, 1), ["left after", "left before"]);
    assert_eq!(below(&telemetry, 2), ["right after", "right before"]);
    let trace = telemetry.recorder.spans()[0].trace.as_u128().into();
    let traces = telemetry.spans().into_iter();
    assert_eq!(
        traces
            .map(|it| it.span_context.trace_id())
            .collect::<Vec<_>>(),
        vec![trace; 8]
    );
    assert!(!Context::current().has_active_span());
}

#[test]
fn a_task_that_takes_the_current_context_along_nests_too() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.provider.tracer("app");
    let spawning = move |_cx: RunContext, (): ()| {
        let tracer = tracer.clone();
        async move {
            let elsewhere = work(tracer, "spawned").with_current_context();
            let thread = std::thread::spawn(|| block_on(elsewhere));
            thread.join().unwrap()
        }
    };
    block_on(telemetry.loom().build().session("alice").run(&spawning, ())).unwrap();
    assert_eq!(below(&telemetry, 0), ["spawned after", "spawned before"]);
}

#[test]
fn a_run_does_not_join_the_span_around_it_but_keeps_what_else_the_context_carries() {
    let telemetry = Telemetry::new();
    let tracer = telemetry.provider.tracer("app");
    let baggage = |_cx: RunContext, (): ()| async {
        let tenant = Context::map_current(|it| it.baggage().get("tenant").cloned());
        Ok::<_, loom_core::Error>(tenant.map_or(String::new(), |it| it.to_string()))
    };
    let around = tracer.start("request");
    let context =
        Context::current_with_span(around).with_baggage([KeyValue::new("tenant", "acme")]);
    let request = context.span().span_context().clone();
    let guard = context.attach();
    let outcome = block_on(telemetry.loom().build().session("alice").run(&baggage, ())).unwrap();
    assert_eq!(outcome.output, "acme");
    assert_eq!(
        Context::map_current(|it| it.span().span_context().clone()),
        request
    );
    drop(guard);
    assert_eq!(children(&telemetry.spans(), request.span_id()), [""; 0]);
    assert_ne!(outcome.trace_id.to_string(), request.trace_id().to_string());
}

#[test]
fn a_panicking_step_leaves_no_span_active() {
    let telemetry = Telemetry::new();
    async fn panics(_: ()) -> Result<()> {
        panic!("on purpose")
    }
    block_on(telemetry.loom().build().session("alice").run(&panics, ())).unwrap_err();
    assert!(!Context::current().has_active_span());
    assert_eq!(telemetry.lines(), ["loom.workflow.run ✗ panicked"]);
}
