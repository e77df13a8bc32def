//! `Backpressure`: a part that can be full makes the door wait.

use std::sync::Arc;

use futures::future::BoxFuture;

/// A part that takes what it is told at its own pace: while it is full, no further effect opens.
///
/// It may make the door wait, never refuse. What is told of effects that are already open is
/// always taken, so its memory is bounded by its own limit and what is in flight.
///
/// ```
/// use std::sync::Arc;
/// use loom_core::{Backpressure, Loom};
/// use tokio::sync::Semaphore;
///
/// /// Lets effects open while there are permits.
/// struct Turnstile(Arc<Semaphore>);
///
/// impl Backpressure for Turnstile {
///     async fn ready(&self) {
///         let _ = self.0.acquire().await;
///     }
/// }
///
/// let loom = Loom::builder().backpressure(Turnstile(Arc::new(Semaphore::new(1)))).build();
/// # let _ = loom;
/// ```
pub trait Backpressure: Send + Sync + 'static {
    /// Resolves once there is room.
    fn ready(&self) -> impl Future<Output = ()> + Send;
}

impl<B: Backpressure> Backpressure for Arc<B> {
    fn ready(&self) -> impl Future<Output = ()> + Send {
        (**self).ready()
    }
}

/// The object-safe twin of [`Backpressure`].
pub(crate) trait DynBackpressure: Send + Sync {
    fn ready(&self) -> BoxFuture<'_, ()>;
}

impl<B: Backpressure> DynBackpressure for B {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(Backpressure::ready(self))
    }
}
