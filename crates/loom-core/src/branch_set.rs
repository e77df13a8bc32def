//! Branches that run now, where which begins next depends on which ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::branches::Branch;
use crate::context::RunContext;
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};

/// Concurrent branches of one effect that begin one by one; made by [`RunContext::branches`].
///
/// A branch that fails ends the others, a branch that waits for an answer doesn't: the same rules
/// as [`RunContext::join`] has. Nothing is spawned; dropping the set drops what runs in it.
#[must_use = "branches run only while the set is asked for the next"]
pub struct BranchSet<'a, T> {
    cx: RunContext,
    /// The usual case, a branch that runs alone, needs nobody who keeps several apart.
    only: Option<Live<'a, T>>,
    live: FuturesUnordered<Live<'a, T>>,
    paused: Option<Error>,
}

impl RunContext {
    /// A set of concurrent branches of this effect, empty so far.
    ///
    /// ```
    /// use loom_core::{Branch, Loom, Result, RunContext};
    ///
    /// async fn halve(n: u64) -> Result<u64> {
    ///     Ok(n / 2)
    /// }
    ///
    /// // Each output decides whether another branch begins.
    /// async fn halvings(cx: RunContext, n: u64) -> Result<u64> {
    ///     let mut branches = cx.branches();
    ///     branches.push(0, Branch::new(cx.step("halve", &halve, n)));
    ///     let mut count = 0;
    ///     while let Some((_, n)) = branches.next().await? {
    ///         count += 1;
    ///         if n > 0 {
    ///             branches.push(count, Branch::new(cx.step("halve", &halve, n)));
    ///         }
    ///     }
    ///     Ok(count as u64)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// assert_eq!(Loom::builder().build().session("alice").run(&halvings, 5u64).await?.output, 3);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn branches<'a, T>(&self) -> BranchSet<'a, T> {
        BranchSet {
            cx: self.clone(),
            only: None,
            live: FuturesUnordered::new(),
            paused: None,
        }
    }

    /// Why the siblings of a branch end that failed with this error.
    fn reason_to_end_siblings(error: &Error) -> CancelReason {
        match error.ending().cancel_reason() {
            _ if error.is_tree_wide() => CancelReason::LimitReached,
            // The branch only was the first to see what ends them all.
            Some(why @ (CancelReason::Requested | CancelReason::Deadline)) => why,
            _ => CancelReason::SiblingFailed,
        }
    }
}

impl<'a, T> BranchSet<'a, T> {
    /// Begins a branch; the key comes back with its output. It is first polled by
    /// [`BranchSet::next`].
    pub fn push(&mut self, key: usize, branch: Branch<'a, T>) {
        let branch = Live {
            key,
            future: branch.future,
        };
        if self.is_empty() {
            self.only = Some(branch);
            return;
        }
        self.live.extend(self.only.take());
        self.live.push(branch);
    }

    /// How many branches run.
    pub fn len(&self) -> usize {
        self.live.len() + usize::from(self.only.is_some())
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.only.is_none() && self.live.is_empty()
    }

    /// Whether a branch waits for an answer: then no further one should be begun.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// The key and output of the branch that ends next; `None` once none runs.
    ///
    /// # Errors
    /// The first failure, after the other branches were ended (what is open in them closes as
    /// cancelled); `Paused` with every question, once all others came to their end.
    pub async fn next(&mut self) -> Result<Option<(usize, T)>> {
        loop {
            match self.next_to_end().await {
                None => {
                    return self
                        .paused
                        .take()
                        .map_or(Ok(None), |it| Err(self.pause(it)));
                }
                Some((key, Ok(output))) => return Ok(Some((key, output))),
                Some((_, Err(error))) => {
                    // What another run ended with, one begun in a branch, is a failure.
                    let error = error.seen_from_outside();
                    if error.kind() != ErrorKind::Paused {
                        return Err(self.fail(error));
                    }
                    self.paused = Some(match self.paused.take() {
                        None => error,
                        Some(before) => before.asking_too(error),
                    });
                }
            }
        }
    }

    /// Ends the branches that run for an error of whoever holds the set; gives the error back.
    pub fn fail(&mut self, error: Error) -> Error {
        let why = RunContext::reason_to_end_siblings(&error);
        let branches = (self.only.take(), std::mem::take(&mut self.live));
        self.cx.cancel_with(why, branches);
        if !error.ends_tree() {
            // A failure counts more than what others ask.
            self.cx.forget_ended_below();
        }
        error
    }

    /// The question was seen when its branch ended; only now does the effect's body see it.
    fn pause(&self, paused: Error) -> Error {
        self.cx.remember(&paused);
        paused
    }

    async fn next_to_end(&mut self) -> Option<(usize, Result<T>)> {
        match &mut self.only {
            None => self.live.next().await,
            Some(only) => {
                let ended = only.await;
                self.only = None;
                Some(ended)
            }
        }
    }
}

/// A branch that runs, with its key.
struct Live<'a, T> {
    key: usize,
    future: BoxFuture<'a, Result<T>>,
}

impl<T> Future for Live<'_, T> {
    type Output = (usize, Result<T>);

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let key = self.key;
        self.future.as_mut().poll(task).map(|result| (key, result))
    }
}
