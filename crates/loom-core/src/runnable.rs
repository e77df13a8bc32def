//! `Runnable`: what agents, workflows and users' own parts have in common.

use crate::context::RunContext;
use crate::error::Result;
use crate::info::Info;
use crate::safety::Safety;

/// Something that turns an input into an output inside a run.
///
/// Agents and workflows implement it, and so can any type: it is then accepted wherever a step
/// is, by its shape alone. What it does goes through the context: `cx.perform(..)` opens its
/// spans, and `cx` is handed on to whatever it calls.
///
/// A whole one:
///
/// ```
/// use loom_core::{Loom, Result, RunContext, Runnable};
///
/// struct Repeat(usize);
///
/// impl Runnable<String> for Repeat {
///     type Out = String;
///
///     async fn run(&self, _cx: &RunContext, input: String) -> Result<String> {
///         Ok(input.repeat(self.0))
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let outcome = Loom::builder().build().session("alice").run(&Repeat(2), "ab").await?;
/// assert_eq!(outcome.output, "abab");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a runnable that takes `{I}`",
    note = "implement `Runnable<{I}>`: `type Out` and `async fn run(&self, cx: &RunContext, input: {I}) -> Result<Self::Out>`"
)]
pub trait Runnable<I>: Send + Sync + 'static {
    /// What it returns. Where it crosses an edge it must be [`Data`](crate::Data).
    type Out: Send + 'static;

    /// Runs it once.
    fn run(&self, cx: &RunContext, input: I) -> impl Future<Output = Result<Self::Out>> + Send;

    /// What it is called and what it is made of. Asked before each run as a root.
    fn info(&self) -> Info {
        Info::default()
    }

    /// Returns what comes of running it twice, apart from the effects it opens, which declare their
    /// own: by default it is idempotent.
    fn safety(&self) -> Safety {
        Safety::Idempotent
    }
}
