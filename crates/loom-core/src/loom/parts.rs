//! `Parts`: what is wired.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::backpressure::DynBackpressure;
use crate::clock::{Clock, Ids, RandomIds, SystemClock};
use crate::error::{Error, Result};
use crate::gate::NamedGate;
use crate::journal::DynJournal;
use crate::limits::Limits;
use crate::observer::DynObserver;
use crate::permissions::Permissions;
use crate::poll::caught_now;
use crate::question::DynApprover;
use crate::tree::unpoisoned;

/// What a tree of runs takes from its loom.
pub(crate) struct Parts {
    pub(crate) observers: Vec<Arc<dyn DynObserver>>,
    /// Those of the observers that want to know of polls.
    pub(crate) pollers: Vec<Arc<dyn DynObserver>>,
    /// That of the permissions is the first, unless they are off.
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
    /// The runtimes that turned out to have no timer.
    timeless: Mutex<Vec<runtime::Id>>,
}

impl Default for Parts {
    fn default() -> Self {
        let blocking_max = 64;
        Self {
            observers: Vec::new(),
            pollers: Vec::new(),
            gates: vec![NamedGate::new(Permissions::new())],
            barriers: Vec::new(),
            approver: None,
            permissions_off: false,
            waits: Vec::new(),
            journal: None,
            admission: Admission::default(),
            blocking: Arc::new(Semaphore::new(blocking_max)),
            blocking_max,
            clock: Box::new(SystemClock),
            ids: Box::new(RandomIds),
            limits: Limits::default(),
            settle_max: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            observer_faults: AtomicU64::new(0),
            timeless: Mutex::default(),
        }
    }
}

impl Parts {
    /// The journal.
    ///
    /// # Errors
    /// `Invalid` without one.
    pub(crate) fn journal(&self) -> Result<&Arc<dyn DynJournal>> {
        self.journal.as_ref().ok_or_else(|| {
            Error::invalid(
                "the loom has no journal: give it one with `.journal(..)` to pause and resume runs",
            )
        })
    }

    /// Whether there is a timer here that a lease could be renewed by, or a deadline kept.
    ///
    /// Tokio answers by a panic, which the program's hook prints: each runtime is asked only once,
    /// and only for a run that needs to know.
    pub(crate) fn has_timer(&self) -> bool {
        let Ok(runtime) = runtime::Handle::try_current() else {
            return false;
        };
        if unpoisoned(&self.timeless).contains(&runtime.id()) {
            return false;
        }
        let has_timer = caught_now(|| tokio::time::sleep(Duration::ZERO)).is_ok();
        if !has_timer {
            unpoisoned(&self.timeless).push(runtime.id());
        }
        has_timer
    }

    /// Notifies every observer; one that panics loses this event, never the run's.
    pub(crate) fn tell(&self, told: impl Fn(&dyn DynObserver)) {
        self.tell_pollers(self.observers.iter(), told);
    }

    /// Notifies these observers, in this order.
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
