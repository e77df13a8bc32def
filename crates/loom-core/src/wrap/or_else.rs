//! A step with another to fall back on.

use crate::attributes::{Attributes, key};
use crate::context::RunContext;
use crate::error::Result;
use crate::event::Note;
use crate::info::{Info, Kind};
use crate::into_step::IntoStep;
use crate::safety::Safety;
use crate::wrap::Via;

/// A step with another to fall back on; made by [`Wrapped::or_else`](crate::Wrapped::or_else).
#[derive(Clone, Debug)]
pub struct OrElse<A, B> {
    pub(super) first: A,
    pub(super) other: B,
}

#[diagnostic::do_not_recommend]
impl<I, MA, MB, A, B> IntoStep<I, Via<(MA, MB)>> for OrElse<A, B>
where
    I: Clone + Send + Sync + 'static,
    A: IntoStep<I, MA>,
    B: IntoStep<I, MB, Out = A::Out>,
{
    type Out = A::Out;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<A::Out> {
        match self.first.run_step(cx, input.clone()).await {
            Err(error) if !cx.is_stopping() => {
                let facts = Attributes::new().with(key::ERROR_KIND, error.kind().as_str());
                cx.tell_note(&Note::Fallback, &facts);
                self.other.run_step(cx, input).await
            }
            result => result,
        }
    }

    fn step_info(&self) -> Info {
        let (first, other) = (self.first.step_info(), self.other.step_info());
        Info::new(first.node_name(), Kind::Function)
            .with_parts([first, other])
            .with_detail("the first that works")
    }

    fn step_safety(&self) -> Safety {
        self.first.step_safety().max(self.other.step_safety())
    }
}
