//! A node's step with its types forgotten: JSON in, JSON out.

use std::marker::PhantomData;
use std::sync::Arc;

use loom_core::{BoxFuture, Data, Effect, Info, IntoStep, Result, RunContext, Safety};
use serde_json::Value;

use crate::graph::joined::{Deliveries, Inputs};
use crate::node::stopped_at;
use crate::parallel::Settled;

/// A step that any node of a graph may hold.
pub(crate) trait Body: Send + Sync {
    /// Whether it takes all that reaches its node together.
    fn joins(&self) -> bool;

    fn info(&self) -> Info;

    fn safety(&self) -> Safety;

    /// Runs it once, as the step that this visit is.
    fn run<'a>(
        &'a self,
        cx: &'a RunContext,
        visit: Visit<'a>,
        inputs: Inputs,
    ) -> BoxFuture<'a, Result<Arc<Value>>>;
}

/// A visit of a node.
#[derive(Clone, Copy)]
pub(crate) struct Visit<'a> {
    pub(crate) effect: &'a Effect,
    /// Whether a failure is a value.
    pub(crate) is_settled: bool,
}

impl Visit<'_> {
    /// What comes of the visit: an error of a settled node is a value, and an interruption says
    /// which node it stopped.
    fn end(&self, result: Result<Arc<Value>>) -> Result<Arc<Value>> {
        if self.is_settled {
            return Ok(Arc::new(Settled::of(result)?.to_value()?));
        }
        stopped_at(self.effect.name(), result)
    }
}

pub(crate) struct StepBody<S, I, M> {
    step: S,
    types: PhantomData<fn(I) -> M>,
}

impl<S, I, M> StepBody<S, I, M> {
    pub(crate) fn new(step: S) -> Self {
        Self {
            step,
            types: PhantomData,
        }
    }
}

impl<S, I, M> Body for StepBody<S, I, M>
where
    I: Deliveries,
    M: 'static,
    S: IntoStep<I, M>,
    S::Out: Data,
{
    fn joins(&self) -> bool {
        I::JOINS
    }

    fn info(&self) -> Info {
        self.step.step_info()
    }

    fn safety(&self) -> Safety {
        self.step.step_safety()
    }

    fn run<'a>(
        &'a self,
        cx: &'a RunContext,
        visit: Visit<'a>,
        inputs: Inputs,
    ) -> BoxFuture<'a, Result<Arc<Value>>> {
        Box::pin(async move {
            let step = &self.step;
            let output = cx.perform(visit.effect.clone(), inputs, |cx, inputs| async move {
                let output = step.run_step(&cx, I::gather(inputs)?).await?;
                // Inside, so that an output that can't be written fails its own step.
                Ok(Arc::new(output.to_value()?))
            });
            visit.end(output.await)
        })
    }
}
