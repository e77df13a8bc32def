//! `Handle`: cancels a run from elsewhere.

use std::fmt;
use std::sync::Arc;

use crate::control::Control;
use crate::ending::CancelReason;
use crate::ids::RunId;

/// A handle on a run that is driven elsewhere. Clones refer to the same run; dropping one does
/// nothing.
///
/// ```
/// use loom_core::{CancelReason, Loom, Result, RunErrorKind};
///
/// async fn forever(_: ()) -> Result<()> {
///     futures::future::pending().await
/// }
///
/// # futures::executor::block_on(async {
/// let session = Loom::builder().build().session("alice");
/// let run = session.run(&forever, ());
/// let handle = run.handle();
/// handle.cancel();
/// assert_eq!(run.await.unwrap_err().kind(), RunErrorKind::Cancelled(CancelReason::Requested));
/// # });
/// ```
#[derive(Clone)]
pub struct Handle(Arc<Control>);

impl Handle {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        Self(control)
    }

    /// The root run's id.
    pub fn run_id(&self) -> &RunId {
        self.0.run_id()
    }

    /// Cancels the run and all that is nested in it: whatever is open closes as cancelled
    /// (`requested`). Does nothing once the run is over.
    pub fn cancel(&self) {
        self.0.cancel(CancelReason::Requested);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.run_id())
    }
}
