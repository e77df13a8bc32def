//! A step that is not idempotent.

use crate::context::RunContext;
use crate::error::Result;
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::safety::Safety;
use crate::wrap::Via;

/// A step that is not idempotent; made by [`Wrapped::once`](crate::Wrapped::once).
#[derive(Clone, Debug)]
pub struct Once<S> {
    inner: S,
}

impl<S> Once<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }
}

#[diagnostic::do_not_recommend]
impl<I: Send + 'static, M, S: IntoStep<I, M>> IntoStep<I, Via<M>> for Once<S> {
    type Out = S::Out;

    fn run_step(&self, cx: &RunContext, input: I) -> impl Future<Output = Result<S::Out>> + Send {
        self.inner.run_step(cx, input)
    }

    fn step_info(&self) -> Info {
        self.inner.step_info().with_safety(Safety::NotIdempotent)
    }

    fn step_safety(&self) -> Safety {
        Safety::NotIdempotent
    }
}
