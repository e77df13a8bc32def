//! `Life`: an effect closes once, and what is open below it closes first.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::context::RunContext;
use crate::ending::CancelReason;
use crate::name::Name;
use crate::tree::unpoisoned;

/// Open, or not opened yet.
const OPEN: u8 = 0;
const CLOSED: u8 = 1;
/// Closed together with what is above it; the reason's code is added.
const CLOSED_FROM_ABOVE: u8 = 0x20;

/// Whether an effect has closed, and what is open below it.
///
/// What is open below usually closes by itself. What was taken to another task doesn't: it is
/// found here when its parent closes.
#[derive(Default)]
pub(crate) struct Life {
    stage: AtomicU8,
    /// Whether anything was ever opened below. Most effects open nothing, and close without a
    /// lock.
    is_parent: AtomicBool,
    below: Mutex<Below>,
    /// Where this stands in its parent's `below`; changed only while that is locked.
    place: AtomicUsize,
    /// Told when the last one below has left after this closed.
    emptied: Condvar,
}

#[derive(Default)]
struct Below {
    open: Vec<RunContext>,
    /// The names of those that completed, where that is to be told.
    visited: Vec<Name>,
}

impl Life {
    pub(crate) fn is_closed(&self) -> bool {
        self.stage.load(Ordering::SeqCst) != OPEN
    }

    /// Why this was closed together with what is above it, if it was.
    pub(crate) fn closed_from_above(&self) -> Option<CancelReason> {
        let stage = self.stage.load(Ordering::SeqCst);
        CancelReason::from_code(stage.checked_sub(CLOSED_FROM_ABOVE)?)
    }

    /// Opens `cx` below this, unless this has closed; true if it could. The opening is told
    /// meanwhile, so that nobody closes what hasn't been heard of yet.
    pub(crate) fn open_below(&self, cx: &RunContext, tell: impl FnOnce()) -> bool {
        let mut below = unpoisoned(&self.below);
        // Said before the stage is looked at, as the one who closes looks after it set the stage:
        // one of the two sees the other.
        if !self.is_parent.load(Ordering::Relaxed) {
            self.is_parent.store(true, Ordering::SeqCst);
        }
        if self.is_closed() {
            return false;
        }
        let open = &mut below.open;
        cx.life().place.store(open.len(), Ordering::Relaxed);
        if open.capacity() == 0 {
            // The usual case is one after the other.
            open.reserve_exact(1);
        }
        open.push(cx.clone());
        tell();
        true
    }

    /// Gives up the place of `cx`, which has closed below this, and remembers it by this name.
    pub(crate) fn leave(&self, cx: &RunContext, visited: Option<&Name>) {
        let mut below = unpoisoned(&self.below);
        if let Some(name) = visited {
            below.visited.push(name.clone());
        }
        let place = cx.life().place.load(Ordering::Relaxed);
        let left = below.open.swap_remove(place);
        if let Some(moved) = below.open.get(place) {
            moved.life().place.store(place, Ordering::Relaxed);
        }
        let is_last = below.open.is_empty() && self.is_closed();
        drop(below);
        drop(left);
        if is_last {
            self.emptied.notify_all();
        }
    }

    /// Whether the caller is the one that closes this.
    pub(crate) fn begin_closing(&self) -> bool {
        self.go_to(CLOSED)
    }

    /// Whether the caller, which closes what is above, is the one that closes this.
    pub(crate) fn begin_closing_from_above(&self, why: CancelReason) -> bool {
        self.go_to(CLOSED_FROM_ABOVE + why.code())
    }

    fn go_to(&self, stage: u8) -> bool {
        self.stage
            .compare_exchange(OPEN, stage, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// What is still open below this, which has begun to close; the latest first.
    pub(crate) fn still_open(&self) -> Vec<RunContext> {
        if !self.is_parent.load(Ordering::SeqCst) {
            return Vec::new();
        }
        let mut open = unpoisoned(&self.below).open.clone();
        open.sort_by_key(|cx| std::cmp::Reverse(cx.number()));
        open
    }

    /// Waits for other threads that are just closing something below this.
    pub(crate) fn wait_until_empty(&self) {
        let below = unpoisoned(&self.below);
        let _empty = self
            .emptied
            .wait_while(below, |below| !below.open.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
    }

    /// The names of those below this that are remembered, in the order in which they left.
    pub(crate) fn take_visited(&self) -> Vec<Name> {
        std::mem::take(&mut unpoisoned(&self.below).visited)
    }
}
