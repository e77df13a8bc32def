//! `Observer`: the seat of those who watch.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::event::Event;
use crate::ids::RunId;
use crate::outcome::Settlement;
use crate::trace::SpanId;

/// Watches everything that happens in a run, and can't change any of it.
///
/// An audit log, telemetry, a recorder for tests and a user interface's event stream are
/// observers. Calls come in the order things happen, from whichever thread polls the run, so an
/// observer must be quick; a panic in one is caught and counted ([`Loom::observer_faults`]) and
/// never reaches the run.
///
/// [`Loom::observer_faults`]: crate::Loom::observer_faults
///
/// A whole one, which counts what was opened and what was closed:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use loom_core::{Event, EventKind, Loom, Observer, Result};
///
/// #[derive(Default)]
/// struct Balance {
///     opened: AtomicU32,
///     closed: AtomicU32,
/// }
///
/// impl Observer for Balance {
///     fn on_event(&self, event: &Event<'_>) {
///         match event.kind {
///             EventKind::Opened { .. } => self.opened.fetch_add(1, Ordering::Relaxed),
///             EventKind::Closed(_) => self.closed.fetch_add(1, Ordering::Relaxed),
///             _ => 0,
///         };
///     }
/// }
///
/// # async fn shout(text: String) -> Result<String> { Ok(text.to_uppercase()) }
/// # futures::executor::block_on(async {
/// let balance = Arc::new(Balance::default());
/// let loom = Loom::builder().observe(balance.clone()).build();
/// loom.session("alice").run(&shout, "hello").await?;
/// assert_eq!(balance.opened.load(Ordering::Relaxed), 1);
/// assert_eq!(balance.closed.load(Ordering::Relaxed), 1);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't an observer",
    note = "implement `Observer`: `fn on_event(&self, event: &Event<'_>)`"
)]
pub trait Observer: Send + Sync + 'static {
    /// Called for every event of every run.
    fn on_event(&self, event: &Event<'_>);

    /// The observer's name, where it has to be named: its type's by default.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }

    /// Asked once, when the loom is built: only then are `enter` and `exit` called.
    fn wants_polls(&self) -> bool {
        false
    }

    /// The body of this span is about to be polled on this thread.
    fn enter(&self, _span: SpanId) {}

    /// The poll that `enter` announced is over; calls nest like brackets.
    fn exit(&self, _span: SpanId) {}

    /// Awaited once a run, after its root closed and before the caller gets the outcome: the
    /// place to make durable what was seen.
    fn settle(&self, _run: &RunId) -> impl Future<Output = Settlement> + Send {
        std::future::ready(Settlement::nothing())
    }
}

impl<O: Observer> Observer for Arc<O> {
    fn on_event(&self, event: &Event<'_>) {
        (**self).on_event(event);
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn wants_polls(&self) -> bool {
        (**self).wants_polls()
    }

    fn enter(&self, span: SpanId) {
        (**self).enter(span);
    }

    fn exit(&self, span: SpanId) {
        (**self).exit(span);
    }

    fn settle(&self, run: &RunId) -> impl Future<Output = Settlement> + Send {
        (**self).settle(run)
    }
}

/// The object-safe twin of [`Observer`].
pub(crate) trait DynObserver: Send + Sync {
    fn name(&self) -> &str;
    fn on_event(&self, event: &Event<'_>);
    fn wants_polls(&self) -> bool;
    fn enter(&self, span: SpanId);
    fn exit(&self, span: SpanId);
    fn settle<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Settlement>;
}

impl<O: Observer> DynObserver for O {
    fn name(&self) -> &str {
        Observer::name(self)
    }

    fn on_event(&self, event: &Event<'_>) {
        Observer::on_event(self, event);
    }

    fn wants_polls(&self) -> bool {
        Observer::wants_polls(self)
    }

    fn enter(&self, span: SpanId) {
        Observer::enter(self, span);
    }

    fn exit(&self, span: SpanId) {
        Observer::exit(self, span);
    }

    fn settle<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Settlement> {
        Box::pin(Observer::settle(self, run))
    }
}
