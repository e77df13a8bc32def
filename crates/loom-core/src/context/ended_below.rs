//! What ended below an effect and ends the tree, which its body may hide in an error of its own.

use std::sync::atomic::Ordering;

use crate::context::RunContext;
use crate::error::{BoxError, Error, Facts};

/// What left something below an effect last and ends the tree.
pub(super) struct EndedBelow {
    facts: Facts,
    /// The poll of the body that was the first to see it. What a later one gives is of its own
    /// making: the body may have handled this.
    poll: u32,
}

impl RunContext {
    /// Keeps in mind an error that ends the tree as it leaves something below this effect: the body
    /// may hand it on inside an error that doesn't show it.
    pub(crate) fn remember(&self, error: &Error) {
        // What another run ended with ends no tree here.
        if !error.ends_tree() || error.run().is_some() {
            return;
        }
        let (poll, facts) = (self.poll(), error.facts());
        self.with_state(|state| match &mut state.ended_below {
            Some(before) => {
                before.facts.are_followed_by(facts);
                before.poll = poll;
            }
            None => state.ended_below = Some(Box::new(EndedBelow { facts, poll })),
        });
    }

    /// Puts out of mind what ended below, since something else counts more.
    pub(crate) fn forget_ended_below(&self) {
        self.if_state(|state| state.ended_below = None);
    }

    /// An error that this effect's body gave, as what it is: what ends the tree is never lost in
    /// an error of somebody else's, and what ended another run is a failure here.
    pub(crate) fn unhidden(&self, error: Error) -> Error {
        if !error.may_hide_ours() {
            return error.seen_from_outside();
        }
        let poll = self.poll();
        let hidden = self.if_state(|state| {
            let ended = state.ended_below.as_ref().filter(|it| it.poll == poll);
            ended.map(|it| it.facts.clone())
        });
        match hidden.flatten() {
            Some(hidden) => error.revealing(hidden),
            None => error,
        }
    }

    /// Any error that a function gave, as ours.
    pub(crate) fn own_error(&self, error: impl Into<BoxError>) -> Error {
        self.unhidden(Error::from_any(error))
    }

    /// This effect's body is about to be polled.
    pub(crate) fn begin_poll(&self) {
        // Nobody else writes it: a body is polled by one task at a time.
        let polls = &self.frame().polls;
        polls.store(polls.load(Ordering::Relaxed) | 1, Ordering::Relaxed);
    }

    /// This effect's body waits to be polled again.
    pub(crate) fn end_poll(&self) {
        let polls = &self.frame().polls;
        let next = polls.load(Ordering::Relaxed).wrapping_add(1);
        polls.store(next, Ordering::Relaxed);
    }

    /// The number of the poll that goes on, or that comes next: what ends on another task between
    /// two of them is seen by the later.
    fn poll(&self) -> u32 {
        self.frame().polls.load(Ordering::Relaxed) | 1
    }
}
