//! Concurrent branches of one effect: what one's failure or question means for the others.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::context::RunContext;
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};

/// One of several branches that run concurrently; see [`RunContext::join`].
#[must_use = "a branch does nothing until it is joined"]
pub struct Branch<'a, T> {
    future: BoxFuture<'a, Result<T>>,
    alone: bool,
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

/// A branch that runs, with its place among the others.
struct Live<'a, T> {
    index: usize,
    future: BoxFuture<'a, Result<T>>,
}

impl<T> Future for Live<'_, T> {
    type Output = (usize, Result<T>);

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let index = self.index;
        self.future
            .as_mut()
            .poll(task)
            .map(|result| (index, result))
    }
}

impl RunContext {
    /// Runs branches of this effect concurrently, at most `concurrency_max` at a time (0 counts
    /// as 1), begun in order; gives their outputs in order whatever ends first.
    ///
    /// The first branch that fails ends the others: what is open in them closes as cancelled
    /// (`sibling_failed`, or `limit_reached` for a limit of the whole tree). A branch that waits
    /// for an answer doesn't: those that run go on until they end or ask too, no further one is
    /// begun, and all questions are in the one error.
    ///
    /// Nothing is spawned. Everything runs on the caller's task.
    ///
    /// # Errors
    /// The first failure; `Paused` with every question.
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
        let mut waiting: VecDeque<Branch<'a, T>> = branches.into_iter().collect();
        if waiting.len() == 1
            && let Some(only) = waiting.pop_front()
        {
            // The usual case of a turn with one tool call: there is nothing to keep in order.
            return Ok(vec![only.future.await?]);
        }
        let mut outputs: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
        let mut live = FuturesUnordered::new();
        let (mut begun, mut alone) = (0, false);
        let mut paused: Option<Error> = None;
        loop {
            while paused.is_none() && may_begin(&waiting, live.len(), alone, concurrency_max) {
                if let Some(branch) = waiting.pop_front() {
                    alone = branch.alone;
                    live.push(Live {
                        index: begun,
                        future: branch.future,
                    });
                    begun += 1;
                }
            }
            match live.next().await {
                None => break,
                Some((index, Ok(output))) => outputs[index] = Some(output),
                Some((_, Err(error))) if error.kind() == ErrorKind::Paused => {
                    paused = Some(match paused.take() {
                        None => error,
                        Some(before) => before.asking_too(error),
                    });
                }
                Some((_, Err(error))) => {
                    let why = self.reason_to_end_siblings(&error);
                    self.cancel_with(why, live);
                    return Err(error);
                }
            }
            alone = false;
        }
        match paused {
            None => Ok(given(outputs)),
            Some(paused) => Err(paused),
        }
    }
}

impl RunContext {
    /// Why the siblings of a branch end that failed with this error.
    fn reason_to_end_siblings(&self, error: &Error) -> CancelReason {
        match error.ending().cancel_reason() {
            _ if error.is_tree_wide() => CancelReason::LimitReached,
            // The branch only was the first to see what ends them all.
            Some(why @ (CancelReason::Requested | CancelReason::Deadline)) => why,
            _ => CancelReason::SiblingFailed,
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
