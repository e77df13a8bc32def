//! A node of a workflow: a step whose types are forgotten, so that shapes can hold many.

use std::marker::PhantomData;

use futures::FutureExt;
use loom_core::{
    Accepts, BoxFuture, Data, Effect, EffectKind, ErrorKind, Info, IntoStep, Name, Result,
    ResultExt, RunContext,
};

use crate::payload::Payload;

/// Something that turns one payload into the next.
pub(crate) trait Node: Send + Sync {
    fn run<'a>(&'a self, cx: &'a RunContext, input: Payload) -> BoxFuture<'a, Result<Payload>>;
}

/// A step under its name: takes what the node before gives as what the step takes.
pub struct StepNode<T, I, M, S> {
    /// What is announced for it, each time anew.
    effect: Effect,
    step: S,
    types: PhantomData<fn(T, I) -> M>,
}

impl<T, I, M, S> StepNode<T, I, M, S>
where
    T: Send + 'static,
    I: Accepts<T> + Data,
    S: IntoStep<I, M>,
    S::Out: Data,
{
    pub(crate) fn new(name: Name, step: S) -> Self {
        Self {
            effect: Self::effect(name, &step).only_one(),
            step,
            types: PhantomData,
        }
    }

    /// A step that runs several times below one effect; the times are told apart by their number.
    pub(crate) fn repeated(name: Name, step: S) -> Self {
        Self {
            effect: Self::effect(name, &step),
            step,
            types: PhantomData,
        }
    }

    fn effect(name: Name, step: &S) -> Effect {
        Effect::new(EffectKind::Step, name).with_safety(step.step_safety())
    }

    /// The `index`-th of several that may run at the same time.
    pub(crate) fn at_index(self, index: usize) -> Self {
        Self {
            effect: self.effect.at_index(index),
            ..self
        }
    }

    /// The same for whoever takes its failure as a value.
    pub(crate) fn keeping_failure(self) -> Self {
        Self {
            effect: self.effect.keeping_failure(),
            ..self
        }
    }

    pub(crate) fn name(&self) -> &Name {
        self.effect.name()
    }

    pub(crate) fn step_info(&self) -> Info {
        self.step.step_info()
    }

    /// Runs the step, once below one effect.
    pub(crate) fn perform(
        &self,
        cx: &RunContext,
        value: T,
    ) -> impl Future<Output = Result<S::Out>> + Send {
        self.open(cx, self.effect.clone(), value)
            .map(|result| self.ended(result))
    }

    /// Runs the step for the item of this index, once for each.
    pub(crate) fn perform_item(
        &self,
        cx: &RunContext,
        index: usize,
        value: T,
    ) -> impl Future<Output = Result<S::Out>> + Send {
        self.open(cx, self.effect.clone().at_index(index), value)
            .map(|result| self.ended(result))
    }

    fn open(
        &self,
        cx: &RunContext,
        effect: Effect,
        value: T,
    ) -> impl Future<Output = Result<S::Out>> + Send {
        cx.perform_step(effect, &self.step, I::accept(value))
    }

    fn ended(&self, result: Result<S::Out>) -> Result<S::Out> {
        stopped_at(self.name(), result)
    }
}

/// Says of a run's own cap, reached below a node, which node it stopped: `node: reason`.
pub(crate) fn stopped_at<T>(node: &Name, result: Result<T>) -> Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::LimitReached => Err(error).context(node.as_str()),
        result => result,
    }
}

impl<T, I, M, S> Node for StepNode<T, I, M, S>
where
    T: Send + 'static,
    I: Accepts<T> + Data,
    M: 'static,
    S: IntoStep<I, M>,
    S::Out: Data,
{
    fn run<'a>(&'a self, cx: &'a RunContext, mut value: Payload) -> BoxFuture<'a, Result<Payload>> {
        Box::pin(async move {
            let ended = self.open(cx, self.effect.clone(), value.take()?).await;
            Ok(value.with(self.ended(ended)?))
        })
    }
}

/// A pure function between two nodes: no step, no span.
pub(crate) struct MapNode<T, F> {
    map: F,
    types: PhantomData<fn(T)>,
}

impl<T, F> MapNode<T, F> {
    pub(crate) fn new(map: F) -> Self {
        Self {
            map,
            types: PhantomData,
        }
    }
}

impl<T, O, F> Node for MapNode<T, F>
where
    T: Send + 'static,
    O: Send + 'static,
    F: Fn(T) -> O + Send + Sync,
{
    fn run<'a>(&'a self, _: &'a RunContext, mut value: Payload) -> BoxFuture<'a, Result<Payload>> {
        Box::pin(async move {
            let output = (self.map)(value.take()?);
            Ok(value.with(output))
        })
    }
}
