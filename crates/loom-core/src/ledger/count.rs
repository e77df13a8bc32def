//! `Count`: a number that every effect adds to, so without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many there were. Nothing else is ordered by it.
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn new(count: u64) -> Self {
        Self(AtomicU64::new(count))
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds one; returns false, and adds nothing, where the count is already `max`.
    #[inline]
    pub(super) fn up(&self, max: u64) -> bool {
        let more = |count: u64| (count < max).then(|| count + 1);
        self.change(more)
    }

    /// Subtracts `by`, down to zero.
    pub(super) fn down(&self, by: u64) {
        self.change(|count| Some(count.saturating_sub(by)));
    }

    fn change(&self, change: impl FnMut(u64) -> Option<u64>) -> bool {
        let changed = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        changed.is_ok()
    }
}
