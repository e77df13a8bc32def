//! `Body`: what runs behind the door once it is let through.

use std::marker::PhantomData;

use crate::context::RunContext;
use crate::error::Result;
use crate::into_step::IntoStep;

/// What an effect does with its input, in a context of its own.
pub(super) trait Body<I, T>: Send {
    fn run(self, cx: &RunContext, input: I) -> impl Future<Output = Result<T>> + Send;
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
