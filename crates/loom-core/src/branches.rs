//! Concurrent branches of one effect: what one's failure or question means for the others.

use std::collections::VecDeque;

use futures::future::BoxFuture;

use crate::context::{RunContext, Segment};
use crate::error::{Error, Result};
use crate::name::Name;
use crate::poll::caught_now;

/// One of several branches that run concurrently; see [`RunContext::join`].
///
/// A branch is made by a closure that is handed the branch's own context. What it opens and asks
/// is distinguished from its siblings' by the branch's index or name, whatever happens first.
#[must_use = "a branch does nothing until it is joined"]
pub struct Branch<'a, T> {
    make: Make<'a, T>,
    segment: Place,
    alone: bool,
}

type Make<'a, T> = Box<dyn FnOnce(RunContext) -> BoxFuture<'a, Result<T>> + Send + 'a>;

/// How a branch stands in paths.
enum Place {
    Index,
    Named(Name),
    /// It opens one effect, which needs nothing to distinguish it.
    None,
}

impl<'a, T> Branch<'a, T> {
    /// A branch that is distinguished by its index: what it opens lies below `[index]`.
    pub fn new<F, Fut>(body: F) -> Self
    where
        F: FnOnce(RunContext) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        Self::made(Place::Index, body)
    }

    /// A branch that is distinguished by a name: what it opens lies below `[name]`.
    ///
    /// ```
    /// use loom_core::{Branch, Loom, Result, RunContext};
    ///
    /// async fn len(text: String) -> Result<u64> {
    ///     Ok(text.len() as u64)
    /// }
    ///
    /// async fn both(cx: RunContext, text: String) -> Result<Vec<u64>> {
    ///     let branch = |name: &'static str, text: String| {
    ///         Branch::named(name, move |cx| async move { cx.step("len", &len, text).await })
    ///     };
    ///     cx.join(2, [branch("whole", text.clone()), branch("half", text[..1].to_owned())]).await
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let outcome = Loom::builder().build().session("alice").run(&both, "ab").await?;
    /// assert_eq!(outcome.output, [2, 1]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn named<F, Fut>(name: impl Into<Name>, body: F) -> Self
    where
        F: FnOnce(RunContext) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        Self::made(Place::Named(name.into()), body)
    }

    /// A branch that opens one effect in the poll in which it begins, which is told apart from its
    /// siblings' by itself, as a tool call is by its id: nothing is added to its path, and equal
    /// names count in the order in which the branches began.
    pub fn of_one_effect<F, Fut>(body: F) -> Self
    where
        F: FnOnce(RunContext) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        Self::made(Place::None, body)
    }

    fn made<F, Fut>(segment: Place, body: F) -> Self
    where
        F: FnOnce(RunContext) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        Self {
            make: Box::new(move |cx| Box::pin(body(cx))),
            segment,
            alone: false,
        }
    }

    /// Whether the branch must have no other beside it.
    pub fn alone(self, alone: bool) -> Self {
        Self { alone, ..self }
    }

    /// Begins the branch below this context.
    pub(crate) fn begin(
        self,
        cx: &RunContext,
        index: usize,
    ) -> (RunContext, BoxFuture<'a, Result<T>>) {
        let own = match self.segment {
            Place::Index => cx.branch(Some(Segment::Index(index))),
            Place::Named(name) => cx.branch(Some(Segment::Name(name))),
            Place::None => cx.branch_of_one_effect(),
        };
        let future = (self.make)(own.clone());
        (own, future)
    }
}

impl RunContext {
    /// Runs branches of this effect concurrently, at most `concurrency_max` at once, begun in
    /// order; returns their outputs in order whatever ends first.
    ///
    /// The first branch that fails ends the others: what is open in them closes as cancelled
    /// (`sibling_failed`), and what they asked is withdrawn. A branch that waits for an answer
    /// doesn't: those that run continue until they end or ask too, and no further one is begun.
    ///
    /// Nothing is spawned. Everything runs on the caller's task.
    ///
    /// # Errors
    /// The first failure; `Stopped` where a branch waits for an answer; `Invalid` for a
    /// `concurrency_max` of 0.
    ///
    /// ```
    /// use loom_core::{Branch, Loom, Result, RunContext};
    ///
    /// async fn double(n: u64) -> Result<u64> {
    ///     Ok(2 * n)
    /// }
    ///
    /// async fn doubles(cx: RunContext, ns: Vec<u64>) -> Result<Vec<u64>> {
    ///     let branch = |n| Branch::new(move |cx| async move { cx.step("double", &double, n).await });
    ///     cx.join(8, ns.into_iter().map(branch)).await
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
                "`concurrency_max` is 0: let at least one branch run at once",
            ));
        }
        let mut waiting: VecDeque<Branch<'a, T>> = branches.into_iter().collect();
        let mut outputs: Vec<Option<T>> = Vec::with_capacity(waiting.len());
        let mut live = self.branches();
        let mut is_alone = false;
        loop {
            while !live.is_paused()
                && let Some(branch) = waiting.pop_front_if(|next| {
                    live.is_empty() || (!is_alone && !next.alone && live.len() < concurrency_max)
                })
            {
                is_alone = branch.alone;
                live.push(outputs.len(), branch);
                outputs.push(None);
            }
            match live.next().await {
                Ok(None) => return Ok(outputs.into_iter().flatten().collect()),
                Ok(Some((index, output))) => outputs[index] = Some(output),
                Err(error) => {
                    // A destructor that panics is no reason to return another error.
                    for output in outputs {
                        let _ = caught_now(|| drop(output));
                    }
                    return Err(error);
                }
            }
            is_alone = false;
        }
    }
}
