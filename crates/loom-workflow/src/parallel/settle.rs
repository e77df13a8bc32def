//! Branches that don't end each other: every branch's own result is collected.

use loom_core::{Accepts, Branch, Data, Error, ErrorKind, IntoStep, Result, RunContext};
use serde::{Deserialize, Serialize};

use crate::concurrency::CONCURRENCY_MAX;
use crate::discard::discard;
use crate::node::StepNode;
use crate::parallel::{Branches, Placed, PlacedList, Places};

/// How one branch came out, where branches are settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled<T> {
    /// What it gave.
    Done(T),
    /// It failed.
    Failed {
        /// The error's kind, as records spell it.
        kind: String,
        /// The error's message, with the path it happened at.
        message: String,
    },
}

impl<T> Settled<T> {
    /// What the branch gave, if it did.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(output) => Some(output),
            Self::Failed { .. } => None,
        }
    }

    /// `Stopped` is no branch's own failure: the run ends or waits.
    pub(crate) fn of(result: Result<T>) -> Result<Self> {
        match result {
            Ok(output) => Ok(Self::Done(output)),
            Err(error) if error.kind() == ErrorKind::Stopped => Err(error),
            Err(error) => {
                let failed = Self::failed(&error);
                discard(error);
                Ok(failed)
            }
        }
    }

    fn failed(error: &Error) -> Self {
        Self::Failed {
            kind: error.kind().as_str().to_owned(),
            message: error.to_string(),
        }
    }
}

/// Branches whose results are collected; made by [`Settling::settle`].
#[derive(Clone, Debug)]
#[must_use = "branches do nothing until they are part of a workflow"]
pub struct Settle<B>(pub(crate) B);

/// Branches that can be settled: tuples of two to eight steps, and lists.
///
/// ```
/// use loom_core::{Error, Loom, Result};
/// use loom_workflow::{Settled, Settling, Workflow};
///
/// async fn works(n: u64) -> Result<u64> {
///     Ok(n)
/// }
/// async fn breaks(_: u64) -> Result<u64> {
///     Err(Error::invalid("broken"))
/// }
///
/// # futures::executor::block_on(async {
/// let workflow = Workflow::chain("both").parallel((works, breaks).settle()).build();
/// let (one, other) = Loom::builder().build().session("alice").run(&workflow, 7u64).await?.output;
/// assert_eq!(one, Settled::Done(7));
/// assert_eq!(other.done(), None);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub trait Settling: Sized {
    /// Lets every branch come to its own end: the workflow gets each one's [`Settled`] instead of
    /// failing with the first. What ends the whole run still does.
    fn settle(self) -> Settle<Self>;
}

impl<S> Settling for Vec<S> {
    fn settle(self) -> Settle<Self> {
        Settle(self)
    }
}

impl<T, J, M, S> Branches<T, (J, M)> for Settle<Vec<S>>
where
    T: Clone + Send + Sync + 'static,
    J: Accepts<T> + Data,
    M: 'static,
    S: IntoStep<J, M>,
    S::Out: Data,
{
    type Out = Vec<Settled<S::Out>>;
    type Placed = Settle<PlacedList<T, J, M, S>>;

    fn place(self, places: &mut Places<'_>) -> Self::Placed {
        let PlacedList(nodes) = self.0.place(places);
        places.outline.settle();
        let nodes = nodes.into_iter().map(StepNode::keeping_failure);
        Settle(PlacedList(nodes.collect()))
    }
}

impl<T, J, M, S> Placed<T> for Settle<PlacedList<T, J, M, S>>
where
    T: Clone + Send + Sync + 'static,
    J: Accepts<T> + Data,
    M: 'static,
    S: IntoStep<J, M>,
    S::Out: Data,
{
    type Out = Vec<Settled<S::Out>>;

    async fn run(&self, cx: &RunContext, input: T) -> Result<Self::Out> {
        let branches = (self.0).0.iter().map(|node| {
            let input = input.clone();
            Branch::of_one_effect(
                move |cx| async move { Settled::of(node.perform(&cx, input).await) },
            )
        });
        cx.join(CONCURRENCY_MAX, branches).await
    }
}
