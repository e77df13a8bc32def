//! `Backpressure`: a part that can be full makes the door wait.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::error::Result;

/// A part that takes events at its own pace: while it is full, no further effect opens.
///
/// It may make the door wait, and end the run when it can't continue; it refuses nothing. Events of
/// effects that are already open are always taken, so its memory is bounded by its own limit and
/// what is in flight.
///
/// ```
/// use std::sync::Arc;
/// use loom_core::{Backpressure, Error, Loom, Result};
/// use tokio::sync::Semaphore;
///
/// /// Lets effects open while there are permits.
/// struct Turnstile(Arc<Semaphore>);
///
/// impl Backpressure for Turnstile {
///     async fn ready(&self) -> Result<()> {
///         self.0.acquire().await.map(drop).map_err(Error::from_any)
///     }
/// }
///
/// let loom = Loom::builder().backpressure(Turnstile(Arc::new(Semaphore::new(1)))).build();
/// # let _ = loom;
/// ```
pub trait Backpressure: Send + Sync + 'static {
    /// Resolves once there is room.
    ///
    /// # Errors
    /// The part can't continue: the run ends as broken with this error.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send;
}

impl<B: Backpressure> Backpressure for Arc<B> {
    fn ready(&self) -> impl Future<Output = Result<()>> + Send {
        (**self).ready()
    }
}

/// The object-safe twin of [`Backpressure`].
pub(crate) trait DynBackpressure: Send + Sync {
    fn ready(&self) -> BoxFuture<'_, Result<()>>;
}

impl<B: Backpressure> DynBackpressure for B {
    fn ready(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(Backpressure::ready(self))
    }
}
