//! A node's step with its types forgotten: JSON in, JSON out.

use std::marker::PhantomData;
use std::sync::Arc;

use loom_core::{BoxFuture, Data, Effect, EffectKind, Info, IntoStep, Name, Result, RunContext};
use serde_json::Value;

use crate::graph::joined::{Deliveries, Inputs};

/// A step that any node of a graph may hold.
pub(crate) trait Body: Send + Sync {
    /// Whether it takes all that reaches its node together.
    fn joins(&self) -> bool;

    fn info(&self) -> Info;

    /// Runs it once as the step of this effect.
    fn run<'a>(
        &'a self,
        cx: &'a RunContext,
        effect: Effect,
        inputs: Inputs,
    ) -> BoxFuture<'a, Result<Arc<Value>>>;
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

    fn run<'a>(
        &'a self,
        cx: &'a RunContext,
        effect: Effect,
        inputs: Inputs,
    ) -> BoxFuture<'a, Result<Arc<Value>>> {
        Box::pin(async move {
            let step = &self.step;
            cx.perform_with(effect, inputs, |cx, inputs| async move {
                let output = step.run_step(&cx, I::gather(inputs)?).await?;
                // Inside, so that an output that can't be written fails its own step.
                Ok(Arc::new(output.to_value()?))
            })
            .await
        })
    }
}

/// The effect of a node. One that stands in no loop is opened once in a run.
pub(crate) fn effect(name: &Name, repeats: bool) -> Effect {
    let effect = Effect::new(EffectKind::Step, name.clone());
    if repeats { effect } else { effect.only_one() }
}
