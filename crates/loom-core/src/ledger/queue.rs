//! `Queue`: what of the tokens and the cost is used and reserved, and who waits for some of it.
//!
//! Those who wait are let in by turns. The first is let in as soon as it gets all that it may ever
//! get, or when no open reservation can be returned any more, because the holder of each waits,
//! too: the first then gets what is left, and the limit is reached if nothing is.
//!
//! The holder of a reservation waits while a call within its own call waits. Each waiting call
//! therefore names the reservations around it. An open reservation that is around none can be
//! returned; while one exists, waiting for it ends, and when none does, the first has its turn. So
//! nothing waits for ever.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot::{self, Receiver, Sender};

use crate::ledger::Reached;
use crate::ledger::amount::Amount;
use crate::limits::Limits;
use crate::usage::Tokens;

pub(super) struct Queue {
    max: Amount,
    used: Amount,
    /// What each open reservation holds, by its id.
    pub(super) open: BTreeMap<u64, Amount>,
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
    next_id: u64,
}

struct Waiting {
    /// The id that the reservation will have, too.
    id: u64,
    wanted: Amount,
    around: Vec<u64>,
    /// Absent until it is polled, and once it was woken.
    wakes: Option<Wakes>,
}

/// Wakes a waiting call when it is dropped. That runs foreign code, so it is dropped without the
/// lock.
pub(super) type Wakes = Sender<()>;

impl Queue {
    pub(super) fn new(limits: &Limits, used: Amount) -> Self {
        Self {
            max: Amount {
                tokens: limits.tokens_max.unwrap_or(u64::MAX),
                cost_micro_usd: limits.cost_micro_usd_max.unwrap_or(u64::MAX),
            },
            used,
            open: BTreeMap::new(),
            waiting: VecDeque::new(),
            next_id: 0,
        }
    }

    /// What is used, and what open calls hold: each may yet take all of that.
    pub(super) fn taken(&self) -> Amount {
        self.open.values().fold(self.used, |sum, it| sum.plus(*it))
    }

    /// Puts a call at the end of the queue; returns its id.
    pub(super) fn join(&mut self, wanted: Amount, around: Vec<u64>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.push_back(Waiting {
            id,
            wanted,
            around,
            wakes: None,
        });
        id
    }

    /// Lets a call in, if its turn has come; else it is woken when this may have changed.
    ///
    /// A call enters when it is polled, not when others leave: those that are dropped together
    /// leave one by one, and what holds in between decides nothing.
    pub(super) fn enter(&mut self, id: u64) -> Result<Option<Receiver<()>>, Reached> {
        let is_first = self.waiting.front().is_some_and(|it| it.id == id);
        if let Some(held) = self.turn().filter(|_| is_first) {
            self.open.insert(id, held?);
            self.waiting.pop_front();
            return Ok(None);
        }
        let (wakes, woken) = oneshot::channel();
        if let Ok(index) = self.index(id) {
            self.waiting[index].wakes = Some(wakes);
        }
        Ok(Some(woken))
    }

    /// What wakes the first call, if its turn has come.
    pub(super) fn next(&mut self) -> Option<Wakes> {
        match self.turn() {
            Some(_) => self.waiting.front_mut()?.wakes.take(),
            None => None,
        }
    }

    /// How much the first call is let in with, if its turn has come; the limit that is reached if
    /// nothing is left for it and nothing will be returned.
    fn turn(&self) -> Option<Result<Amount, Reached>> {
        let first = self.waiting.front()?;
        let left = self.left(self.taken());
        let is_final = !self.open.keys().any(|id| self.is_returnable(*id));
        match self.reached(left) {
            Some(reached) => is_final.then_some(Err(reached)),
            None => {
                let has_turn = is_final || self.fits(first, left);
                has_turn.then(|| Ok(first.wanted.at_most(left)))
            }
        }
    }

    /// Takes all out that wait.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Wakes> {
        self.waiting.drain(..).filter_map(|it| it.wakes)
    }

    /// Takes what a call took, of its reservation where it has one, and returns the rest of what
    /// it held. The reservation stays open until it ends.
    pub(super) fn settle(&mut self, id: Option<u64>, reported: Tokens) {
        let held = id.and_then(|id| self.open.get_mut(&id));
        let held = held.map(std::mem::take).unwrap_or_default();
        self.used = self.used.plus(held.taken(reported));
    }

    /// Ends a reservation, open or still waited for: what it holds is charged, or is returned.
    pub(super) fn end(&mut self, id: u64, is_charged: bool) -> Option<Wakes> {
        match self.open.remove(&id) {
            Some(held) if is_charged => self.used = self.used.plus(held),
            Some(_) | None => (),
        }
        let index = self.index(id).ok()?;
        self.waiting.remove(index)?.wakes
    }

    fn index(&self, id: u64) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&id, |it| it.id)
    }

    /// Whether this open reservation is around no call that waits.
    fn is_returnable(&self, id: u64) -> bool {
        !self.waiting.iter().any(|it| it.around.contains(&id))
    }

    /// What is left when this much is taken. What isn't limited never runs out.
    fn left(&self, taken: Amount) -> Amount {
        let left = |max: u64, taken: u64| match max {
            u64::MAX => u64::MAX,
            max => max.saturating_sub(taken),
        };
        Amount {
            tokens: left(self.max.tokens, taken.tokens),
            cost_micro_usd: left(self.max.cost_micro_usd, taken.cost_micro_usd),
        }
    }

    /// The limit of which nothing is left, if there is one.
    fn reached(&self, left: Amount) -> Option<Reached> {
        let reached = |limit, value| Some(Reached { limit, value });
        match left {
            Amount { tokens: 0, .. } => reached("tokens_max", self.max.tokens),
            Amount {
                cost_micro_usd: 0, ..
            } => reached("cost_micro_usd_max", self.max.cost_micro_usd),
            Amount { .. } => None,
        }
    }

    /// Whether all is left that this one may ever get: what those around it hold isn't returned
    /// before it is let in. If less is left, it waits: were each given the little that is left,
    /// each could exceed it.
    fn fits(&self, first: &Waiting, left: Amount) -> bool {
        let around = first.around.iter().filter_map(|it| self.open.get(it));
        let taken = around.fold(self.used, |sum, held| sum.plus(*held));
        let wanted = first.wanted.at_most(self.left(taken));
        wanted.at_most(left) == wanted
    }
}
