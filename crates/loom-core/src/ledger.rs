//! `Ledger`: what bounds a whole tree of runs, and what of it is used.
//!
//! Three verbs. A model call *reserves* what it may take of the tokens and the cost, at most what
//! is left, since they are known only afterwards; it is *charged* what it took; and what never
//! happened, or happens again when a paused run is resumed, is *refunded*. Effects and calls are
//! counted the moment they are let through.

mod reservation;
mod queue;
mod amount;
mod count;
mod reported;
mod spent;
mod wakers;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

pub(crate) use self::amount::Amount;
use self::count::Count;
use self::queue::Queue;
use self::reported::Reported;
pub(crate) use self::reservation::Reservation;
use self::spent::Used;
pub(crate) use self::spent::{RunUsage, Spent};
use self::wakers::Wakers;
use crate::effect::EffectKind;
use crate::limits::Limits;
use crate::name::Name;
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
    /// How many effects were opened; apart from the rest, since most effects change nothing else.
    effects: Count,
    /// The limit that ended the tree: the first one. Nothing that comes later is let through.
    reached: OnceLock<Reached>,
    state: Mutex<State>,
}

struct State {
    model_calls: u64,
    tool_calls: u64,
    queue: Queue,
    /// What this attempt's calls reported.
    reported: Reported,
    paused: Paused,
}

/// Effects that paused in this attempt. They stay counted until the run itself pauses, so that a
/// loop that handles pauses is bounded.
#[derive(Default)]
struct Paused {
    openings: u64,
    /// Those whose body had begun.
    calls: Reported,
}

impl Ledger {
    /// A ledger for an attempt at a run of which earlier attempts used this much.
    pub(crate) fn new(limits: Limits, before: Spent) -> Arc<Self> {
        let state = State {
            model_calls: before.used.model_calls,
            tool_calls: before.used.tool_calls,
            queue: Queue::new(before.used.amount()),
            reported: Reported::default(),
            paused: Paused::default(),
        };
        Arc::new(Self {
            limits,
            effects: Count::new(before.used.effects),
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
        match kind {
            EffectKind::Model => {
                self.count_call(kind, "model_calls_max", self.limits.model_calls_max)
            }
            EffectKind::Tool => self.count_call(kind, "tool_calls_max", self.limits.tool_calls_max),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => {
                self.count_opening()
            }
        }
    }

    /// Counts an effect that is opened only to be refused.
    #[inline]
    pub(crate) fn count_opening(&self) -> Result<(), Reached> {
        self.up().map_err(|reached| self.end(reached))
    }

    /// Takes back what [`Ledger::count`] counted: the effect was never opened.
    pub(crate) fn uncount(&self, kind: EffectKind) {
        self.effects.down(1);
        self.refund_call(kind);
    }

    /// Takes back the call alone: the effect was opened, but the call was never made.
    pub(crate) fn refund_call(&self, kind: EffectKind) {
        if is_call(kind) {
            self.state().refund_calls(kind, 1);
        }
    }

    /// Notes a call that is about to be made, for the usage. An effect that is no call takes no
    /// lock.
    #[inline]
    pub(crate) fn record_call(&self, kind: EffectKind, name: &Name) {
        if is_call(kind) {
            self.state().reported.call(kind, name);
        }
    }

    /// Charges what a model call took: of its reservation, where it has one. What it didn't report
    /// is charged as reserved, and stays unknown in the usage.
    ///
    /// What this returns wakes who waits; it is dropped where no lock is held.
    pub(crate) fn charge(
        &self,
        model: &Name,
        reported: Tokens,
        reservation: Option<&mut Reservation>,
    ) -> Wakers {
        let mut wakers = Wakers::default();
        let mut state = self.state();
        state.reported.charge(model, reported);
        match reservation {
            Some(reservation) => state.queue.settle(reservation.id(), reported),
            None => state.queue.take(reported),
        }
        wakers.wake(state.queue.next(&self.limits));
        drop(state);
        wakers
    }

    /// Notes an effect that closed as paused; `called` if its body had begun.
    pub(crate) fn paused(&self, kind: EffectKind, name: &Name, called: bool) {
        let mut state = self.state();
        state.paused.openings += 1;
        if called {
            state.paused.calls.call(kind, name);
        }
    }

    /// Takes back what paused, since the run itself did: when it is resumed, all of it is opened
    /// again and its calls are made.
    pub(crate) fn refund_paused(&self) {
        let mut state = self.state();
        let Paused { openings, calls } = std::mem::take(&mut state.paused);
        self.effects.down(openings);
        for kind in [EffectKind::Model, EffectKind::Tool] {
            state.refund_calls(kind, calls.count(kind));
        }
        state.reported.refund(&calls);
    }

    /// What the whole run spent so far, for the journal.
    pub(crate) fn spent(&self) -> Spent {
        let state = self.state();
        Spent {
            used: self.used(&state),
            reported: self.before.reported.clone().plus(&state.reported),
        }
    }

    /// What the report says of it.
    pub(crate) fn usage(&self) -> RunUsage {
        let (used, reported) = {
            let state = self.state();
            (self.used(&state), state.reported.clone())
        };
        let attempt = reported.usage();
        let usage = self.before.reported.clone().plus(&reported).usage();
        let used_attempt = used.minus(self.before.used);
        RunUsage {
            charged: used.charged(&self.limits, &usage),
            charged_attempt: used_attempt.charged(&self.limits, &attempt),
            usage,
            attempt,
        }
    }

    fn count_call(
        &self,
        kind: EffectKind,
        limit: &'static str,
        max: Option<u64>,
    ) -> Result<(), Reached> {
        let counted = {
            // Until both are counted, nobody else counts a call.
            let mut state = self.state();
            match (self.reached.get(), max, state.calls(kind)) {
                (Some(reached), ..) => Err(*reached),
                (None, Some(value), Some(calls)) if *calls >= value => {
                    Err(Reached { limit, value })
                }
                (None, _, calls) => self
                    .up()
                    .map(|()| calls.into_iter().for_each(|it| *it += 1)),
            }
        };
        counted.map_err(|reached| self.end(reached))
    }

    #[inline]
    fn up(&self) -> Result<(), Reached> {
        let value = self.limits.effects_max;
        match self.reached.get() {
            Some(reached) => Err(*reached),
            None if self.effects.up(value) => Ok(()),
            None => Err(Reached {
                limit: "effects_max",
                value,
            }),
        }
    }

    /// Lets nothing more through, and ends all who wait; returns the limit that was reached first.
    #[cold]
    fn end(&self, reached: Reached) -> Reached {
        let first = *self.reached.get_or_init(|| reached);
        let mut wakers = Wakers::default();
        let mut state = self.state();
        wakers.wake(state.queue.wakers());
        drop(state);
        first
    }

    fn used(&self, state: &State) -> Used {
        let taken = state.queue.taken();
        Used {
            effects: self.effects.get(),
            model_calls: state.model_calls,
            tool_calls: state.tool_calls,
            tokens: taken.tokens,
            cost_micro_usd: taken.cost_micro_usd,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        unpoisoned(&self.state)
    }
}

impl State {
    /// How many calls of this kind were counted; `None` where it is no call.
    fn calls(&mut self, kind: EffectKind) -> Option<&mut u64> {
        match kind {
            EffectKind::Model => Some(&mut self.model_calls),
            EffectKind::Tool => Some(&mut self.tool_calls),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => None,
        }
    }

    fn refund_calls(&mut self, kind: EffectKind, refunded: u64) {
        if let Some(calls) = self.calls(kind) {
            *calls = calls.saturating_sub(refunded);
        }
    }
}

#[inline]
fn is_call(kind: EffectKind) -> bool {
    match kind {
        EffectKind::Model | EffectKind::Tool => true,
        EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => false,
    }
}
