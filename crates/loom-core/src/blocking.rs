//! Synchronous functions as steps, on a pool of threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::context::RunContext;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::info::{Info, Kind};
use crate::into_step::{IntoStep, function_name};
use crate::poll::panic_text;

/// Makes a step of a synchronous function; it runs on Tokio's pool of blocking threads.
///
/// A run that is cancelled doesn't wait for it: its thread continues until the function returns.
/// That is the one thing that may outlive its run. Such threads are counted
/// ([`Loom::blocking_running`](crate::Loom::blocking_running)) and capped
/// ([`LoomBuilder::blocking_max`](crate::LoomBuilder::blocking_max)); a function that takes long
/// should take a [`StopFlag`] before its input and look at it now and then.
///
/// ```
/// use loom_core::{Loom, Result, StopFlag, blocking};
///
/// fn factorial(n: u64) -> Result<u64> {
///     Ok((1..=n).product())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let outcome = Loom::builder().build().session("alice").run(&blocking(factorial), 5u64).await?;
/// assert_eq!(outcome.output, 120);
///
/// fn search(stop: StopFlag, limit: u64) -> Result<u64> {
///     Ok((1..limit).take_while(|_| !stop.is_set()).count() as u64)
/// }
/// let outcome = Loom::builder().build().session("alice").run(&blocking(search), 5u64).await?;
/// assert_eq!(outcome.output, 4);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub fn blocking<F>(function: F) -> Blocking<F> {
    Blocking(Arc::new(function))
}

/// A synchronous function as a step; made by [`blocking`].
#[derive(Debug)]
#[must_use = "a step does nothing until it is put where a step goes"]
pub struct Blocking<F>(Arc<F>);

/// Marks steps that are a synchronous function of the input.
#[derive(Debug)]
pub struct ViaBlocking;

/// Marks steps that are a synchronous function of a [`StopFlag`] and the input.
#[derive(Debug)]
pub struct ViaBlockingUntil;

/// Shows a synchronous function that its result is no longer wanted.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Whether the function should return as soon as it can.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Sets the flag when the step's future goes away.
struct StopOnDrop(StopFlag);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

#[diagnostic::do_not_recommend]
impl<F, I, O, E> IntoStep<I, ViaBlocking> for Blocking<F>
where
    F: Fn(I) -> Result<O, E> + Send + Sync + 'static,
    I: Send + 'static,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Out = O;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<O> {
        let function = self.0.clone();
        run(cx, move |_| function(input).map_err(Error::from_any)).await
    }

    fn step_info(&self) -> Info {
        Info::new(function_name::<F>(), Kind::Function)
    }
}

#[diagnostic::do_not_recommend]
impl<F, I, O, E> IntoStep<I, ViaBlockingUntil> for Blocking<F>
where
    F: Fn(StopFlag, I) -> Result<O, E> + Send + Sync + 'static,
    I: Send + 'static,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Out = O;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<O> {
        let function = self.0.clone();
        run(cx, move |stop| {
            function(stop, input).map_err(Error::from_any)
        })
        .await
    }

    fn step_info(&self) -> Info {
        Info::new(function_name::<F>(), Kind::Function)
    }
}

async fn run<O: Send + 'static>(
    cx: &RunContext,
    body: impl FnOnce(StopFlag) -> Result<O> + Send + 'static,
) -> Result<O> {
    let stop = StopOnDrop(StopFlag::default());
    // Held by the thread itself, so that one nobody waits for any more still counts.
    let permit = cx.tree().parts.blocking.clone().acquire_owned().await;
    let permit = permit
        .map_err(|e| Error::with_source(ErrorKind::Failed, "no blocking threads any more", e))?;
    let flag = stop.0.clone();
    let thread = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        if flag.is_set() {
            return Err(Error::stopped("nobody waits for it any more"));
        }
        body(flag)
    });
    match thread.await {
        Ok(result) => result,
        Err(failure) => Err(match failure.try_into_panic() {
            Ok(panic) => Error::new(ErrorKind::Panicked, panic_text(&*panic)),
            Err(cancelled) => {
                Error::with_source(ErrorKind::Failed, "the runtime is shutting down", cancelled)
            }
        }),
    }
}
