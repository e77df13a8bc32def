//! Parallel branches: all get the same input; a tuple gives a tuple, a list gives a list.

mod settle;
mod tuples;

use std::marker::PhantomData;

use loom_core::{Accepts, BoxFuture, Branch, Data, IntoStep, Result, RunContext, Step};

use crate::concurrency::CONCURRENCY_MAX;
use crate::node::{Node, StepNode};
use crate::node_names::NodeNames;
use crate::outline::{Outline, node_info};
use crate::payload::Payload;

pub use settle::{Settle, Settled, Settling};

/// Steps that run beside each other on the same input: a tuple of two to eight steps, or a `Vec`
/// of steps of one type.
///
/// Every branch is a step of its own, with its span, its rows and its name. The first failure
/// cancels the others, unless the branches are [settled](Settling::settle). A tuple runs all its
/// branches at the same time, a list eight at a time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are not branches that all take `{T}`",
    label = "not branches that all take `{T}`",
    note = "give a tuple of two to eight steps, or a `Vec` of steps of one type; wrap steps of several types with `Step::new` to put them in a `Vec`"
)]
pub trait Branches<T, M>: Sized {
    /// What the branches give together.
    type Out: Send + 'static;
    /// The branches as nodes under their names.
    #[doc(hidden)]
    type Placed: Placed<T, Out = Self::Out>;

    /// Names the branches.
    #[doc(hidden)]
    fn place(self, places: &mut Places<'_>) -> Self::Placed;
}

/// Where the branches stand in their workflow.
#[doc(hidden)]
pub struct Places<'a> {
    pub(crate) names: &'a mut NodeNames,
    pub(crate) outline: &'a mut Outline,
}

impl Places<'_> {
    fn node<T, J, M, S>(&mut self, step: S) -> StepNode<T, J, M, S>
    where
        T: Send + 'static,
        J: Accepts<T> + Data,
        S: IntoStep<J, M>,
        S::Out: Data,
    {
        let info = step.step_info();
        let name = self.names.of_step(&info, self.outline.len() + 1);
        self.outline.beside(node_info(&name, info));
        StepNode::new(name, step)
    }
}

/// Branches under their names.
#[doc(hidden)]
pub trait Placed<T>: Send + Sync + 'static {
    /// What the branches give together.
    type Out: Send + 'static;

    /// Runs all of them on the input.
    fn run(&self, cx: &RunContext, input: T) -> impl Future<Output = Result<Self::Out>> + Send;
}

/// Branches as one node of a workflow.
pub(crate) struct ParallelNode<T, P> {
    placed: P,
    types: PhantomData<fn(T)>,
}

impl<T, P> ParallelNode<T, P> {
    pub(crate) fn new(placed: P) -> Self {
        Self {
            placed,
            types: PhantomData,
        }
    }
}

impl<T: Send + 'static, P: Placed<T>> Node for ParallelNode<T, P> {
    fn run<'a>(&'a self, cx: &'a RunContext, mut value: Payload) -> BoxFuture<'a, Result<Payload>> {
        Box::pin(async move {
            let outputs = self.placed.run(cx, value.take()?).await?;
            Ok(value.with(outputs))
        })
    }
}

/// A list of steps under their names; items are told apart by their index.
#[doc(hidden)]
pub struct PlacedList<T, J, M, S>(Vec<StepNode<T, J, M, S>>);

impl<T, J, M, S> Branches<T, (J, M)> for Vec<S>
where
    T: Clone + Send + Sync + 'static,
    J: Accepts<T> + Data,
    M: 'static,
    S: IntoStep<J, M>,
    S::Out: Data,
{
    type Out = Vec<S::Out>;
    type Placed = PlacedList<T, J, M, S>;

    fn place(self, places: &mut Places<'_>) -> Self::Placed {
        let nodes = self.into_iter().enumerate();
        let nodes = nodes.map(|(i, step)| places.node(step).at_index(i));
        let placed = PlacedList(nodes.collect());
        places.outline.list();
        placed
    }
}

impl<T, J, M, S> Placed<T> for PlacedList<T, J, M, S>
where
    T: Clone + Send + Sync + 'static,
    J: Accepts<T> + Data,
    M: 'static,
    S: IntoStep<J, M>,
    S::Out: Data,
{
    type Out = Vec<S::Out>;

    async fn run(&self, cx: &RunContext, input: T) -> Result<Vec<S::Out>> {
        let branches = self.0.iter().map(|node| {
            let input = input.clone();
            Branch::of_one_effect(move |cx| async move { node.perform(&cx, input).await })
        });
        cx.join(CONCURRENCY_MAX, branches).await
    }
}

/// Any step, so that a list may hold several types of them: short for [`Step::new`].
///
/// ```
/// use loom_core::{Loom, Result};
/// use loom_workflow::{Workflow, branch};
///
/// async fn first(text: String) -> Result<String> {
///     Ok(text[..1].to_owned())
/// }
/// async fn length(text: String) -> Result<String> {
///     Ok(text.len().to_string())
/// }
///
/// # futures::executor::block_on(async {
/// let both = Workflow::chain("both").parallel(vec![branch(first), branch(length)]).build();
/// let outcome = Loom::builder().build().session("alice").run(&both, "loom").await?;
/// assert_eq!(outcome.output, ["l", "4"]);
/// assert_eq!(outcome.visited, ["first", "length"]);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub fn branch<I: Send + 'static, M: 'static, O: Data>(
    step: impl IntoStep<I, M, Out = O>,
) -> Step<I, O> {
    Step::new(step)
}
