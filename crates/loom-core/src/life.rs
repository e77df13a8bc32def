//! `Life`: an effect closes once, what is open below it closes first, and the last one who tells of
//! it reports its closing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use crate::context::RunContext;
use crate::ending::CancelReason;
use crate::name::Name;
use crate::tree::unpoisoned;

/// The lower bits count who holds the closing back: the effect itself until it closes, whatever is
/// telling observers of it just now, and all that is still open below it once it has closed.
const HOLD: u32 = 1;
const HOLDS: u32 = 0xF_FFFF;
/// The cause of the whole run's end lies in this effect or below it.
const MARKED: u32 = 0x10_0000;
/// Closed; in a byte of its own stands the reason's code if it closed with what is above it.
const CLOSED: u32 = 0x20_0000;
const REASON_SHIFT: u32 = 24;

/// Whether an effect has closed, and what is open below it. No lock is held and nobody waits while
/// observers are notified: if others do so when an effect closes, the last of them reports
/// the closing.
pub(crate) struct Life {
    state: AtomicU32,
    /// Whether anything was ever opened below. Most effects open nothing, and close without a
    /// lock.
    is_parent: AtomicBool,
    below: Mutex<Below>,
    /// Where this stands in its parent's `below`; changed only while that is locked.
    place: AtomicUsize,
}

#[derive(Default)]
struct Below {
    open: Vec<RunContext>,
    /// Whether this has closed and waits for what is open.
    holds_back: bool,
    /// The names of those that completed, where that is to be told.
    visited: Vec<Name>,
}

/// What the closing of an effect depends on.
pub(crate) struct Closing {
    /// Whether the cause of the run's end lies here or below.
    pub(crate) is_marked: bool,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            state: AtomicU32::new(HOLD),
            is_parent: AtomicBool::new(false),
            below: Mutex::default(),
            place: AtomicUsize::new(0),
        }
    }
}

impl Life {
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Why this was closed together with what is above it, if it was.
    #[inline]
    pub(crate) fn closed_from_above(&self) -> Option<CancelReason> {
        let code = (self.state.load(Ordering::SeqCst) >> REASON_SHIFT) as u8;
        CancelReason::from_code(code)
    }

    /// Says that the cause of the run's end lies here or below; false if this has closed.
    pub(crate) fn mark(&self) -> bool {
        let marked = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                (state & CLOSED == 0).then_some(state | MARKED)
            });
        marked.is_ok()
    }

    /// Holds the closing back while observers are notified; false if this has closed.
    #[inline]
    pub(crate) fn hold(&self) -> bool {
        let held = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                (state & CLOSED == 0).then_some(state + HOLD)
            });
        held.is_ok()
    }

    /// Lets go; true if this has closed and nobody else holds it: the caller reports the closing.
    #[inline]
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        let before = self.state.fetch_sub(HOLD, Ordering::SeqCst);
        before & CLOSED != 0 && before & HOLDS == HOLD
    }

    /// Whether the caller, which closes this, is the only one that holds it.
    #[inline]
    pub(crate) fn is_held_by_one(&self) -> bool {
        self.state.load(Ordering::SeqCst) & HOLDS == HOLD
    }

    /// Closes this; `None` if that was done before.
    #[inline]
    pub(crate) fn begin_closing(&self) -> Option<Closing> {
        self.close(CLOSED)
    }

    /// Closes this together with what is above it.
    pub(crate) fn begin_closing_from_above(&self, why: CancelReason) -> Option<Closing> {
        self.close(CLOSED | u32::from(why.code()) << REASON_SHIFT)
    }

    fn close(&self, bits: u32) -> Option<Closing> {
        let before = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                (state & CLOSED == 0).then_some(state | bits)
            });
        before.ok().map(|state| Closing {
            is_marked: state & MARKED != 0,
        })
    }

    /// Takes `cx` in below this; false if this has closed.
    pub(crate) fn open_below(&self, cx: &RunContext) -> bool {
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
        true
    }

    /// Lets `cx` go, whose closing was reported, and remembers it by this name; true if this has
    /// closed and nobody holds it any more: the caller reports its closing.
    #[must_use]
    pub(crate) fn leave(&self, cx: &RunContext, visited: Option<&Name>) -> bool {
        let mut below = unpoisoned(&self.below);
        if let Some(name) = visited {
            below.visited.push(name.clone());
        }
        let place = cx.life().place.load(Ordering::Relaxed);
        let left = below.open.swap_remove(place);
        if let Some(moved) = below.open.get(place) {
            moved.life().place.store(place, Ordering::Relaxed);
        }
        let is_last = below.open.is_empty() && std::mem::take(&mut below.holds_back);
        drop(below);
        drop(left);
        is_last && self.release()
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

    /// Lets what is still open below this, which has closed, hold the closing back.
    pub(crate) fn wait_for_those_below(&self) {
        let mut below = unpoisoned(&self.below);
        if !below.open.is_empty() {
            below.holds_back = true;
            self.state.fetch_add(HOLD, Ordering::SeqCst);
        }
    }

    /// The names of those below this that are remembered, in the order in which they left.
    pub(crate) fn take_visited(&self) -> Vec<Name> {
        std::mem::take(&mut unpoisoned(&self.below).visited)
    }
}
