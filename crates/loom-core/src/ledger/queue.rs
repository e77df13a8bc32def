//! `Queue`: what of the tokens and the cost is used and reserved, and who waits for some of it.
//!
//! Who waits is let in by turns. The first is let in as soon as it gets all that it may ever get,
//! or when no open reservation can be returned any more, because whoever holds one waits, too:
//! the first then gets what is left, and the limit is reached if nothing is.
//!
//! The holder of a reservation waits while a call within its own call waits. Each who waits
//! therefore names the reservations around it. An open reservation that is around none can be
//! returned; while there is one, waiting for it ends, and when there is none, the first has its
//! turn. So nobody waits for ever.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use crate::ledger::Reached;
use crate::ledger::amount::Amount;
use crate::limits::Limits;
use crate::usage::Tokens;

#[derive(Default)]
pub(super) struct Queue {
    used: Amount,
    reserved: Amount,
    /// By id.
    open: BTreeMap<u64, Open>,
    /// How many of the open ones are around nobody who waits: only those can be returned.
    returnable: usize,
    /// In the order of their ids, which is the order in which they came.
    waiting: VecDeque<Waiting>,
    next_id: u64,
}

struct Open {
    held: Amount,
    /// How many who wait have this reservation around them.
    waiting_within: usize,
}

struct Waiting {
    /// The id that the reservation will have, too.
    id: u64,
    wanted: Amount,
    around: Vec<u64>,
    /// Absent once it was woken.
    waker: Option<Waker>,
}

/// What becomes of somebody who waits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is let in with this much.
    In(Amount),
    /// Nothing is left of this limit, and nothing will be returned.
    Over(Reached),
    Waits,
}

/// What becomes of a reservation's amount when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is charged whole: the provider may bill it.
    Charged,
    /// It is returned: the call was never made, or not yet.
    Returned,
}

impl Queue {
    pub(super) fn new(used: Amount) -> Self {
        Self {
            used,
            ..Self::default()
        }
    }

    /// What is used, and what open calls hold: each may yet take all of that.
    pub(super) fn taken(&self) -> Amount {
        self.used.plus(self.reserved)
    }

    /// Puts somebody at the end of the queue; returns its id.
    pub(super) fn join(&mut self, wanted: Amount, around: Vec<u64>) -> u64 {
        for id in &around {
            if let Some(open) = self.open.get_mut(id) {
                self.returnable -= usize::from(open.waiting_within == 0);
                open.waiting_within += 1;
            }
        }
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.push_back(Waiting {
            id,
            wanted,
            around,
            waker: None,
        });
        id
    }

    /// Takes somebody out of the queue; returns its waker, to be dropped without the lock.
    pub(super) fn leave(&mut self, id: u64) -> Option<Waker> {
        let index = self.index(id)?;
        let left = self.waiting.remove(index)?;
        for id in &left.around {
            if let Some(open) = self.open.get_mut(id) {
                open.waiting_within -= 1;
                self.returnable += usize::from(open.waiting_within == 0);
            }
        }
        left.waker
    }

    /// Lets somebody in with this much; returns its waker, to be dropped without the lock.
    pub(super) fn enter(&mut self, id: u64, held: Amount) -> Option<Waker> {
        let waker = self.leave(id);
        self.reserved = self.reserved.plus(held);
        let open = Open {
            held,
            waiting_within: 0,
        };
        self.open.insert(id, open);
        self.returnable += 1;
        waker
    }

    /// Keeps the waker of somebody who waits; returns the one before it, to be dropped without the
    /// lock.
    pub(super) fn park(&mut self, id: u64, waker: Waker) -> Option<Waker> {
        let Some(waiting) = self.index(id).and_then(|it| self.waiting.get_mut(it)) else {
            return Some(waker);
        };
        waiting.waker.replace(waker)
    }

    /// What becomes of this one now.
    pub(super) fn turn(&self, id: u64, limits: &Limits) -> Turn {
        match self.waiting.front() {
            Some(first) if first.id == id => self.turn_of(first, limits),
            Some(_) | None => Turn::Waits,
        }
    }

    fn turn_of(&self, first: &Waiting, limits: &Limits) -> Turn {
        let is_final = self.returnable == 0;
        match self.left(limits) {
            Ok(left) if is_final || self.fits(first, left, limits) => {
                Turn::In(first.wanted.at_most(left))
            }
            Err(reached) if is_final => Turn::Over(reached),
            Ok(_) | Err(_) => Turn::Waits,
        }
    }

    /// The waker of the first who waits, if it doesn't have to any longer.
    pub(super) fn next(&mut self, limits: &Limits) -> Option<Waker> {
        let turn = self.turn_of(self.waiting.front()?, limits);
        match turn {
            Turn::In(_) | Turn::Over(_) => self.waiting.front_mut()?.waker.take(),
            Turn::Waits => None,
        }
    }

    /// The wakers of all who wait.
    pub(super) fn wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.waiting.iter_mut().filter_map(|it| it.waker.take())
    }

    /// Takes what a call took that had reserved nothing.
    pub(super) fn take(&mut self, reported: Tokens) {
        self.used = self.used.plus(Amount::default().taken(reported));
    }

    /// Takes what a call took, and returns the rest of what it held. The reservation stays open
    /// until it ends.
    pub(super) fn settle(&mut self, id: u64, reported: Tokens) {
        let held = self
            .open
            .get_mut(&id)
            .map(|it| std::mem::take(&mut it.held))
            .unwrap_or_default();
        self.reserved = self.reserved.minus(held);
        self.used = self.used.plus(held.taken(reported));
    }

    pub(super) fn end(&mut self, id: u64, end: End) {
        let Some(open) = self.open.remove(&id) else {
            return;
        };
        self.returnable -= usize::from(open.waiting_within == 0);
        self.reserved = self.reserved.minus(open.held);
        match end {
            End::Charged => self.used = self.used.plus(open.held),
            End::Returned => (),
        }
    }

    fn index(&self, id: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&id, |it| it.id).ok()
    }

    /// What is neither used nor reserved, or the limit of which nothing is left.
    fn left(&self, limits: &Limits) -> Result<Amount, Reached> {
        let taken = self.taken();
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

    /// Whether all is left that this one may ever get: what those around it hold isn't returned
    /// before it is let in. If less is left, it waits: were each given the little that is left,
    /// each could exceed it.
    fn fits(&self, first: &Waiting, left: Amount, limits: &Limits) -> bool {
        let max = Amount {
            tokens: limits.tokens_max.unwrap_or(u64::MAX),
            cost_micro_usd: limits.cost_micro_usd_max.unwrap_or(u64::MAX),
        };
        let around = first.around.iter().filter_map(|it| self.open.get(it));
        let held = around.fold(Amount::default(), |sum, it| sum.plus(it.held));
        let ever = max.minus(self.used).minus(held);
        let wanted = first.wanted.at_most(ever);
        wanted.at_most(left) == wanted
    }

    /// How much each open reservation holds, by its id; and the ids of who waits.
    #[cfg(test)]
    pub(super) fn shown(&self) -> (BTreeMap<u64, u64>, Vec<u64>) {
        let open = self.open.iter().map(|(id, it)| (*id, it.held.tokens));
        (
            open.collect(),
            self.waiting.iter().map(|it| it.id).collect(),
        )
    }
}
