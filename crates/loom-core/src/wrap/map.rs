//! A step whose output is changed.

use crate::context::RunContext;
use crate::error::Result;
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::safety::Safety;
use crate::wrap::Via;

/// A step whose output is changed; made by [`Wrapped::map`](crate::Wrapped::map).
#[derive(Clone, Debug)]
pub struct Map<S, F> {
    pub(super) inner: S,
    pub(super) map: F,
}

#[diagnostic::do_not_recommend]
impl<I, M, O, S, F> IntoStep<I, Via<M>> for Map<S, F>
where
    I: Send + 'static,
    S: IntoStep<I, M>,
    O: Send + 'static,
    F: Fn(S::Out) -> O + Send + Sync + 'static,
{
    type Out = O;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<O> {
        Ok((self.map)(self.inner.run_step(cx, input).await?))
    }

    fn step_info(&self) -> Info {
        self.inner.step_info()
    }

    fn step_safety(&self) -> Safety {
        self.inner.step_safety()
    }
}
