//! `each`: one step for every item of a list, a bounded number of them at a time.

use std::marker::PhantomData;

use loom_core::{
    Accepts, BoxFuture, Branch, Data, Error, ErrorKind, Info, IntoStep, Name, Result, RunContext,
};

use crate::chain::Chain;
use crate::discard::discard;
use crate::node::{Node, StepNode};
use crate::outline::node_info;
use crate::parallel::Settled;
use crate::payload::Payload;

impl<I: Data, T: Send + 'static> Chain<I, Vec<T>> {
    /// Runs a step for every item of the list the chain gives so far, at most `concurrency_max` at
    /// a time, begun in order; gives the outputs in order whatever ends first. A `concurrency_max` of 0 is
    /// an `Invalid` error of the workflow's runs.
    ///
    /// The items are told apart by their index, `NAME[0]`, `NAME[1]` and so on. The first failure
    /// cancels the others and begins nothing more; an item that waits for an answer begins nothing
    /// more either.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::Workflow;
    ///
    /// async fn words(text: String) -> Result<Vec<String>> {
    ///     Ok(text.split(' ').map(str::to_owned).collect())
    /// }
    /// async fn length(word: String) -> Result<usize> {
    ///     Ok(word.len())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let workflow = Workflow::chain("lengths").then(words).each(4, length).build();
    /// let outcome = Loom::builder().build().session("alice").run(&workflow, "a loom flows").await?;
    /// assert_eq!(outcome.output, [1, 4, 5]);
    /// assert_eq!(outcome.visited, ["words", "length", "length", "length"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn each<J, M, S>(self, concurrency_max: usize, step: S) -> Chain<I, Vec<S::Out>>
    where
        J: Accepts<T> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
    {
        let info = step.step_info();
        let node = |name| StepNode::new(name, step);
        self.with_each(
            concurrency_max,
            info,
            node,
            |result| result,
            "for each item",
        )
    }

    /// [`Chain::each`] in which every item comes to its own end: gives each one's [`Settled`]
    /// instead of failing with the first. What ends the whole run still does.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::{Settled, Workflow};
    ///
    /// async fn parse(text: String) -> Result<u64, std::num::ParseIntError> {
    ///     text.parse()
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let workflow = Workflow::chain("all").each_settled(4, parse).build();
    /// let texts = vec!["1".to_owned(), "two".to_owned()];
    /// let outcome = Loom::builder().build().session("alice").run(&workflow, texts).await?;
    /// let numbers: Vec<_> = outcome.output.into_iter().map(Settled::done).collect();
    /// assert_eq!(numbers, [Some(1), None]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn each_settled<J, M, S>(
        self,
        concurrency_max: usize,
        step: S,
    ) -> Chain<I, Vec<Settled<S::Out>>>
    where
        J: Accepts<T> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
    {
        let detail = "for each item, settled";
        let info = step.step_info();
        let node = |name| StepNode::new(name, step).keeping_failure();
        self.with_each(concurrency_max, info, node, Settled::of, detail)
    }

    /// How many run at a time isn't in the detail: a run may be resumed with another number.
    fn with_each<J, M, S, O>(
        mut self,
        concurrency_max: usize,
        info: Info,
        node: impl FnOnce(Name) -> StepNode<T, J, M, S>,
        finish: fn(Result<S::Out>) -> Result<O>,
        detail: &'static str,
    ) -> Chain<I, Vec<O>>
    where
        J: Accepts<T> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
        O: Send + 'static,
    {
        let name = self.names.of_step(&info, self.outline.len() + 1);
        self.names
            .check_cap(&name, "concurrency_max", concurrency_max == 0);
        self.outline
            .then(node_info(&name, info).with_detail(detail));
        self.with_node(EachNode {
            step: node(name),
            concurrency_max,
            finish,
            types: PhantomData,
        })
    }
}

/// A step for every item of a list, as one node.
struct EachNode<T, J, M, S, R, O> {
    step: StepNode<T, J, M, S>,
    concurrency_max: usize,
    /// What an item's result counts as.
    finish: fn(R) -> Result<O>,
    types: PhantomData<fn() -> O>,
}

impl<T, J, M, S, O> Node for EachNode<T, J, M, S, Result<S::Out>, O>
where
    T: Send + 'static,
    J: Accepts<T> + Data,
    M: 'static,
    S: IntoStep<J, M>,
    S::Out: Data,
    O: Send + 'static,
{
    fn run<'a>(&'a self, cx: &'a RunContext, mut value: Payload) -> BoxFuture<'a, Result<Payload>> {
        Box::pin(async move {
            let items: Vec<T> = value.take()?;
            let mut outputs: Vec<Option<O>> = items.iter().map(|_| None).collect();
            let mut items = items.into_iter().enumerate();
            let mut live = cx.branches();
            loop {
                // An item is begun when there is room for it: a list may be long.
                while !live.is_paused() && live.len() < self.concurrency_max {
                    let Some((index, item)) = items.next() else {
                        break;
                    };
                    let branch = Branch::of_one_effect(move |cx| async move {
                        (self.finish)(self.step.perform_item(&cx, index, item).await)
                    });
                    live.push(index, branch);
                }
                match live.next().await {
                    Ok(Some((index, output))) => outputs[index] = Some(output),
                    Ok(None) => break,
                    Err(error) => {
                        discard((outputs, items));
                        return Err(error);
                    }
                }
            }
            let outputs: Option<Vec<O>> = outputs.into_iter().collect();
            Ok(value.with(outputs.ok_or_else(missing)?))
        })
    }
}

/// No list is given unless every item gave its output.
fn missing() -> Error {
    Error::new(ErrorKind::Failed, "an item ended without an output")
}
