//! `Body`: what runs behind the door once it is let through.

use std::any::TypeId;
use std::marker::PhantomData;

use crate::context::RunContext;
use crate::data::Look;
use crate::error::Result;
use crate::into_step::IntoStep;

/// What an effect does with its input, in a context of its own.
pub(super) trait Body<I, T>: Send {
    fn run(self, cx: &RunContext, input: I) -> impl Future<Output = Result<T>> + Send;
}

/// A body and its input, until it runs. What an async function is given stays in its future even
/// after it is moved: this is there once.
pub(super) struct Given<I, B> {
    ready: Option<(B, I)>,
    look: fn(&I) -> Option<&dyn Look>,
}

impl<I, B> Given<I, B> {
    /// An input that observers may look at, unless it is nothing.
    pub(super) fn new(input: I, body: B) -> Self
    where
        I: Look + 'static,
    {
        Self {
            ready: Some((body, input)),
            look: |input| (TypeId::of::<I>() != TypeId::of::<()>()).then_some(input as _),
        }
    }

    /// What observers may look at of the input.
    pub(super) fn input(&self) -> Option<&dyn Look> {
        self.ready
            .as_ref()
            .and_then(|(_, input)| (self.look)(input))
    }

    /// Runs the body on the input, once.
    pub(super) fn run<'a, T>(
        &mut self,
        cx: &'a RunContext,
    ) -> Option<impl Future<Output = Result<T>> + Send + use<'a, I, T, B>>
    where
        B: Body<I, T>,
    {
        let (body, input) = self.ready.take()?;
        Some(body.run(cx, input))
    }
}

/// A function of an owned context. Its future is boxed: it stands in the caller's.
pub(super) struct Function<F>(pub(super) F);

impl<I, T, F, Fut> Body<I, T> for Function<F>
where
    I: Send,
    F: FnOnce(RunContext, I) -> Fut + Send,
    Fut: Future<Output = Result<T>> + Send,
{
    fn run(self, cx: &RunContext, input: I) -> impl Future<Output = Result<T>> + Send {
        Box::pin((self.0)(cx.clone(), input))
    }
}

/// A step, whose future stands where the effect's does.
pub(super) struct StepBody<'a, S, M> {
    step: &'a S,
    marker: PhantomData<fn(M)>,
}

impl<'a, S, M> StepBody<'a, S, M> {
    pub(super) fn new(step: &'a S) -> Self {
        Self {
            step,
            marker: PhantomData,
        }
    }
}

impl<I: Send, M, S: IntoStep<I, M>> Body<I, S::Out> for StepBody<'_, S, M> {
    fn run(self, cx: &RunContext, input: I) -> impl Future<Output = Result<S::Out>> + Send {
        self.step.run_step(cx, input)
    }
}
