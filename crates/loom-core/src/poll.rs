//! What happens around each poll of a body: watchers enter and leave, a panic is caught, time is
//! bounded.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use pin_project_lite::pin_project;

use crate::context::RunContext;
use crate::error::{Error, ErrorKind, Result};

/// Runs the future on this task; a panic in it becomes its text.
pub(crate) fn caught<T>(
    future: impl Future<Output = T> + Send,
) -> impl Future<Output = std::result::Result<T, String>> + Send {
    let caught = AssertUnwindSafe(future).catch_unwind();
    caught.map(|ended| ended.map_err(spent))
}

/// Runs the function; a panic in it becomes its text.
pub(crate) fn caught_now<T>(function: impl FnOnce() -> T) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(function)).map_err(spent)
}

/// The text of a panic that is over. What it was raised with is leaked, since dropping it could
/// panic again, out here.
fn spent(panic: Box<dyn Any + Send>) -> String {
    let text = panic_text(&*panic);
    std::mem::forget(panic);
    text
}

/// The text a panic was raised with.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

pin_project! {
    /// A body that is made when it is polled first, and polled on this task, with its effect
    /// entered in every observer that wants to know of polls; a panic in it becomes an error. A
    /// function may panic before it gives its future, and a future when it is dropped at its end.
    ///
    /// By hand, not as an async function: each effect's future holds one.
    #[must_use]
    pub(crate) struct Polled<'a, Make, Fut> {
        cx: &'a RunContext,
        make: Make,
        #[pin]
        body: Option<Fut>,
    }
}

/// `make` is called until it gives a future, which it does at once.
pub(crate) fn polled<T, Fut, Make>(cx: &RunContext, make: Make) -> Polled<'_, Make, Fut>
where
    Make: FnMut() -> Option<Fut> + Send,
    Fut: Future<Output = Result<T>> + Send,
{
    Polled {
        cx,
        make,
        body: None,
    }
}

impl<T, Make, Fut> Future for Polled<'_, Make, Fut>
where
    Make: FnMut() -> Option<Fut> + Send,
    Fut: Future<Output = Result<T>> + Send,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.project();
        let (cx, make, mut body) = (*this.cx, this.make, this.body);
        if let Some(stopped) = stopped(cx) {
            let _ = caught_now(|| body.set(None));
            return Poll::Ready(Err(stopped));
        }
        let poll = caught_now(|| {
            let _entered = Entered::new(cx);
            if body.is_none() {
                body.set(make());
            }
            let Some(running) = body.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let poll = running.poll(task);
            if poll.is_ready() {
                body.set(None);
            }
            poll
        });
        match poll {
            Ok(Poll::Pending) => {
                // Looked at again after that, or it could close in between.
                cx.register(task.waker());
                match stopped(cx) {
                    None => Poll::Pending,
                    Some(stopped) => {
                        let _ = caught_now(|| body.set(None));
                        Poll::Ready(Err(stopped))
                    }
                }
            }
            Ok(ready) => ready,
            Err(panic) => {
                let _ = caught_now(|| body.set(None));
                Poll::Ready(Err(Error::new(ErrorKind::Panicked, panic)))
            }
        }
    }
}

/// Why the body of this effect isn't polled any more: the effect has closed together with what is
/// above it, or its code ignores that it is refused.
fn stopped(cx: &RunContext) -> Option<Error> {
    if cx.life().closed_from_above().is_some() {
        Some(Error::stopped("what it belongs to has closed"))
    } else if cx.is_given_up() {
        Some(Error::stopped(
            "it was refused too often and did not return",
        ))
    } else {
        None
    }
}

/// Lets others run once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|task| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// An effect that is entered until this is dropped, so also when a poll panics.
struct Entered<'a>(Option<&'a RunContext>);

impl<'a> Entered<'a> {
    fn new(cx: &'a RunContext) -> Self {
        let parts = &cx.tree().parts;
        if parts.pollers.is_empty() {
            return Self(None);
        }
        parts.tell_pollers(parts.pollers.iter(), |observer| {
            observer.enter(cx.span_id());
        });
        Self(Some(cx))
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(cx) = self.0 {
            let parts = &cx.tree().parts;
            parts.tell_pollers(parts.pollers.iter().rev(), |observer| {
                observer.exit(cx.span_id());
            });
        }
    }
}

/// Waits for the future at most this long; `None` when time is up.
///
/// A future that is ready at once needs no timer, and so no runtime that has one.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let first = poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await;
    match (first, limit) {
        (Poll::Ready(output), _) => Some(output),
        (Poll::Pending, None) => Some(future.await),
        (Poll::Pending, Some(limit)) => tokio::time::timeout(limit, future).await.ok(),
    }
}
