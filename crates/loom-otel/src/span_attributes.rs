//! `SpanAttributes`: what a span, or an event of one, says in the exporter's words, each name once.

use loom_core::{
    AttrValue, Attributes, CancelReason, Closed, EffectKind, EffectView, Ending, Settlement,
};
use opentelemetry::trace::SpanContext;
use opentelemetry::{Array, KeyValue, StringValue, Value};

use crate::semconv;

/// The attributes of one span or span event, as they become known.
///
/// The first value of a name stands: the SDK exports an attribute that is set twice twice, which
/// OTLP forbids.
#[derive(Default)]
pub(crate) struct SpanAttributes {
    names: Vec<&'static str>,
    fresh: Vec<KeyValue>,
}

impl SpanAttributes {
    /// What is known when the effect opens.
    pub(crate) fn opened(cx: &EffectView) -> Self {
        let (kind, effect) = (cx.effect().kind(), cx.effect());
        let convention = semconv::convention(kind);
        let mut it = Self::default();
        it.set(semconv::PATTERN, kind.pattern());
        it.set_some(semconv::USER_ID, cx.user().map(ToString::to_string));
        let by = cx.by();
        it.set_some(
            semconv::BY,
            by.map(|it| it.map_or_else(String::new, ToString::to_string)),
        );
        it.set(semconv::SESSION_ID, cx.session_id().to_string());
        it.set(semconv::RUN_ID, cx.run_id().to_string());
        it.set(semconv::PATH, cx.path());
        it.set(semconv::SPAN, kind.span_name());
        let conversation = cx.conversation_id().map(ToString::to_string);
        it.set_some(semconv::CONVERSATION_ID, conversation);
        let agent = cx.agent_name().filter(|name| !name.is_empty());
        it.set_some(semconv::AGENT_NAME, agent.map(ToString::to_string));
        it.set_some(semconv::OPERATION_NAME, convention.operation);
        it.set_some(semconv::REPLAYED, cx.is_replayed().then_some(true));
        it.set_all(kind, effect.attributes());
        if let Some(label) = convention.label {
            it.set(label, effect.name().to_string());
        }
        if kind == EffectKind::Step {
            it.set(semconv::VISIT, i64::from(cx.nth()));
        }
        it.fresh.extend(convention.fixed);
        it
    }

    /// The ids by which records know the span, where the provider gave it others.
    pub(crate) fn set_ids_beside(&mut self, cx: &EffectView, given: &SpanContext) {
        if given.trace_id() != cx.trace_id().as_u128().into() {
            self.set(semconv::TRACE_ID, cx.trace_id().to_string());
        }
        if given.span_id() != cx.span_id().as_u64().into() {
            self.set(semconv::SPAN_ID, cx.span_id().to_string());
        }
    }

    /// How the effect ended and what was recorded while it ran.
    pub(crate) fn set_closed(&mut self, kind: EffectKind, closed: &Closed<'_>) {
        self.set(semconv::ENDING, closed.ending.as_str());
        let why = closed.ending.cancel_reason();
        self.set_some(semconv::CANCEL_REASON, why.map(CancelReason::as_str));
        self.set_some(semconv::ERROR_TYPE, error_type(closed));
        self.set_all(kind, closed.attributes);
    }

    /// Where the run's records stand: the first log, if there are several.
    pub(crate) fn set_settled(&mut self, settlements: &[Settlement]) {
        let mut anchors = settlements
            .iter()
            .filter_map(|it| it.result.as_ref().ok()?.as_ref());
        if let Some(anchor) = anchors.next() {
            self.set(semconv::AUDIT_LOG, anchor.log.clone());
            self.set(
                semconv::AUDIT_SIZE,
                i64::try_from(anchor.size).unwrap_or(i64::MAX),
            );
            self.set(semconv::AUDIT_HEAD, anchor.head.clone());
        }
    }

    /// What wasn't taken yet.
    pub(crate) fn take(&mut self) -> Vec<KeyValue> {
        std::mem::take(&mut self.fresh)
    }

    pub(crate) fn set_all(&mut self, kind: EffectKind, attributes: &Attributes) {
        for (neutral, value) in attributes.iter() {
            if let (Some(name), Some(value)) = (semconv::exported(kind, neutral), exported(value)) {
                self.set(name, value);
            }
        }
    }

    pub(crate) fn set_some(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if !self.names.contains(&name) {
            self.names.push(name);
            self.fresh.push(KeyValue::new(name, value.into()));
        }
    }
}

/// The kind of the error a span failed with. A cancelled or paused span didn't fail: something
/// else did, or somebody changed their mind, and a failure that is counted twice alarms twice.
pub(crate) fn error_type(closed: &Closed<'_>) -> Option<&'static str> {
    match closed.ending {
        Ending::Failed | Ending::Denied | Ending::Interrupted => Some(
            closed
                .error
                .map_or(closed.ending.as_str(), |error| error.kind().as_str()),
        ),
        _ => None,
    }
}

/// `None` for a sort of value that a later core adds.
fn exported(value: &AttrValue) -> Option<Value> {
    match value {
        AttrValue::Text(text) => Some(text.to_string().into()),
        AttrValue::Int(n) => Some((*n).into()),
        AttrValue::Float(x) => Some((*x).into()),
        AttrValue::Bool(yes) => Some((*yes).into()),
        AttrValue::List(texts) => {
            let texts = texts.iter().map(|it| StringValue::from(it.to_string()));
            Some(Value::Array(Array::String(texts.collect())))
        }
        _ => None,
    }
}
