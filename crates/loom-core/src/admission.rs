//! Admission: which runs are under way, so that a loom can be shut down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::control::Control;
use crate::ending::CancelReason;
use crate::error::Error;
use crate::ids::RunId;
use crate::journal::JournalRun;
use crate::run_error::{RunError, RunErrorKind};
use crate::scope::Scope;
use crate::tree::unpoisoned;

/// The runs of a loom that are under way.
#[derive(Default)]
pub(crate) struct Admission {
    live: Mutex<Live>,
    changed: Notify,
}

#[derive(Default)]
struct Live {
    /// By a number of their own, in the order in which they began.
    runs: BTreeMap<u64, Arc<Control>>,
    next: u64,
    closed: bool,
}

/// What came of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Runs that ended by themselves in time.
    pub finished: usize,
    /// Runs that had to be cancelled.
    pub cancelled: usize,
}

impl Admission {
    /// Lets a run in.
    pub(crate) fn admit(&self, control: &Arc<Control>) -> Result<Admitted<'_>, RunError> {
        let mut live = self.live();
        if live.closed {
            return Err(RunError::new(
                RunErrorKind::Cancelled(CancelReason::Requested),
                Error::stopped("the loom is shutting down and begins no further run"),
            ));
        }
        let number = live.next;
        live.next += 1;
        live.runs.insert(number, control.clone());
        Ok(Admitted {
            admission: self,
            number,
        })
    }

    /// Begins no further run, waits for those under way, cancels what is left after `deadline`, and
    /// waits until that has settled too.
    pub(crate) async fn shut_down(&self, deadline: Duration) -> Shutdown {
        let before = {
            let mut live = self.live();
            live.closed = true;
            live.runs.len()
        };
        let empty = || self.until(|live| live.runs.is_empty());
        let mut left = Vec::new();
        if tokio::time::timeout(deadline, empty()).await.is_err() {
            left.extend(self.live().runs.values().cloned());
            for run in &left {
                run.cancel(CancelReason::Requested);
            }
            empty().await;
        }
        Shutdown {
            finished: before - left.len(),
            cancelled: left.len(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.live().runs.len()
    }

    /// The run of this id and partition that is under way here, if there is one.
    pub(crate) fn find(&self, scope: &Scope, run_id: &RunId) -> Option<Arc<Control>> {
        let live = self.live();
        let mut runs = live.runs.values();
        runs.find(|it| it.is_of(scope, run_id)).cloned()
    }

    /// Waits, if the run of this id is under way here, until some run of this loom has ended: it
    /// may be that one, or its lease may have run out meanwhile. False if it isn't.
    pub(crate) async fn wait_for(&self, run: &JournalRun) -> bool {
        let is_here = |live: &Live| {
            let mut runs = live.runs.values();
            runs.any(|it| it.is_claimed() && it.is_of(&run.scope, &run.root))
        };
        // Listens before it looks, so that no end falls in between.
        let mut changed = std::pin::pin!(self.changed.notified());
        changed.as_mut().enable();
        let is_here = is_here(&self.live());
        if is_here {
            changed.await;
        }
        is_here
    }

    /// Waits until a run that was cancelled is gone, unless it is driven and so records its end.
    pub(crate) async fn until_driven_or_gone(&self, control: &Arc<Control>) {
        let is_here = |live: &Live| live.runs.values().any(|it| Arc::ptr_eq(it, control));
        self.until(|live| control.is_driven() || !is_here(live))
            .await;
    }

    /// Waits until this holds of the runs that are under way.
    async fn until(&self, holds: impl Fn(&Live) -> bool) {
        loop {
            // Listens before it looks, so that no change falls in between.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if holds(&self.live()) {
                return;
            }
            changed.await;
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        unpoisoned(&self.live)
    }
}

/// A run's place among those under way, until it is dropped.
pub(crate) struct Admitted<'a> {
    admission: &'a Admission,
    number: u64,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let left = self.admission.live().runs.remove(&self.number);
        drop(left);
        self.admission.changed.notify_waiters();
    }
}
