//! A step by another name.

use crate::context::RunContext;
use crate::error::Result;
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::name::Name;
use crate::safety::Safety;
use crate::wrap::Via;

/// A step by another name; made by [`Wrapped::named`](crate::Wrapped::named).
#[derive(Clone, Debug)]
pub struct Named<S> {
    inner: S,
    name: Name,
}

impl<S> Named<S> {
    pub(super) fn new(inner: S, name: Name) -> Self {
        Self { inner, name }
    }
}

#[diagnostic::do_not_recommend]
impl<I: Send + 'static, M, S: IntoStep<I, M>> IntoStep<I, Via<M>> for Named<S> {
    type Out = S::Out;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<S::Out> {
        // An empty name would pass for a step that nobody named.
        self.name.check()?;
        self.inner.run_step(cx, input).await
    }

    fn step_info(&self) -> Info {
        Info {
            name: self.name.clone(),
            ..self.inner.step_info().wrapped()
        }
    }

    fn step_safety(&self) -> Safety {
        self.inner.step_safety()
    }
}
