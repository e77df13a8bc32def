//! `repeat`: a step on its own output, until that is good enough.

use loom_core::{Accepts, BoxFuture, Data, IntoStep, Result, ResultExt, RunContext};

use crate::chain::Chain;
use crate::node::{Node, StepNode};
use crate::outline::node_info;
use crate::payload::Payload;

impl<I: Data, T: Data> Chain<I, T> {
    /// Runs a step on what the chain gives so far, then on its own output, until `until` is true
    /// of that: at least once and at most `repeat_max` times. The times are told apart by their
    /// number: `NAME`, `NAME#2` and so on. A `repeat_max` of 0 is an `Invalid` error of the
    /// workflow's runs.
    ///
    /// `until` must be pure: a run that is resumed asks it again about what was recorded.
    ///
    /// Reaching `repeat_max` ends the run as interrupted: with `NAME: repeat_max 3 reached`, and a
    /// row of its own.
    ///
    /// ```
    /// use loom_core::{ErrorKind, Loom, Result};
    /// use loom_workflow::Workflow;
    ///
    /// async fn shorten(text: String) -> Result<String> {
    ///     Ok(text[..text.len() / 2].to_owned())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let workflow = Workflow::chain("short").repeat(3, shorten, |text| text.len() <= 4).build();
    /// let session = Loom::builder().build().session("alice");
    /// let outcome = session.run(&workflow, "loom and shuttle").await?;
    /// assert_eq!(outcome.output, "loom");
    /// assert_eq!(outcome.visited, ["shorten", "shorten"]);
    ///
    /// let error = session.run(&workflow, "-".repeat(40)).await.unwrap_err();
    /// assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    /// assert_eq!(error.message(), "shorten: repeat_max 3 reached");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn repeat<J, M, S>(
        mut self,
        repeat_max: u32,
        step: S,
        until: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Chain<I, T>
    where
        J: Accepts<T> + Data,
        M: 'static,
        S: IntoStep<J, M, Out = T>,
    {
        let info = step.step_info();
        let name = self.names.of_step(&info, self.outline.len() + 1);
        self.names.check_cap(&name, "repeat_max", repeat_max == 0);
        let detail = format!("at most {repeat_max} times");
        self.outline
            .then_again(node_info(&name, info).with_detail(detail));
        self.with_node(RepeatNode {
            step: StepNode::<T, J, M, S>::repeated(name, step),
            repeat_max,
            until,
        })
    }
}

/// A step and its output's way back to it, as one node.
struct RepeatNode<T, J, M, S, F> {
    step: StepNode<T, J, M, S>,
    repeat_max: u32,
    until: F,
}

impl<T, J, M, S, F> Node for RepeatNode<T, J, M, S, F>
where
    T: Data,
    J: Accepts<T> + Data,
    M: 'static,
    S: IntoStep<J, M, Out = T>,
    F: Fn(&T) -> bool + Send + Sync,
{
    fn run<'a>(
        &'a self,
        cx: &'a RunContext,
        mut payload: Payload,
    ) -> BoxFuture<'a, Result<Payload>> {
        Box::pin(async move {
            let mut value: T = payload.take()?;
            for _ in 0..self.repeat_max {
                value = self.step.perform(cx, value).await?;
                if (self.until)(&value) {
                    return Ok(payload.with(value));
                }
            }
            let reached = cx.limit_reached("repeat_max", self.repeat_max.into());
            Err(reached).context(self.step.name().as_str())
        })
    }
}
