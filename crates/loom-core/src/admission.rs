//! Admission: which runs are going on, so that a loom can be shut down.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::ending::CancelReason;
use crate::error::{Error, Result};
use crate::handle::Cancel;
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
    places: Vec<Option<Arc<Cancel>>>,
    free: Vec<usize>,
    closed: bool,
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
    pub(crate) fn admit(&self, cancel: &Arc<Cancel>) -> Result<Admitted<'_>> {
        let mut live = self.live();
        if live.closed {
            return Err(Error::cancelled(
                CancelReason::Requested,
                "the loom is shutting down and begins no further run",
            ));
        }
        let place = live.free.pop().unwrap_or(live.places.len());
        if place == live.places.len() {
            live.places.push(None);
        }
        live.places[place] = Some(cancel.clone());
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
        let left: Vec<Arc<Cancel>> = self.live().places.iter().flatten().cloned().collect();
        for run in &left {
            run.request(CancelReason::Requested);
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

/// A run's place among those that go on; given up on drop.
pub(crate) struct Admitted<'a> {
    admission: &'a Admission,
    place: usize,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let closed = {
            let mut live = self.admission.live();
            live.places[self.place] = None;
            live.free.push(self.place);
            live.closed
        };
        if closed {
            self.admission.changed.notify_waiters();
        }
    }
}
