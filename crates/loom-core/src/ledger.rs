//! `Ledger`: what bounds a whole tree of runs, and what of it is used.
//!
//! Three verbs. A model call *reserves* what it may take of the tokens and the cost, at most what
//! is left, since they are known only afterwards; it is *charged* what it took; and what never
//! happened, or happens again when a paused run is resumed, is *refunded*. Effects and calls are
//! counted the moment they are let through.

mod reservation;
mod queue;
mod amount;
mod counter;
mod reported;
mod spent;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

pub(crate) use self::amount::Amount;
use self::counter::Counter;
use self::queue::{Queue, Wakes};
use self::reported::Reported;
pub(crate) use self::reservation::Reservation;
pub(crate) use self::spent::Spent;
use self::spent::Used;
use crate::effect::EffectKind;
use crate::limits::Limits;
use crate::name::Name;
use crate::poll::caught_now;
use crate::tree::unpoisoned;
use crate::usage::Tokens;

/// A limit that was reached: its name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) limit: &'static str,
    pub(crate) value: u64,
}

/// The limits of one tree, and what is used, reserved and reported in it.
pub(crate) struct Ledger {
    limits: Limits,
    /// What earlier attempts used.
    before: Spent,
    effects: Counter,
    model_calls: Counter,
    tool_calls: Counter,
    /// The limit that ended the tree: the first one. Nothing that comes later is let through.
    reached: OnceLock<Reached>,
    state: Mutex<State>,
}

struct State {
    /// Tokens and cost.
    queue: Queue,
    /// What this attempt's calls reported.
    reported: Reported,
    /// The effects that paused in this attempt, by name where their body had begun. They count
    /// until the run itself pauses, so that a loop that handles pauses is bounded.
    paused: Vec<(EffectKind, Option<Name>)>,
}

impl Ledger {
    /// A ledger for an attempt at a run of which earlier attempts used this much.
    pub(crate) fn new(limits: Limits, before: Spent) -> Arc<Self> {
        let used = before.used;
        let state = State {
            queue: Queue::new(&limits, used.amount),
            reported: Reported::default(),
            paused: Vec::new(),
        };
        let (models, tools) = (limits.model_calls_max, limits.tool_calls_max);
        Arc::new(Self {
            effects: Counter::new("effects_max", Some(limits.effects_max), used.effects),
            model_calls: Counter::new("model_calls_max", models, used.model_calls),
            tool_calls: Counter::new("tool_calls_max", tools, used.tool_calls),
            limits,
            before,
            reached: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether tokens or cost are bounded, so that model calls reserve some of them.
    pub(crate) fn reserves(&self) -> bool {
        self.limits.tokens_max.is_some() || self.limits.cost_micro_usd_max.is_some()
    }

    /// Counts an effect that is about to be opened, and the call if it is one: both or neither.
    #[inline]
    pub(crate) fn count(&self, kind: EffectKind) -> Result<(), Reached> {
        let Some(calls) = self.calls(kind) else {
            return self.count_opening();
        };
        self.up(calls)?;
        self.count_opening().inspect_err(|_| calls.down())
    }

    /// Counts an effect that is opened only to be refused.
    #[inline]
    pub(crate) fn count_opening(&self) -> Result<(), Reached> {
        self.up(&self.effects)
    }

    /// Takes back what [`Ledger::count`] counted: the effect was never opened.
    pub(crate) fn uncount(&self, kind: EffectKind) {
        self.effects.down();
        self.refund_call(kind);
    }

    /// Takes back the call alone: the effect was opened, but the call was never made.
    pub(crate) fn refund_call(&self, kind: EffectKind) {
        if let Some(calls) = self.calls(kind) {
            calls.down();
        }
    }

    /// Notes a call that is about to be made, for the usage. An effect that is no call takes no
    /// lock.
    #[inline]
    pub(crate) fn record_call(&self, kind: EffectKind, name: &Name) {
        if self.calls(kind).is_some() {
            self.state().reported.call(kind, name);
        }
    }

    /// Charges what a model call took: of its reservation, where it has one. What it didn't report
    /// is charged as reserved, and stays unknown in the usage.
    ///
    /// Wakes waiting calls: the caller holds no lock.
    pub(crate) fn charge(&self, model: &Name, reported: Tokens, of: Option<&Reservation>) {
        let mut state = self.state();
        state.reported.charge(model, reported);
        state.queue.settle(of.map(Reservation::id), reported);
        self.wake(state);
    }

    /// Notes an effect that closed as paused; `called` if its body had begun.
    pub(crate) fn paused(&self, kind: EffectKind, name: &Name, called: bool) {
        let called = called.then(|| name.clone());
        self.state().paused.push((kind, called));
    }

    /// Takes back what paused, since the run itself did: when it is resumed, all of it is opened
    /// again and its calls are made.
    pub(crate) fn refund_paused(&self) {
        let mut state = self.state();
        for (kind, called) in std::mem::take(&mut state.paused) {
            self.effects.down();
            if let Some(name) = called {
                self.refund_call(kind);
                state.reported.refund(kind, &name);
            }
        }
    }

    /// What the whole run spent so far, earlier attempts included.
    pub(crate) fn spent(&self) -> Spent {
        let state = self.state();
        Spent {
            used: self.used(&state),
            reported: self.before.reported.clone().plus(&state.reported),
        }
    }

    fn used(&self, state: &State) -> Used {
        Used {
            effects: self.effects.get(),
            model_calls: self.model_calls.get(),
            tool_calls: self.tool_calls.get(),
            amount: state.queue.taken(),
        }
    }

    /// What this attempt alone spent.
    pub(crate) fn spent_in_attempt(&self) -> Spent {
        let state = self.state();
        Spent {
            used: self.used(&state).minus(self.before.used),
            reported: state.reported.clone(),
        }
    }

    fn calls(&self, kind: EffectKind) -> Option<&Counter> {
        match kind {
            EffectKind::Model => Some(&self.model_calls),
            EffectKind::Tool => Some(&self.tool_calls),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => None,
        }
    }

    #[inline]
    fn up(&self, counter: &Counter) -> Result<(), Reached> {
        match self.reached.get() {
            Some(reached) => Err(*reached),
            None => counter.up().map_err(|reached| self.end(reached)),
        }
    }

    /// Lets nothing more through, and ends all waiting; returns the limit that was reached first.
    #[cold]
    fn end(&self, reached: Reached) -> Reached {
        let first = *self.reached.get_or_init(|| reached);
        self.wake(self.state());
        first
    }

    /// Wakes, without the lock, the first call that waits if its turn has come, and all of them
    /// once the tree has ended.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let woken: Vec<Wakes> = match self.reached.get() {
            Some(_) => state.queue.clear().collect(),
            None => state.queue.next().into_iter().collect(),
        };
        drop(state);
        for it in woken {
            // One that panics keeps none of the others asleep.
            let _ = caught_now(|| drop(it));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        unpoisoned(&self.state)
    }
}
