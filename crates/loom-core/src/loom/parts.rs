//! `Parts`: what is wired.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::backpressure::DynBackpressure;
use crate::clock::{Clock, Ids};
use crate::gate::NamedGate;
use crate::journal::DynJournal;
use crate::limits::Limits;
use crate::observer::DynObserver;
use crate::poll::caught_now;
use crate::question::DynApprover;

/// What a tree of runs takes from its loom.
pub(crate) struct Parts {
    pub(crate) observers: Vec<Arc<dyn DynObserver>>,
    pub(crate) pollers: Vec<Arc<dyn DynObserver>>,
    pub(crate) gates: Vec<NamedGate>,
    pub(crate) barriers: Vec<NamedGate>,
    pub(crate) approver: Option<Box<dyn DynApprover>>,
    pub(crate) permissions_off: bool,
    pub(crate) waits: Vec<Arc<dyn DynBackpressure>>,
    pub(crate) journal: Option<Arc<dyn DynJournal>>,
    pub(crate) admission: Admission,
    pub(crate) blocking: Arc<Semaphore>,
    pub(super) blocking_max: usize,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) ids: Box<dyn Ids>,
    pub(crate) limits: Limits,
    pub(crate) settle_max: Duration,
    pub(crate) lease: Duration,
    pub(super) observer_faults: AtomicU64,
}

impl Parts {
    /// Tells every observer; one that panics loses this event, never the run's.
    pub(crate) fn tell(&self, told: impl Fn(&dyn DynObserver)) {
        self.tell_pollers(self.observers.iter(), told);
    }

    /// Tells these observers, in this order.
    pub(crate) fn tell_pollers<'a>(
        &self,
        observers: impl Iterator<Item = &'a Arc<dyn DynObserver>>,
        told: impl Fn(&dyn DynObserver),
    ) {
        for observer in observers {
            if caught_now(|| told(&**observer)).is_err() {
                self.count_observer_fault();
            }
        }
    }

    pub(crate) fn count_observer_fault(&self) {
        self.observer_faults.fetch_add(1, Ordering::Relaxed);
    }
}
