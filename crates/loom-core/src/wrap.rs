//! Wrappers: steps that hold a step, for what one step can't do to itself.

mod retry;
mod timeout;
mod or_else;
mod map;
mod named;
mod once;

use std::marker::PhantomData;
use std::time::Duration;

use crate::context::RunContext;
use crate::error::{Error, Result};
use crate::info::{Info, Kind};
use crate::into_step::IntoStep;
use crate::name::Name;
use crate::safety::Safety;

pub use map::Map;
pub use named::Named;
pub use once::Once;
pub use or_else::OrElse;
pub use retry::Retry;
pub use timeout::Timeout;

/// Starts wrapping a step: `step(call_bank).retry(3).timeout(Duration::from_secs(10))`.
///
/// A wrapped step is a step. It takes the name of what it wraps and is one span with it. Wrappers
/// apply inside out: the example bounds all attempts together.
///
/// ```
/// use std::time::Duration;
/// use loom_core::{ErrorKind, Loom, Result, step};
///
/// async fn forever(_: ()) -> Result<()> {
///     futures::future::pending().await
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let session = Loom::builder().build().session("alice");
/// let error = session.run(&step(forever).timeout(Duration::from_secs(1)), ()).await.unwrap_err();
/// assert_eq!(error.error().kind(), ErrorKind::Timeout);
/// # });
/// ```
pub fn step<S>(step: S) -> Wrapped<S> {
    Wrapped(step)
}

/// A step that is being wrapped; see [`step`].
#[derive(Clone, Debug)]
#[must_use = "a wrapped step does nothing until it is put where a step goes"]
pub struct Wrapped<S>(S);

/// Marks wrapped steps: what they wrap is a step by marker `M`.
#[derive(Debug)]
pub struct Via<M>(PhantomData<M>);

impl<S> Wrapped<S> {
    /// Tries again when the step fails with an error that a retry may help, `attempts` times in
    /// all.
    ///
    /// All attempts are one span, with a note for each further one. Between them it waits, twice
    /// as long each time (200 ms at first, 30 s at most, less by a random share); see
    /// [`Wrapped::backoff`] and [`Wrapped::retry_if`]. Errors that end the tree are never
    /// retried. Needs a Tokio runtime with time as soon as it waits.
    ///
    /// With a journal, what an earlier attempt finished below the step is recorded, and a further
    /// attempt uses it again instead of running it: only what failed runs anew. What must run in
    /// every attempt belongs into the step that is retried itself, and what was approved and failed
    /// is asked about anew.
    ///
    /// What isn't idempotent must not be done twice unasked. With an `attempts` above 1, a step that
    /// is itself not idempotent ([`Wrapped::once`]) is refused, and so is, in a run without a journal,
    /// a step that holds something that isn't: an agent's tool that doesn't declare otherwise.
    /// [`Wrapped::repeating_effects`] allows both.
    ///
    /// # Errors
    /// The run fails with `Invalid` for 0 attempts, and for what might be done twice.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use loom_core::{Error, ErrorKind, Loom, Result, step};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let calls = AtomicU32::new(0);
    /// let flaky = move |_: ()| {
    ///     let call = calls.fetch_add(1, Ordering::Relaxed);
    ///     async move { if call < 2 { Err(Error::new(ErrorKind::Failed, "not yet")) } else { Ok(call) } }
    /// };
    /// let outcome = Loom::builder().build().session("alice").run(&step(flaky).retry(3), ()).await?;
    /// assert_eq!(outcome.output, 2);
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    pub fn retry(self, attempts: u32) -> Wrapped<Retry<S>> {
        Wrapped(Retry::new(self.0, attempts))
    }

    /// Fails the step with `Timeout` when it takes longer than this; whatever is open in it
    /// closes as cancelled (`timed_out`). Needs a Tokio runtime with time.
    ///
    /// # Errors
    /// The run fails with `Invalid` for a limit of zero.
    pub fn timeout(self, limit: Duration) -> Wrapped<Timeout<S>> {
        Wrapped(Timeout::new(self.0, limit))
    }

    /// Runs the other step on the same input when this one fails, unless the error ends the tree.
    ///
    /// ```
    /// use loom_core::{Error, Loom, Result, step};
    ///
    /// async fn broken(_: u64) -> Result<u64> {
    ///     Err(Error::invalid("broken"))
    /// }
    /// async fn spare(n: u64) -> Result<u64> {
    ///     Ok(n)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let outcome = Loom::builder().build().session("alice").run(&step(broken).or_else(spare), 7u64).await?;
    /// assert_eq!(outcome.output, 7);
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    pub fn or_else<B>(self, other: B) -> Wrapped<OrElse<S, B>> {
        Wrapped(OrElse::new(self.0, other))
    }

    /// Declares that the step is not idempotent: after a crash in the middle of it, it isn't run
    /// again without being asked.
    ///
    /// ```
    /// use loom_core::{Error, IntoStep, Loom, Result, Safety, step};
    ///
    /// async fn charge(cents: u64) -> Result<String> {
    ///     Ok(format!("charged {cents} cents"))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let charge = step(charge).once();
    /// assert_eq!(charge.step_safety(), Safety::NotIdempotent);
    /// let outcome = Loom::builder().build().session("alice").run(&charge, 500u64).await?;
    /// assert_eq!(outcome.output, "charged 500 cents");
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    pub fn once(self) -> Wrapped<Once<S>> {
        Wrapped(Once::new(self.0))
    }

    /// Changes what the step gives by a pure function.
    ///
    /// ```
    /// use loom_core::{Error, Loom, Result, step};
    ///
    /// async fn seven(_: ()) -> Result<u64> {
    ///     Ok(7)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let text = step(seven).map(|n: u64| n.to_string());
    /// assert_eq!(Loom::builder().build().session("alice").run(&text, ()).await?.output, "7");
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    pub fn map<F>(self, map: F) -> Wrapped<Map<S, F>> {
        Wrapped(Map::new(self.0, map))
    }

    /// Names the step. A name that is none, the empty one too, is an `Invalid` error when the step
    /// runs.
    ///
    /// ```
    /// use loom_core::{Error, IntoStep, step};
    ///
    /// let named = step(|n: u64| async move { Ok::<_, Error>(n) }).named("same");
    /// assert_eq!(named.step_info().name, "same");
    /// ```
    pub fn named(self, name: impl Into<Name>) -> Wrapped<Named<S>> {
        Wrapped(Named::new(self.0, name.into()))
    }
}

impl<S> Wrapped<Retry<S>> {
    /// Waits this long before the second attempt, and twice as long before each further one, but
    /// never longer than `wait_max`; each wait is cut by a random share of itself (full jitter).
    pub fn backoff(self, wait_initial: Duration, wait_max: Duration) -> Self {
        Self(self.0.backoff(wait_initial, wait_max))
    }

    /// Allows further attempts to do again what isn't idempotent.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind, Loom, Result, step};
    ///
    /// async fn knock(times: u32) -> Result<u32> {
    ///     Ok(times)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let session = Loom::builder().build().session("alice");
    /// let error = session.run(&step(knock).once().retry(3), 2u32).await.unwrap_err();
    /// assert_eq!(error.error().kind(), ErrorKind::Invalid);
    ///
    /// let knocks = step(knock).once().retry(3).repeating_effects();
    /// assert_eq!(session.run(&knocks, 2u32).await?.output, 2);
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    pub fn repeating_effects(self) -> Self {
        Self(self.0.repeating_effects())
    }

    /// Tries again on these errors instead of those that say a retry may help.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind, step};
    ///
    /// # async fn fetch(_: ()) -> loom_core::Result<()> { Ok(()) }
    /// let only_timeouts = step(fetch).retry(3).retry_if(|error: &Error| error.kind() == ErrorKind::Timeout);
    /// # let _ = only_timeouts;
    /// ```
    pub fn retry_if(self, retry_if: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        Self(self.0.retry_if(retry_if))
    }
}

#[diagnostic::do_not_recommend]
impl<I: Send + 'static, M, S: IntoStep<I, M>> IntoStep<I, Via<M>> for Wrapped<S> {
    type Out = S::Out;

    fn run_step(&self, cx: &RunContext, input: I) -> impl Future<Output = Result<S::Out>> + Send {
        self.0.run_step(cx, input)
    }

    fn step_info(&self) -> Info {
        self.0.step_info().wrapped()
    }

    fn step_kind(&self) -> Kind {
        Kind::Function
    }

    fn step_safety(&self) -> Safety {
        self.0.step_safety()
    }
}
