//! `Counts`: what of a tree is counted the moment it is let through. Every effect is, so none of
//! it takes a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::budget::{Reached, Used};
use crate::effect::EffectKind;
use crate::limits::Limits;

pub(super) struct Counts {
    pub(super) effects: Count,
    pub(super) model_calls: Count,
    pub(super) tool_calls: Count,
}

impl Counts {
    pub(super) fn new(used: Used) -> Self {
        Self {
            effects: Count::new(used.effects),
            model_calls: Count::new(used.model_calls),
            tool_calls: Count::new(used.tool_calls),
        }
    }

    /// Counts an effect of this kind, and a call of a model or a tool as one; none of it where a
    /// limit is reached.
    pub(super) fn take(&self, kind: EffectKind, limits: &Limits) -> Result<(), Reached> {
        match kind {
            EffectKind::Model => {
                self.model_calls
                    .up("model_calls_max", limits.model_calls_max)?;
            }
            EffectKind::Tool => self
                .tool_calls
                .up("tool_calls_max", limits.tool_calls_max)?,
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => (),
        }
        self.open(limits).inspect_err(|_| self.take_back(kind))
    }

    /// Counts an opening alone.
    pub(super) fn open(&self, limits: &Limits) -> Result<(), Reached> {
        self.effects.up("effects_max", Some(limits.effects_max))
    }

    /// Takes back the count of a call, but not of its opening.
    pub(super) fn take_back(&self, kind: EffectKind) {
        match kind {
            EffectKind::Model => self.model_calls.down(1),
            EffectKind::Tool => self.tool_calls.down(1),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => (),
        }
    }
}

/// One of them. Nothing else is ordered by it.
pub(super) struct Count(AtomicU64);

impl Count {
    fn new(used: u64) -> Self {
        Self(AtomicU64::new(used))
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, if the limit allows it.
    fn up(&self, limit: &'static str, max: Option<u64>) -> Result<(), Reached> {
        let max = max.unwrap_or(u64::MAX);
        let counted = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < max).then(|| used + 1)
            });
        match counted {
            Ok(_) => Ok(()),
            Err(_) => Err(Reached { limit, value: max }),
        }
    }

    pub(super) fn down(&self, by: u64) {
        let less = |used: u64| Some(used.saturating_sub(by));
        // It gives a value always.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
