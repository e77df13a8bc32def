//! Admission: which runs are going on, so that a loom can be shut down.

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

/// The runs of a loom that are going on.
#[derive(Default)]
pub(crate) struct Admission {
    live: Mutex<Live>,
    changed: Notify,
}

#[derive(Default)]
struct Live {
    /// A place for each run; those that are free are used again.
    places: Vec<Option<Arc<Control>>>,
    free: Vec<usize>,
    closed: bool,
    /// How many wait for a run to end.
    waiting: usize,
}

impl Live {
    fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }
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
        let place = live.free.pop().unwrap_or(live.places.len());
        if place == live.places.len() {
            live.places.push(None);
        }
        live.places[place] = Some(control.clone());
        Ok(Admitted {
            admission: self,
            place,
        })
    }

    /// Begins no further run, waits for those that go on, cancels what is left after `deadline`,
    /// and waits until that has settled too.
    pub(crate) async fn shut_down(&self, deadline: Duration) -> Shutdown {
        let before = {
            let mut live = self.live();
            live.closed = true;
            live.count()
        };
        if tokio::time::timeout(deadline, self.empty()).await.is_ok() {
            return Shutdown {
                finished: before,
                cancelled: 0,
            };
        }
        let left: Vec<Arc<Control>> = self.live().places.iter().flatten().cloned().collect();
        for run in &left {
            run.cancel(CancelReason::Requested);
        }
        self.empty().await;
        Shutdown {
            finished: before - left.len(),
            cancelled: left.len(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.live().count()
    }

    /// The run of this id and partition that is going on here, if there is one.
    pub(crate) fn find(&self, scope: &Scope, run_id: &RunId) -> Option<Arc<Control>> {
        let live = self.live();
        let mut runs = live.places.iter().flatten();
        runs.find(|it| it.is_of(scope, run_id)).cloned()
    }

    /// Waits for a run to end, if the one of this id goes on here; false if it doesn't.
    pub(crate) async fn wait_for(&self, run: &JournalRun) -> bool {
        // Listens before it looks, so that no change falls in between.
        let mut changed = std::pin::pin!(self.changed.notified());
        changed.as_mut().enable();
        let goes_on = {
            let mut live = self.live();
            let mut runs = live.places.iter().flatten();
            let goes_on = runs.any(|it| it.is_claimed() && it.is_of(&run.scope, &run.root));
            live.waiting += usize::from(goes_on);
            goes_on
        };
        if goes_on {
            let _waiting = Waiting(self);
            changed.await;
        }
        goes_on
    }

    /// Waits until a run that was cancelled is gone, unless it is driven and so records its end.
    pub(crate) async fn until_driven_or_gone(&self, control: &Arc<Control>) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let is_here = {
                let mut live = self.live();
                let mut runs = live.places.iter().flatten();
                let is_here = runs.any(|it| Arc::ptr_eq(it, control)) && !control.is_driven();
                live.waiting += usize::from(is_here);
                is_here
            };
            if !is_here {
                return;
            }
            let _waiting = Waiting(self);
            changed.await;
        }
    }

    async fn empty(&self) {
        loop {
            // Listens before it looks, so that no change falls in between.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            changed.await;
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        unpoisoned(&self.live)
    }
}

/// Somebody who waits for a run to end.
struct Waiting<'a>(&'a Admission);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.live().waiting -= 1;
    }
}

/// A run's place among those that go on; given up on drop.
pub(crate) struct Admitted<'a> {
    admission: &'a Admission,
    place: usize,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let (left, is_awaited) = {
            let mut live = self.admission.live();
            live.free.push(self.place);
            let left = live.places[self.place].take();
            (left, live.closed || live.waiting > 0)
        };
        drop(left);
        if is_awaited {
            self.admission.changed.notify_waiters();
        }
    }
}
