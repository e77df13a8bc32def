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
use crate::poll::caught_now;

/// Concurrent branches of one effect that begin one by one; made by [`RunContext::branches`].
///
/// A branch that fails ends the others, a branch that waits for an answer doesn't: the same rules
/// as [`RunContext::join`] has. Nothing is spawned; dropping the set drops what runs in it.
#[must_use = "branches run only while the set is asked for the next"]
pub struct BranchSet<'a, T> {
    cx: RunContext,
    /// The usual case: one branch that runs alone.
    only: Option<Live<'a, T>>,
    /// Made when a second branch begins while one runs.
    several: Option<FuturesUnordered<Live<'a, T>>>,
    /// Branches that wait for an answer.
    paused: Vec<RunContext>,
    /// Whether the effect around was told that it waits: what was asked stays when this goes.
    is_told: bool,
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
    ///     let halve = |n| Branch::new(move |cx: RunContext| async move { cx.step("halve", &halve, n).await });
    ///     let mut branches = cx.branches();
    ///     branches.push(0, halve(n));
    ///     let mut count = 0;
    ///     while let Some((_, n)) = branches.next().await? {
    ///         count += 1;
    ///         if n > 0 {
    ///             branches.push(count, halve(n));
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
            several: None,
            paused: Vec::new(),
            is_told: false,
        }
    }
}

impl<'a, T> BranchSet<'a, T> {
    /// Begins a branch; the key comes back with its output, and is the branch's index unless it has
    /// a name. It is first polled by [`BranchSet::next`].
    pub fn push(&mut self, key: usize, branch: Branch<'a, T>) {
        self.is_told = false;
        let (cx, future) = branch.begin(&self.cx, key);
        let branch = Live {
            key,
            cx,
            future: Some(future),
        };
        if self.is_empty() {
            self.only = Some(branch);
            return;
        }
        let several = self.several.get_or_insert_default();
        several.extend(self.only.take());
        several.push(branch);
    }

    /// How many branches run.
    pub fn len(&self) -> usize {
        let several = self.several.as_ref().map_or(0, FuturesUnordered::len);
        several + usize::from(self.only.is_some())
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a branch waits for an answer: then no further one should be begun.
    pub fn is_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// The key and output of the branch that ends next; `None` once none runs.
    ///
    /// # Errors
    /// The first failure, after the other branches were ended (what is open in them closes as
    /// cancelled, and what they asked is withdrawn); `Stopped` where a branch waits for an answer,
    /// once all others have ended.
    pub async fn next(&mut self) -> Result<Option<(usize, T)>> {
        loop {
            match self.next_to_end().await {
                None if self.is_paused() => {
                    self.is_told = true;
                    return Err(Error::stopped("a branch waits for an answer"));
                }
                None => return Ok(None),
                // Its count decides, whatever it returned.
                Some(ended) if ended.waits => self.paused.push(ended.cx),
                Some(ended) => match ended.result {
                    Ok(output) => return Ok(Some((ended.key, output))),
                    Err(error) => return Err(self.fail(error)),
                },
            }
        }
    }

    /// Ends the branches that run because of this error, and withdraws what they asked; returns the
    /// error.
    pub fn fail(&mut self, error: Error) -> Error {
        let why = match self.cx.tree().control.reason() {
            // The branch only was the first to see what ends them all.
            Some(why) if error.kind() == ErrorKind::Stopped => why,
            _ => CancelReason::SiblingFailed,
        };
        let branches = (self.only.take(), self.several.take());
        self.cx.cancel_with(why, branches);
        for paused in self.paused.drain(..) {
            paused.withdraw();
        }
        error
    }

    async fn next_to_end(&mut self) -> Option<Ended<T>> {
        match (&mut self.only, &mut self.several) {
            (Some(only), _) => {
                let ended = only.await;
                self.only = None;
                Some(ended)
            }
            (None, Some(several)) => several.next().await,
            (None, None) => None,
        }
    }
}

impl<T> Drop for BranchSet<'_, T> {
    fn drop(&mut self) {
        self.only = None;
        self.several = None;
        if !self.is_told {
            for paused in self.paused.drain(..) {
                paused.withdraw();
            }
        }
    }
}

/// A branch that runs, with its key.
struct Live<'a, T> {
    key: usize,
    cx: RunContext,
    /// Absent once it has ended.
    future: Option<BoxFuture<'a, Result<T>>>,
}

/// A branch that has ended.
struct Ended<T> {
    key: usize,
    cx: RunContext,
    result: Result<T>,
    /// Whether something in it waits for an answer.
    waits: bool,
}

impl<T> Future for Live<'_, T> {
    type Output = Ended<T>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = match &mut this.future {
            Some(_) if this.cx.is_given_up() => {
                Poll::Ready(Err(Error::stopped("it was refused too often")))
            }
            Some(future) => {
                let poll = caught_now(|| future.as_mut().poll(task));
                poll.unwrap_or_else(|panic| {
                    Poll::Ready(Err(Error::new(ErrorKind::Panicked, panic)))
                })
            }
            None => Poll::Pending,
        };
        if poll.is_pending() {
            this.cx.branch_waits();
        }
        poll.map(|result| {
            this.drop_future();
            let waits = this.cx.branch_returned();
            if !waits {
                this.cx.close_strays(CancelReason::Dropped);
            }
            Ended {
                key: this.key,
                cx: this.cx.clone(),
                result,
                waits,
            }
        })
    }
}

impl<T> Live<'_, T> {
    /// A destructor that panics ends nothing but its own branch.
    fn drop_future(&mut self) {
        let future = self.future.take();
        let _ = caught_now(|| drop(future));
    }
}

impl<T> Drop for Live<'_, T> {
    fn drop(&mut self) {
        if self.future.is_some() {
            let why = self.cx.drop_reason();
            self.drop_future();
            self.cx.end_branch(why);
        }
    }
}
