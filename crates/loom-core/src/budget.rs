//! `Budget`: a tree's limits and what of them is used and reserved.
//!
//! Counts (effects, calls) are used the moment an effect is let through. Tokens and cost are
//! known only afterwards, so a model call reserves what it may need, at most what is left, and
//! settles what it took. A call for which nothing is left waits, in order, while others are open,
//! since those may give back; when none is open, the limit is reached.

mod count;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Poll, Waker};

use self::count::Count;
use crate::effect::{Effect, EffectKind};
use crate::limits::Limits;
use crate::tree::unpoisoned;
use crate::usage::Tokens;

/// A limit that was reached: its name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) limit: &'static str,
    pub(crate) value: u64,
}

pub(crate) struct Budget {
    limits: Limits,
    /// How many effects were opened; apart from the rest, since most effects touch nothing else.
    effects: Count,
    /// The limit that ended the tree; nothing that comes later is let through.
    reached: OnceLock<Reached>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    model_calls: u64,
    tool_calls: u64,
    used: Amount,
    reserved: Amount,
    /// How many reservations are open.
    open: usize,
    waiting: VecDeque<Waiting>,
    next_ticket: u64,
}

struct Waiting {
    ticket: u64,
    waker: Waker,
}

/// Tokens and cost together, since a call needs both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) tokens: u64,
    pub(crate) cost_micro_usd: u64,
}

/// What is already used, for a run that goes on elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Used {
    pub(crate) effects: u64,
    pub(crate) model_calls: u64,
    pub(crate) tool_calls: u64,
    pub(crate) tokens: u64,
    pub(crate) cost_micro_usd: u64,
}

impl Budget {
    pub(crate) fn new(limits: Limits, used: Used) -> Arc<Self> {
        let state = State {
            model_calls: used.model_calls,
            tool_calls: used.tool_calls,
            used: Amount {
                tokens: used.tokens,
                cost_micro_usd: used.cost_micro_usd,
            },
            ..State::default()
        };
        Arc::new(Self {
            limits,
            effects: Count::new(used.effects),
            reached: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether tokens or cost are bounded, so that calls reserve of them.
    pub(crate) fn is_reserved(&self) -> bool {
        self.limits.tokens_max.is_some() || self.limits.cost_micro_usd_max.is_some()
    }

    /// Counts what an unbounded call took, so far as that is told: the run may be gone on with under
    /// a bound.
    pub(crate) fn take(&self, took: Tokens) {
        let told = |tokens: Option<u64>| tokens.unwrap_or(0);
        let took = Amount {
            tokens: told(took.input).saturating_add(told(took.output)),
            cost_micro_usd: told(took.cost_micro_usd),
        };
        let mut state = self.state();
        state.used = state.used.plus(took);
    }

    /// What is used, and what calls that are open hold: each may yet take all of that.
    pub(crate) fn used(&self) -> Used {
        let state = self.state();
        let taken = state.used.plus(state.reserved);
        Used {
            effects: self.effects.get(),
            model_calls: state.model_calls,
            tool_calls: state.tool_calls,
            tokens: taken.tokens,
            cost_micro_usd: taken.cost_micro_usd,
        }
    }

    /// Counts the effect, unless a limit is reached.
    #[inline]
    pub(crate) fn count(&self, effect: &Effect) -> Result<(), Reached> {
        let (limit, max) = match effect.kind() {
            EffectKind::Model => ("model_calls_max", self.limits.model_calls_max),
            EffectKind::Tool => ("tool_calls_max", self.limits.tool_calls_max),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => {
                return self.count_opening();
            }
        };
        // Both counts or neither: so long nobody else counts a call.
        let mut state = self.state();
        let calls = state.calls(effect.kind()).map_or(0, |calls| *calls);
        let counted = match max {
            Some(value) if calls >= value => Err(Reached { limit, value }),
            _ => self.up(),
        };
        if let (Ok(()), Some(calls)) = (counted, state.calls(effect.kind())) {
            *calls += 1;
        }
        counted.inspect_err(|reached| self.end(*reached, &state))
    }

    /// Counts the opening of an effect that is no call, or that doesn't happen.
    #[inline]
    pub(crate) fn count_opening(&self) -> Result<(), Reached> {
        self.up()
            .inspect_err(|reached| self.end(*reached, &self.state()))
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

    /// Takes back the count of a call that was never made, or is made when its run goes on.
    pub(crate) fn uncount_call(&self, kind: EffectKind) {
        if let Some(calls) = self.state().calls(kind) {
            *calls = calls.saturating_sub(1);
        }
    }

    /// Takes back openings that never were, or are had again when their run goes on.
    pub(crate) fn uncount_openings(&self, openings: u64) {
        self.effects.down(openings);
    }

    /// Reserves what a call may take, at most what is left; waits while nothing is.
    ///
    /// A call within a call takes what it gets: waiting for the outer one would never end.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        wanted: Amount,
        within_a_call: bool,
    ) -> Result<Reservation, Reached> {
        let mut place = Place {
            budget: self,
            ticket: None,
        };
        poll_fn(|task| {
            let mut state = self.state();
            if let Some(reached) = self.reached.get() {
                return Poll::Ready(Err(*reached));
            }
            let is_next = state
                .waiting
                .front()
                .is_none_or(|it| Some(it.ticket) == place.ticket);
            match state.left(&self.limits) {
                Ok(left)
                    if within_a_call
                        || (is_next
                            && (state.open == 0 || state.fits(wanted, left, &self.limits))) =>
                {
                    let held = wanted.at_most(left);
                    state.reserved = state.reserved.plus(held);
                    state.open += 1;
                    Poll::Ready(Ok(Reservation {
                        budget: self.clone(),
                        held,
                        settled: None,
                    }))
                }
                Err(reached) if within_a_call || state.open == 0 => {
                    self.end(reached, &state);
                    Poll::Ready(Err(reached))
                }
                _ => {
                    state.wait(&mut place.ticket, task.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Lets nothing more through. The first limit stays; those who wait are told of it.
    fn end(&self, reached: Reached, state: &State) {
        let _ = self.reached.set(reached);
        for waiting in &state.waiting {
            waiting.waker.wake_by_ref();
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

    /// What is neither used nor reserved; the limit of which nothing is left, if there is one.
    fn left(&self, limits: &Limits) -> Result<Amount, Reached> {
        let taken = self.used.plus(self.reserved);
        let left = |taken: u64, limit: &'static str, max: Option<u64>| match max {
            None => Ok(u64::MAX),
            Some(value) if taken >= value => Err(Reached { limit, value }),
            Some(value) => Ok(value - taken),
        };
        Ok(Amount {
            tokens: left(taken.tokens, "tokens_max", limits.tokens_max)?,
            cost_micro_usd: left(
                taken.cost_micro_usd,
                "cost_micro_usd_max",
                limits.cost_micro_usd_max,
            )?,
        })
    }

    /// Whether all of it is left that such a call may ever get. Else it waits while others are
    /// open: were each given the little that is left, each could exceed it.
    fn fits(&self, wanted: Amount, left: Amount, limits: &Limits) -> bool {
        let ever = Amount {
            tokens: limits
                .tokens_max
                .map_or(u64::MAX, |it| it.saturating_sub(self.used.tokens)),
            cost_micro_usd: limits
                .cost_micro_usd_max
                .map_or(u64::MAX, |it| it.saturating_sub(self.used.cost_micro_usd)),
        };
        let wanted = wanted.at_most(ever);
        wanted.at_most(left) == wanted
    }

    fn wait(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        match ticket.and_then(|it| self.waiting.iter_mut().find(|waiting| waiting.ticket == it)) {
            Some(waiting) => waiting.waker.clone_from(waker),
            None => {
                let own = self.next_ticket;
                self.next_ticket += 1;
                *ticket = Some(own);
                self.waiting.push_back(Waiting {
                    ticket: own,
                    waker: waker.clone(),
                });
            }
        }
    }

    fn wake_next(&self) {
        if let Some(next) = self.waiting.front() {
            next.waker.wake_by_ref();
        }
    }
}

/// A place in the queue, given up when the one who waits goes away or comes in.
struct Place<'a> {
    budget: &'a Budget,
    ticket: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut state = self.budget.state();
            state.waiting.retain(|it| it.ticket != ticket);
            state.wake_next();
        }
    }
}

/// What an open call holds. Dropped without being told what the call took, it counts as taken
/// whole, since the provider may bill it.
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    held: Amount,
    settled: Option<Amount>,
}

impl Reservation {
    /// What the call took; where it doesn't tell all, at least what was reserved. Counts at once, so that what
    /// is written down while the call closes is right.
    pub(crate) fn settle(&mut self, took: Tokens) {
        let told = took
            .input
            .unwrap_or(0)
            .saturating_add(took.output.unwrap_or(0));
        let took = Amount {
            tokens: match (took.input, took.output) {
                (Some(_), Some(_)) => told,
                // What isn't told may be all that was reserved, and what is told was taken anyway.
                _ => told.max(self.held.tokens),
            },
            cost_micro_usd: took.cost_micro_usd.unwrap_or(self.held.cost_micro_usd),
        };
        let mut state = self.budget.state();
        state.reserved = state.reserved.minus(self.held);
        state.used = state.used.plus(took);
        (self.held, self.settled) = (Amount::default(), Some(Amount::default()));
    }

    /// The call was never made.
    pub(crate) fn give_back(mut self) {
        self.settled = Some(Amount::default());
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.reserved = state.reserved.minus(self.held);
        state.used = state.used.plus(self.settled.unwrap_or(self.held));
        state.open -= 1;
        state.wake_next();
    }
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            cost_micro_usd: self.cost_micro_usd.saturating_add(other.cost_micro_usd),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens),
            cost_micro_usd: self.cost_micro_usd.saturating_sub(other.cost_micro_usd),
        }
    }

    fn at_most(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.min(other.tokens),
            cost_micro_usd: self.cost_micro_usd.min(other.cost_micro_usd),
        }
    }
}
