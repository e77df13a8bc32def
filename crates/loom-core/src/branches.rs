//! Concurrent branches of one effect: what one's failure or question means for the others.

use std::collections::VecDeque;

use futures::future::BoxFuture;

use crate::context::RunContext;
use crate::error::{Error, Result};

/// One of several branches that run concurrently; see [`RunContext::join`].
#[must_use = "a branch does nothing until it is joined"]
pub struct Branch<'a, T> {
    pub(crate) future: BoxFuture<'a, Result<T>>,
    alone: bool,
}

impl<'a, T> From<BoxFuture<'a, Result<T>>> for Branch<'a, T> {
    fn from(future: BoxFuture<'a, Result<T>>) -> Self {
        Self {
            future,
            alone: false,
        }
    }
}

impl<'a, T> Branch<'a, T> {
    /// A branch that runs beside others.
    pub fn new(future: impl Future<Output = Result<T>> + Send + 'a) -> Self {
        Self {
            future: Box::pin(future),
            alone: false,
        }
    }

    /// Whether the branch must have no other beside it.
    pub fn alone(self, alone: bool) -> Self {
        Self { alone, ..self }
    }
}

impl RunContext {
    /// Runs branches of this effect concurrently, at most `concurrency_max` at a time, begun in
    /// order; gives their outputs in order whatever ends first.
    ///
    /// The first branch that fails ends the others: what is open in them closes as cancelled
    /// (`sibling_failed`, or `limit_reached` for a limit of the whole tree). A branch that waits
    /// for an answer doesn't: those that run go on until they end or ask too, no further one is
    /// begun, and all questions are in the one error.
    ///
    /// Nothing is spawned. Everything runs on the caller's task.
    ///
    /// # Errors
    /// The first failure; `Paused` with every question; `Invalid` for a `concurrency_max` of 0.
    ///
    /// ```
    /// use loom_core::{Branch, Loom, Result, RunContext};
    ///
    /// async fn double(n: u64) -> Result<u64> {
    ///     Ok(2 * n)
    /// }
    ///
    /// async fn doubles(cx: RunContext, ns: Vec<u64>) -> Result<Vec<u64>> {
    ///     let branch = |(i, n)| {
    ///         let cx = &cx;
    ///         Branch::new(async move { cx.step(format!("double {i}"), &double, n).await })
    ///     };
    ///     cx.join(8, ns.into_iter().enumerate().map(branch)).await
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let outcome = Loom::builder().build().session("alice").run(&doubles, vec![1u64, 2, 3]).await?;
    /// assert_eq!(outcome.output, [2, 4, 6]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn join<'a, T: Send>(
        &self,
        concurrency_max: usize,
        branches: impl IntoIterator<Item = Branch<'a, T>>,
    ) -> Result<Vec<T>> {
        if concurrency_max == 0 {
            return Err(Error::invalid(
                "`join` of 0 at a time: then nothing could run",
            ));
        }
        let mut waiting: VecDeque<Branch<'a, T>> = branches.into_iter().collect();
        if waiting.len() == 1
            && let Some(only) = waiting.pop_front()
        {
            // The usual case of a turn with one tool call: there is nothing to keep in order.
            return Ok(vec![only.future.await?]);
        }
        let mut outputs: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
        let mut live = self.branches();
        let (mut begun, mut alone) = (0, false);
        loop {
            while !live.is_paused() && may_begin(&waiting, live.len(), alone, concurrency_max) {
                if let Some(branch) = waiting.pop_front() {
                    alone = branch.alone;
                    live.push(begun, branch);
                    begun += 1;
                }
            }
            match live.next().await? {
                None => return Ok(given(outputs)),
                Some((index, output)) => outputs[index] = Some(output),
            }
            alone = false;
        }
    }
}

/// The outputs of branches that all gave one.
fn given<T>(outputs: Vec<Option<T>>) -> Vec<T> {
    // `flatten` alone doesn't know how many there are.
    let mut given = Vec::with_capacity(outputs.len());
    given.extend(outputs.into_iter().flatten());
    given
}

fn may_begin<T>(
    waiting: &VecDeque<Branch<'_, T>>,
    live: usize,
    alone: bool,
    concurrency_max: usize,
) -> bool {
    match waiting.front() {
        None => false,
        Some(next) => live == 0 || (!alone && !next.alone && live < concurrency_max),
    }
}
