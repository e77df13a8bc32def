//! `Handle`: cancels a run from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;

use crate::ending::CancelReason;
use crate::ids::RunId;

/// A hold on a run that others drive. Clones hold the same run; dropping one does nothing.
///
/// ```
/// use loom_core::{ErrorKind, Loom, Result};
///
/// async fn forever(_: ()) -> Result<()> {
///     futures::future::pending().await
/// }
///
/// # futures::executor::block_on(async {
/// let session = Loom::builder().build().session("alice");
/// let run = session.start(&forever, ());
/// let handle = run.handle();
/// handle.cancel();
/// assert_eq!(run.await.unwrap_err().kind(), ErrorKind::Cancelled);
/// # });
/// ```
#[derive(Clone)]
pub struct Handle {
    run_id: RunId,
    cancel: Arc<Cancel>,
}

impl Handle {
    pub(crate) fn new(run_id: RunId, cancel: Arc<Cancel>) -> Self {
        Self { run_id, cancel }
    }

    /// The root run's id.
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// Cancels the run and all that is nested in it: whatever is open closes as cancelled
    /// (`requested`). Does nothing once the run is over.
    pub fn cancel(&self) {
        self.cancel.request(CancelReason::Requested);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.run_id)
    }
}

/// Whether a run is to stop and why, and whom to wake for it.
#[derive(Default)]
pub(crate) struct Cancel {
    why: AtomicU8,
    driver: AtomicWaker,
}

impl Cancel {
    /// The first reason stays.
    pub(crate) fn request(&self, why: CancelReason) {
        let _ = self
            .why
            .compare_exchange(0, why.code(), Ordering::AcqRel, Ordering::Acquire);
        self.driver.wake();
    }

    pub(crate) fn reason(&self) -> Option<CancelReason> {
        CancelReason::from_code(self.why.load(Ordering::Acquire))
    }

    /// Whom to wake; ask for the reason after this, not before, or a request could be missed.
    pub(crate) fn register(&self, driver: &Waker) {
        self.driver.register(driver);
    }
}
