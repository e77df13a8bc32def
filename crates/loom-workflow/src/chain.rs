//! `Chain`: one step after another, each output the next one's input.

mod each;
mod repeat;

use std::marker::PhantomData;

use loom_core::{
    Accepts, BoxError, BoxFuture, Data, Info, IntoStep, Kind, Name, Result, RunContext,
    ViaContextFn,
};

use crate::node::{MapNode, Node, StepNode};
use crate::node_names::NodeNames;
use crate::outline::{Outline, node_info};
use crate::parallel::{Branches, ParallelNode, Places};
use crate::payload::Payload;
use crate::workflow::{Plan, Workflow};

impl Workflow<(), ()> {
    /// Starts a chain. What it takes follows from its first step; where that takes several types
    /// (an agent), say it: `Workflow::chain::<String>("support")`.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::Workflow;
    ///
    /// async fn double(n: u64) -> Result<u64> {
    ///     Ok(2 * n)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let workflow = Workflow::chain("eight").then(double).then(double).map(|n| n + 1).build();
    /// let outcome = Loom::builder().build().session("alice").run(&workflow, 2u64).await?;
    /// assert_eq!(outcome.output, 9);
    /// assert_eq!(outcome.visited, ["double", "double_2"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn chain<I: Data>(name: impl Into<Name>) -> Chain<I, I> {
        Chain {
            name: name.into(),
            nodes: Vec::new(),
            outline: Outline::default(),
            names: NodeNames::default(),
            types: PhantomData,
        }
    }
}

/// A chain that is being built: takes `I`, gives `T` so far.
#[must_use = "a chain is made into a workflow by `.build()`"]
pub struct Chain<I, T> {
    name: Name,
    nodes: Vec<Box<dyn Node>>,
    outline: Outline,
    names: NodeNames,
    types: PhantomData<fn(I) -> T>,
}

impl<I: Data, T: Send + 'static> Chain<I, T> {
    /// Adds a step. It takes what the chain gives so far, or what can be made from it
    /// ([`Accepts`]).
    pub fn then<J, M, S>(mut self, step: S) -> Chain<I, S::Out>
    where
        J: Accepts<T> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
    {
        let info = step.step_info();
        let name = self.names.of_step(&info, self.outline.len() + 1);
        self.outline.then(node_info(&name, info));
        self.with_node(StepNode::<T, J, M, S>::new(name, step))
    }

    /// Adds a named step from a closure, whose argument types follow from the chain.
    pub fn then_fn<O, E, Fut, F>(mut self, name: impl Into<Name>, step: F) -> Chain<I, O>
    where
        T: Data,
        O: Data,
        E: Into<BoxError>,
        Fut: Future<Output = Result<O, E>> + Send,
        F: Fn(RunContext, T) -> Fut + Send + Sync + 'static,
    {
        let name = self.names.take(name.into());
        self.outline.then(Info::new(name.clone(), Kind::Function));
        self.with_node(StepNode::<T, T, ViaContextFn, F>::new(name, step))
    }

    /// Runs several steps beside each other on what the chain gives so far; gives all their
    /// outputs, as a tuple or a list. See [`Branches`].
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::Workflow;
    ///
    /// async fn upper(text: String) -> Result<String> {
    ///     Ok(text.to_uppercase())
    /// }
    /// async fn length(text: String) -> Result<usize> {
    ///     Ok(text.len())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let workflow = Workflow::chain("both").parallel((upper, length)).map(|(text, n)| format!("{text} {n}")).build();
    /// let outcome = Loom::builder().build().session("alice").run(&workflow, "loom").await?;
    /// assert_eq!(outcome.output, "LOOM 4");
    /// assert_eq!(outcome.visited, ["upper", "length"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn parallel<M, B: Branches<T, M>>(mut self, branches: B) -> Chain<I, B::Out> {
        let placed = branches.place(&mut Places {
            names: &mut self.names,
            outline: &mut self.outline,
        });
        self.outline.rejoin();
        self.with_node(ParallelNode::<T, _>::new(placed))
    }

    /// Runs a list of steps beside each other, and a step on the list of their outputs.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::{Workflow, branch};
    ///
    /// async fn ask_one(text: String) -> Result<u64> {
    ///     Ok(text.len() as u64)
    /// }
    /// async fn best(answers: Vec<u64>) -> Result<u64> {
    ///     Ok(answers.into_iter().max().unwrap_or(0))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let asked = vec![branch(ask_one), branch(ask_one)];
    /// let workflow = Workflow::chain("poll").parallel_merged(asked, best).build();
    /// let outcome = Loom::builder().build().session("alice").run(&workflow, "loom").await?;
    /// assert_eq!(outcome.visited, ["ask_one", "ask_one_2", "best"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn parallel_merged<B, MB, J, M, S>(self, branches: Vec<B>, merge: S) -> Chain<I, S::Out>
    where
        Vec<B>: Branches<T, MB>,
        J: Accepts<<Vec<B> as Branches<T, MB>>::Out> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
    {
        self.parallel(branches).then(merge)
    }

    /// Changes the value by a pure function. No step: it has no span and no name, and what it
    /// gives needn't be recordable. Nor is it a part of the definition: neither a drawing nor the
    /// check of a resumed run's workflow knows of it.
    pub fn map<O: Send + 'static>(
        self,
        map: impl Fn(T) -> O + Send + Sync + 'static,
    ) -> Chain<I, O> {
        self.with_node(MapNode::<T, _>::new(map))
    }

    /// The workflow. An invalid name is an `Invalid` error of its runs.
    pub fn build(mut self) -> Workflow<I, T> {
        self.names.check("the workflow", &self.name);
        let plan = Line {
            nodes: self.nodes,
            types: PhantomData::<fn(I) -> T>,
        };
        Workflow::new(self.name, self.outline, plan, &self.names.into_wrong())
    }

    fn with_node<O>(mut self, node: impl Node + 'static) -> Chain<I, O> {
        self.nodes.push(Box::new(node));
        Chain {
            name: self.name,
            nodes: self.nodes,
            outline: self.outline,
            names: self.names,
            types: PhantomData,
        }
    }
}

/// A chain's plan.
struct Line<I, O> {
    nodes: Vec<Box<dyn Node>>,
    types: PhantomData<fn(I) -> O>,
}

impl<I: Send + 'static, O: Send + 'static> Plan<I, O> for Line<I, O> {
    fn run<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<O>> {
        Box::pin(async move {
            let mut value = Payload::new(input);
            for node in &self.nodes {
                value = node.run(cx, value).await?;
            }
            value.take()
        })
    }
}
