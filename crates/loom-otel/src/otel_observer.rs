//! `OtelObserver`: every effect becomes a span of a tracer provider.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use loom_core::{
    Closed, EffectKind, EffectView, Ending, Event, EventKind, Observer, RunId, Settlement, SpanId,
    TraceId, TraceParent,
};
use opentelemetry::global::{BoxedTracer, ObjectSafeTracerProvider};
use opentelemetry::trace::{
    Link, Span, SpanBuilder, SpanContext, Status, TraceContextExt, TraceFlags, TraceState, Tracer,
};
use opentelemetry::{Context, InstrumentationScope};

use crate::id_generator::with_ids;
use crate::open_spans::{OpenSpan, OpenSpans};
use crate::span_attributes::{self, SpanAttributes};
use crate::{entered, semconv, span_events};

/// Turns the effects of every run into OpenTelemetry spans.
///
/// - Spans begin and end at the times of their events, and are nested as the effects are. A run
///   is a trace of its own, or part of the one its session was given
///   ([`Session::traceparent`](loom_core::Session::traceparent)).
/// - While an effect is polled its span is the active one, so that spans started by users' own
///   code nest under it, across `await` and beside concurrent siblings.
/// - With a provider from [`provider_builder`](crate::provider_builder) exported ids are those of
///   the records. With any other, parents are right as well, and attributes name the records' ids.
/// - A span that failed, was denied or met a limit has an error status and `error.type`, both the
///   error's kind: a message may quote content. One that was cancelled or paused has neither, and
///   says so in `loom.ending` and `loom.cancel_reason`.
/// - A resumed run is a further root in the trace of its first attempt, whose root it links to;
///   what an earlier attempt recorded is a span that says `loom.replayed`.
/// - Retries, decisions of gates, approvals and limits are events of the span they happened in, and
///   so is an effect whose end no earlier attempt recorded (`unfinished`); questions are told by
///   their names alone.
/// - The root's span is handed to the exporter when the run has settled, since it then says where
///   the audit log stands; it ends at the time the run ended all the same.
/// - Inputs, outputs, streamed text, questions' texts, reasons of gates and why somebody acts for
///   everybody are never exported.
///
/// ```
/// use loom_core::{Loom, Result, RunContext};
/// use loom_otel::{OtelObserver, provider_builder};
/// use opentelemetry_sdk::trace::InMemorySpanExporter;
///
/// async fn shout(text: String) -> Result<String> {
///     Ok(text.to_uppercase())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let exporter = InMemorySpanExporter::default();
/// let provider = provider_builder().with_simple_exporter(exporter.clone()).build();
/// let loom = Loom::builder().observe(OtelObserver::new(&provider)).build();
/// let outcome = loom.session("alice").run(&shout, "hello").await?;
///
/// let spans = exporter.get_finished_spans().unwrap();
/// assert_eq!(spans[0].name, "loom.workflow.run");
/// assert_eq!(spans[0].span_context.trace_id().to_string(), outcome.trace_id.to_string());
/// # Ok(())
/// # }
/// ```
pub struct OtelObserver {
    tracer: BoxedTracer,
    open: OpenSpans,
    /// The roots that closed as paused and haven't settled. A run that resumes itself, since it was
    /// answered while it paused, settles with its last attempt alone.
    paused: Mutex<HashMap<(TraceId, RunId), SpanId>>,
}

impl OtelObserver {
    /// An observer whose spans belong to this provider: any
    /// [`TracerProvider`](opentelemetry::trace::TracerProvider).
    ///
    /// ```
    /// use loom_otel::OtelObserver;
    ///
    /// let observer = OtelObserver::new(&opentelemetry::global::tracer_provider());
    /// # let _ = observer;
    /// ```
    pub fn new(provider: &impl ObjectSafeTracerProvider) -> Self {
        let scope = InstrumentationScope::builder(semconv::SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(semconv::SCHEMA_URL)
            .build();
        Self {
            tracer: BoxedTracer::new(provider.boxed_tracer(scope)),
            open: OpenSpans::default(),
            paused: Mutex::default(),
        }
    }

    fn opened(&self, event: &Event<'_>) {
        let (cx, kind) = (event.cx, event.effect().kind());
        if cx.parent().is_none() {
            let before = self.paused().remove(&key(cx));
            before.into_iter().for_each(|root| self.end_root(root, &[]));
        }
        let mut attributes = SpanAttributes::opened(cx);
        let builder = SpanBuilder::from_name(kind.span_name())
            .with_kind(semconv::convention(kind).span_kind)
            .with_start_time(event.at)
            .with_attributes(attributes.take())
            .with_links(links(cx));
        let parent = self.parent(cx);
        let is_first = !parent.span().span_context().is_valid();
        let trace = is_first.then(|| cx.trace_id().as_u128().into());
        let mut span = with_ids(trace, cx.span_id().as_u64().into(), || {
            self.tracer.build_with_context(builder, &parent)
        });
        attributes.set_ids_beside(cx, span.span_context());
        span.set_attributes(attributes.take());
        let before = self.open.insert(
            cx.span_id(),
            OpenSpan {
                context: Context::current_with_span(span),
                attributes,
                opened_at: event.at,
                closed_at: None,
            },
        );
        drop(before);
    }

    /// The context the effect's span is to be a child of; never the span that is current by
    /// chance: where a run belongs is said by its session alone.
    fn parent(&self, cx: &EffectView) -> Context {
        match (cx.parent(), cx.caller().filter(|it| is_in_trace(cx, it))) {
            // A parent that closed on another thread just now is known by its id alone.
            (Some(parent), _) => self
                .open
                .context(parent.span_id())
                .unwrap_or_else(|| within(remote(parent.traceparent()))),
            (None, Some(caller)) => within(remote(caller)),
            (None, None) => without_span(Context::current()),
        }
    }

    fn happened(&self, event: &Event<'_>) {
        let Some((name, attributes)) = span_events::of(event) else {
            return;
        };
        if let Some(context) = self.open.context(event.span_id()) {
            context
                .span()
                .add_event_with_timestamp(name, event.at, attributes);
        }
    }

    fn closed(&self, event: &Event<'_>, closed: &Closed<'_>) {
        let Some(mut open) = self.open.remove(event.span_id()) else {
            return;
        };
        let span = open.context.span();
        open.attributes.set_closed(event.effect().kind(), closed);
        span.set_attributes(open.attributes.take());
        if let Some(kind) = span_attributes::error_type(closed) {
            span.set_status(Status::error(kind));
        }
        match event.cx.parent() {
            Some(_) => span.end_with_timestamp(event.at),
            None => {
                open.closed_at = Some(event.at);
                drop(self.open.insert(event.span_id(), open));
                if closed.ending == Ending::Paused {
                    self.paused().insert(key(event.cx), event.span_id());
                }
            }
        }
    }

    fn settled(&self, event: &Event<'_>, settlements: &[Settlement]) {
        self.paused().remove(&key(event.cx));
        self.end_root(event.span_id(), settlements);
    }

    fn end_root(&self, root: SpanId, settlements: &[Settlement]) {
        let Some(mut root) = self.open.remove(root) else {
            return;
        };
        let span = root.context.span();
        root.attributes.set_settled(settlements);
        span.set_attributes(root.attributes.take());
        span.end_with_timestamp(root.closed_at.unwrap_or(root.opened_at));
    }

    fn paused(&self) -> MutexGuard<'_, HashMap<(TraceId, RunId), SpanId>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for OtelObserver {
    fn name(&self) -> &str {
        "otel"
    }

    fn on_event(&self, event: &Event<'_>) {
        match &event.kind {
            EventKind::Opened { .. } => self.opened(event),
            EventKind::Closed(closed) => self.closed(event, closed),
            EventKind::Settled { settlements } => self.settled(event, settlements),
            EventKind::Delta { .. } if event.effect().kind() == EffectKind::Model => {
                self.open.chunk(event.span_id(), event.at);
            }
            _ => self.happened(event),
        }
    }

    fn wants_polls(&self) -> bool {
        true
    }

    fn enter(&self, span: SpanId) {
        entered::enter(span, self.open.context(span));
    }

    fn exit(&self, span: SpanId) {
        entered::exit(span);
    }
}

/// Which run a root is of, whichever attempt.
fn key(root: &EffectView) -> (TraceId, RunId) {
    (root.trace_id(), root.root_run_id().clone())
}

/// What a root goes on with that isn't its parent: the root of the attempt before, and the caller
/// that resumed it from a trace of its own.
fn links(cx: &EffectView) -> Vec<Link> {
    if cx.parent().is_some() {
        return Vec::new();
    }
    let first = cx.continues().map(|span_id| TraceParent {
        span_id,
        ..cx.traceparent()
    });
    let caller = cx.caller().filter(|it| !is_in_trace(cx, it));
    let linked = first.into_iter().chain(caller);
    linked.map(|it| Link::with_context(remote(it))).collect()
}

/// A resumed run stays in the trace it began in, whoever resumes it.
fn is_in_trace(cx: &EffectView, caller: &TraceParent) -> bool {
    caller.trace_id == cx.trace_id()
}

fn within(parent: SpanContext) -> Context {
    Context::current().with_remote_span_context(parent)
}

/// An invalid span in its place wouldn't do: samplers take it for a parent that wasn't sampled.
fn without_span(current: Context) -> Context {
    match (current.has_active_span(), current.is_telemetry_suppressed()) {
        (false, _) => current,
        (true, false) => Context::new(),
        (true, true) => Context::new().with_telemetry_suppressed(),
    }
}

fn remote(parent: TraceParent) -> SpanContext {
    SpanContext::new(
        parent.trace_id.as_u128().into(),
        parent.span_id.as_u64().into(),
        TraceFlags::default().with_sampled(parent.sampled),
        true,
        TraceState::NONE,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use loom_core::{Loom, Result, RunContext};

    use super::*;
    use crate::provider_builder;

    #[test]
    fn nothing_of_a_run_is_kept_when_it_is_over_or_dropped() {
        async fn wait(ends: bool) -> Result<()> {
            match ends {
                true => Ok(()),
                false => std::future::pending().await,
            }
        }
        async fn nested(cx: RunContext, ends: bool) -> Result<()> {
            cx.step("wait", &wait, ends).await
        }
        let observer = Arc::new(OtelObserver::new(&provider_builder().build()));
        let loom = Loom::builder().observe(observer.clone()).build();
        let session = loom.session("alice");
        let over = session.run(&nested, true).now_or_never();
        assert!(over.is_some_and(|it| it.is_ok()));
        assert_eq!(observer.open.count(), 0);

        let mut dropped = session.run(&nested, false);
        assert!((&mut dropped).now_or_never().is_none());
        assert_eq!(observer.open.count(), 2);
        drop(dropped);
        assert_eq!(observer.open.count(), 0);
    }
}
