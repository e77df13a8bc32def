//! `OpenSpans`: the spans that are open at this moment, by the core's ids.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use loom_core::SpanId;
use opentelemetry::Context;

use crate::semconv;
use crate::span_attributes::SpanAttributes;

/// A span between its opening and its end.
pub(crate) struct OpenSpan {
    /// Holds the provider's span, so that whatever is nested finds its parent in it.
    pub(crate) context: Context,
    pub(crate) attributes: SpanAttributes,
    pub(crate) opened_at: SystemTime,
    /// When the effect closed, if its span has to wait for the run to settle.
    pub(crate) closed_at: Option<SystemTime>,
}

/// As large as what is open: an entry goes when its span ends.
///
/// Span ids are enough to tell spans of different runs apart, since each run draws a random
/// 64-bit seed for its own. Should two clash nevertheless, the earlier one's span ends early.
#[derive(Default)]
pub(crate) struct OpenSpans {
    shards: [Mutex<HashMap<SpanId, OpenSpan>>; SHARDS],
}

/// Every poll of every effect looks its span up, so that one lock would be everybody's.
const SHARDS: usize = 16;

impl OpenSpans {
    /// Gives back what stood there before, to be dropped without the lock.
    pub(crate) fn insert(&self, id: SpanId, span: OpenSpan) -> Option<OpenSpan> {
        self.shard(id).insert(id, span)
    }

    /// The context in which this span is active.
    pub(crate) fn context(&self, id: SpanId) -> Option<Context> {
        self.shard(id).get(&id).map(|it| it.context.clone())
    }

    /// Notes when the first piece of a streamed reply came; the first time stands.
    pub(crate) fn chunk(&self, id: SpanId, at: SystemTime) {
        if let Some(open) = self.shard(id).get_mut(&id) {
            let waited = at.duration_since(open.opened_at).unwrap_or_default();
            let name = semconv::RESPONSE_TIME_TO_FIRST_CHUNK;
            open.attributes.set(name, waited.as_secs_f64());
        }
    }

    pub(crate) fn remove(&self, id: SpanId) -> Option<OpenSpan> {
        self.shard(id).remove(&id)
    }

    fn shard(&self, id: SpanId) -> MutexGuard<'_, HashMap<SpanId, OpenSpan>> {
        let index = id.as_u64() % SHARDS as u64;
        // Nothing of the provider's runs under the lock, so a panic can't leave half a change.
        self.shards[index as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|it| it.lock().unwrap().len()).sum()
    }
}
