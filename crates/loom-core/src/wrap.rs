//! Wrappers: steps that hold a step, for what one step can't do to itself.

mod retry;
mod timeout;
mod or_else;
mod map;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::context::RunContext;
use crate::error::{Error, Result};
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::name::Name;
use crate::safety::Safety;

pub use map::Map;
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
    Wrapped {
        step,
        name: Name::EMPTY,
        is_once: false,
        fault: Name::EMPTY,
    }
}

/// A step that is being wrapped; see [`step`].
#[derive(Clone, Debug)]
#[must_use = "a wrapped step does nothing until it is put where a step goes"]
pub struct Wrapped<S> {
    step: S,
    /// Empty for the step's own.
    name: Name,
    is_once: bool,
    /// Why it can't run; empty if nothing is wrong.
    fault: Name,
}

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
    pub fn retry(self, attempts: u32) -> Wrapped<Retry<Self>> {
        let fault =
            "`retry(0)` would never run the step: it counts all attempts, the first one too";
        step(Retry::new(self, attempts)).refused_if(attempts == 0, fault)
    }

    /// Fails the step with `Timeout` when it takes longer than this; whatever is open in it
    /// closes as cancelled (`timed_out`). Needs a Tokio runtime with time.
    ///
    /// # Errors
    /// The run fails with `Invalid` for a limit of zero.
    pub fn timeout(self, limit: Duration) -> Wrapped<Timeout<Self>> {
        let fault = "`timeout` of zero leaves the step no time: give it some";
        step(Timeout { inner: self, limit }).refused_if(limit.is_zero(), fault)
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
    pub fn or_else<B>(self, other: B) -> Wrapped<OrElse<Self, B>> {
        step(OrElse { first: self, other })
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
    pub fn once(self) -> Self {
        Self {
            is_once: true,
            ..self
        }
    }

    /// Changes the step's output by a pure function.
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
    pub fn map<F>(self, map: F) -> Wrapped<Map<Self, F>> {
        step(Map { inner: self, map })
    }

    /// Names the step. An invalid name, the empty one too, is an `Invalid` error when the step
    /// runs, or when what holds it is built.
    ///
    /// ```
    /// use loom_core::{Error, IntoStep, step};
    ///
    /// let named = step(|n: u64| async move { Ok::<_, Error>(n) }).named("same");
    /// assert_eq!(named.step_info().name, "same");
    /// ```
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        match self.name.check() {
            Ok(()) => self,
            Err(error) => self.refused_if(true, error.message().to_owned()),
        }
    }

    fn refused_if(self, is_wrong: bool, fault: impl Into<Name>) -> Self {
        match is_wrong {
            true => Self {
                fault: fault.into(),
                ..self
            },
            false => self,
        }
    }
}

impl<S> Wrapped<Retry<S>> {
    /// Waits this long before the second attempt, and twice as long before each further one, but
    /// never longer than `wait_max`; each wait is cut by a random share of itself (full jitter).
    pub fn backoff(mut self, wait_initial: Duration, wait_max: Duration) -> Self {
        self.step.wait_initial = wait_initial;
        self.step.wait_max = wait_max;
        self
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
    pub fn repeating_effects(mut self) -> Self {
        self.step.repeats_effects = true;
        self
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
    pub fn retry_if(mut self, retry_if: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.step.retry_if = Arc::new(retry_if);
        self
    }
}

#[diagnostic::do_not_recommend]
impl<I: Send + 'static, M, S: IntoStep<I, M>> IntoStep<I, Via<M>> for Wrapped<S> {
    type Out = S::Out;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<S::Out> {
        if !self.fault.is_empty() {
            return Err(Error::invalid(self.fault.as_str()));
        }
        self.step.run_step(cx, input).await
    }

    fn step_info(&self) -> Info {
        let mut info = self.step.step_info().wrapped();
        if !self.name.is_empty() {
            info.name = self.name.clone();
        }
        if self.is_once {
            info = info.with_safety(Safety::NotIdempotent);
        }
        match self.fault.is_empty() {
            true => info,
            false => info.with_fault(self.fault.clone()),
        }
    }

    fn step_safety(&self) -> Safety {
        match self.is_once {
            true => Safety::NotIdempotent,
            false => self.step.step_safety(),
        }
    }
}
