//! `LoomIdGenerator`: how the core's span and trace ids become the exported ones.

use std::cell::Cell;

use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SdkTracerProvider, TracerProviderBuilder,
};

/// A builder of tracer providers whose spans carry the ids that records have.
///
/// ```
/// use loom_otel::{OtelObserver, provider_builder};
/// use opentelemetry_sdk::trace::InMemorySpanExporter;
///
/// let exporter = InMemorySpanExporter::default();
/// let provider = provider_builder().with_simple_exporter(exporter).build();
/// let observer = OtelObserver::new(&provider);
/// # let _ = observer;
/// ```
#[must_use = "a provider is made by `.build()`"]
pub fn provider_builder() -> TracerProviderBuilder {
    SdkTracerProvider::builder().with_id_generator(LoomIdGenerator::default())
}

/// Gives spans of runs the ids the core gave them, and all other spans random ones.
///
/// For a provider that is set up elsewhere; [`provider_builder`] has it already.
///
/// ```
/// use loom_otel::LoomIdGenerator;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(LoomIdGenerator::default())
///     .build();
/// # let _ = provider;
/// ```
#[derive(Clone, Debug, Default)]
pub struct LoomIdGenerator {
    random: RandomIdGenerator,
}

impl IdGenerator for LoomIdGenerator {
    fn new_trace_id(&self) -> TraceId {
        TRACE.take().unwrap_or_else(|| self.random.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        SPAN.take().unwrap_or_else(|| self.random.new_span_id())
    }
}

// The SDK asks its generator while it builds a span, on the thread that builds it, and tells it
// nothing: ids are handed over in these. Each is taken once, so that a span which a sampler or
// processor starts meanwhile gets ids of its own.
thread_local! {
    static TRACE: Cell<Option<TraceId>> = const { Cell::new(None) };
    static SPAN: Cell<Option<SpanId>> = const { Cell::new(None) };
}

/// Builds a span to which a [`LoomIdGenerator`], if the provider has one, gives these ids. A span
/// with a parent takes the parent's trace and is handed none.
pub(crate) fn with_ids<T>(trace: Option<TraceId>, span: SpanId, build: impl FnOnce() -> T) -> T {
    // On drop, so that a build that panics leaves no ids to somebody else's span.
    let _cleared = Cleared;
    TRACE.set(trace);
    SPAN.set(Some(span));
    build()
}

struct Cleared;

impl Drop for Cleared {
    fn drop(&mut self) {
        TRACE.set(None);
        SPAN.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_handed_over_once_and_never_to_another_span() {
        let generator = LoomIdGenerator::default();
        let ours = (TraceId::from(7), SpanId::from(8));
        let next = || (generator.new_trace_id(), generator.new_span_id());
        let (first, second) = with_ids(Some(ours.0), ours.1, || (next(), next()));
        assert_eq!(first, ours);
        assert!(second.0 != ours.0 && second.1 != ours.1);
        with_ids(Some(ours.0), ours.1, || ());
        let (trace, span) = next();
        assert!(trace != ours.0 && span != ours.1);
    }
}
