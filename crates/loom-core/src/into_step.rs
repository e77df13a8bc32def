//! `IntoStep`: what is accepted where a step is.

use crate::context::RunContext;
use crate::error::{BoxError, Error, Result};
use crate::info::{Info, Kind};
use crate::runnable::Runnable;
use crate::safety::Safety;

/// What is accepted where a step is: every [`Runnable`], and functions that return a `Result`.
///
/// `M` only keeps the implementations apart; the compiler finds it.
///
/// ```
/// use loom_core::{Loom, RunContext};
///
/// async fn parse(text: String) -> Result<u64, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// async fn both(cx: RunContext, text: String) -> loom_core::Result<u64> {
///     let n: u64 = cx.step("parse", &parse, text).await?;
///     cx.step("add", &|n: u64| async move { Ok::<_, loom_core::Error>(n + 1) }, n).await
/// }
///
/// # futures::executor::block_on(async {
/// let outcome = Loom::builder().build().session("alice").run(&both, "41").await?;
/// assert_eq!(outcome.output, 42);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step that takes `{I}`",
    label = "not a step that takes `{I}`",
    note = "a step is a `Runnable` (Agent, Workflow, ..), an `async fn({I}) -> Result<_, _>`, or an `async fn(RunContext, {I}) -> Result<_, _>`",
    note = "usual causes: the function isn't `async` (`blocking(f)` makes a step of one); it gives no `Result`; it takes two values (take a tuple); its future isn't `Send` (an `Rc` or a lock guard lives across an `.await`); `step_fn(f)` around it shows which"
)]
pub trait IntoStep<I, M>: Send + Sync + 'static {
    /// What the step returns.
    type Out: Send + 'static;

    /// Runs the step once, in the given context.
    fn run_step(&self, cx: &RunContext, input: I)
    -> impl Future<Output = Result<Self::Out>> + Send;

    /// What the step is called and made of.
    fn step_info(&self) -> Info;

    /// What comes of running the step twice, apart from the effects it opens, which declare their
    /// own. A step that declares nothing is idempotent; [`Wrapped::once`](crate::Wrapped::once)
    /// declares otherwise.
    ///
    /// ```
    /// use loom_core::{IntoStep, Result, Safety, step};
    ///
    /// async fn charge(cents: u64) -> Result<u64> {
    ///     Ok(cents)
    /// }
    ///
    /// assert_eq!(charge.step_safety(), Safety::Idempotent);
    /// assert_eq!(step(charge).once().step_safety(), Safety::NotIdempotent);
    /// ```
    fn step_safety(&self) -> Safety {
        Safety::Idempotent
    }
}

/// Marks steps that are a [`Runnable`].
#[derive(Debug)]
pub struct ViaRunnable;

/// Marks steps that are a function of the input.
#[derive(Debug)]
pub struct ViaFn;

/// Marks steps that are a function of the context and the input.
#[derive(Debug)]
pub struct ViaContextFn;

impl<I, R: Runnable<I>> IntoStep<I, ViaRunnable> for R {
    type Out = R::Out;

    fn run_step(&self, cx: &RunContext, input: I) -> impl Future<Output = Result<R::Out>> + Send {
        self.run(cx, input)
    }

    fn step_info(&self) -> Info {
        self.info()
    }

    fn step_safety(&self) -> Safety {
        self.safety()
    }
}

#[diagnostic::do_not_recommend]
impl<F, I, O, E, Fut> IntoStep<I, ViaFn> for F
where
    F: Fn(I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send,
    I: Send + 'static,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Out = O;

    async fn run_step(&self, _cx: &RunContext, input: I) -> Result<O> {
        self(input).await.map_err(Error::from_any)
    }

    fn step_info(&self) -> Info {
        Info::new(function_name::<F>(), Kind::Function)
    }
}

#[diagnostic::do_not_recommend]
impl<F, I, O, E, Fut> IntoStep<I, ViaContextFn> for F
where
    F: Fn(RunContext, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send,
    I: Send + 'static,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Out = O;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<O> {
        self(cx.clone(), input).await.map_err(Error::from_any)
    }

    fn step_info(&self) -> Info {
        Info::new(function_name::<F>(), Kind::Function)
    }
}

/// A function's own name without its module, type and generics; empty for a closure.
pub(crate) fn function_name<F>() -> &'static str {
    let full = std::any::type_name::<F>();
    let last = last_segment(full);
    let plain = last.split('<').next().unwrap_or(last);
    if plain.contains('{') { "" } else { plain }
}

/// What stands behind the last `::` that isn't inside brackets; generics may follow it there.
fn last_segment(path: &str) -> &str {
    let (mut depth, mut start, bytes) = (0usize, 0, path.as_bytes());
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' => depth += 1,
            // The `>` of a `->` closes nothing.
            b'>' if i == 0 || bytes[i - 1] != b'-' => depth = depth.saturating_sub(1),
            // `name::<T>` is still the segment `name`.
            b':' if depth == 0 && path[..i].ends_with(':') && !path[i + 1..].starts_with('<') => {
                start = i + 1;
            }
            _ => (),
        }
    }
    path[start..].trim_end_matches(':')
}

/// Returns the function; the compiler reports exactly which bound it lacks to be a step.
///
/// ```
/// use loom_core::step_fn;
///
/// let shout = step_fn(|text: String| async move { Ok::<_, loom_core::Error>(text.to_uppercase()) });
/// # let _ = shout;
/// ```
pub fn step_fn<F, I, O, E, Fut>(function: F) -> F
where
    F: Fn(I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send,
    I: Send + 'static,
    O: crate::data::Data,
    E: Into<BoxError>,
{
    function
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    async fn plain(n: u64) -> Result<u64> {
        Ok(n)
    }

    async fn generic<T: Clone>(it: T) -> Result<T> {
        Ok(it)
    }

    struct Generic<T>(T);

    impl<T: Send + 'static> Generic<T> {
        async fn method(n: u64) -> Result<u64> {
            Ok(n)
        }
    }

    trait Named {
        fn named(n: u64) -> impl Future<Output = Result<u64>> + Send;
    }

    struct Plain;

    impl Named for Plain {
        async fn named(n: u64) -> Result<u64> {
            Ok(n)
        }
    }

    fn closure_in<T: Send + Sync + 'static>(_: T) -> impl IntoStep<u64, ViaFn> {
        |n: u64| async move { Ok::<_, Error>(n) }
    }

    fn name<I, M>(step: &impl IntoStep<I, M>) -> String {
        step.step_info().name.to_string()
    }

    #[test]
    fn a_function_is_called_by_its_own_name_and_a_closure_by_none() {
        async fn nested(n: u64) -> Result<u64> {
            Ok(n)
        }
        assert_eq!(name(&plain), "plain");
        assert_eq!(name(&generic::<Vec<String>>), "generic");
        assert_eq!(name(&nested), "nested");
        assert_eq!(name(&Generic::<Vec<String>>::method), "method");
        assert_eq!(name(&<Plain as Named>::named), "named");
        assert_eq!(name(&closure_in(Vec::<String>::new())), "");
        assert_eq!(name(&|n: u64| async move { Ok::<_, Error>(n) }), "");
    }
}
