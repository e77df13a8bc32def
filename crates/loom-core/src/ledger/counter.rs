//! `Counter`: how many there were of what a limit bounds.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ledger::Reached;

/// A number that every effect adds to, so without a lock. Nothing else is ordered by it.
pub(super) struct Counter {
    limit: &'static str,
    max: u64,
    count: AtomicU64,
}

impl Counter {
    /// Counts from `count` up to a limit of this name, if there is one.
    pub(super) fn new(limit: &'static str, max: Option<u64>, count: u64) -> Self {
        Self {
            limit,
            max: max.unwrap_or(u64::MAX),
            count: AtomicU64::new(count),
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Adds one, unless the limit is reached.
    #[inline]
    pub(super) fn up(&self) -> Result<(), Reached> {
        let (limit, value) = (self.limit, self.max);
        self.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < value).then(|| count + 1)
            })
            .map(drop)
            .map_err(|_| Reached { limit, value })
    }

    /// Takes one back that was added.
    pub(super) fn down(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
