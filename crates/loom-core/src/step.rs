//! `Step`: a step whose type is forgotten but for what goes in and out.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::context::RunContext;
use crate::data::Data;
use crate::error::Result;
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::runnable::Runnable;
use crate::safety::Safety;

/// Any step that takes `I` and returns `O`: nameable, and cloned by one atomic addition.
///
/// ```
/// use loom_core::{Error, Loom, Result, Step};
///
/// async fn double(n: u64) -> Result<u64> {
///     Ok(2 * n)
/// }
///
/// # futures::executor::block_on(async {
/// let steps: Vec<Step<u64, u64>> = vec![Step::new(double), Step::new(|n: u64| async move { Ok::<_, Error>(n + 1) })];
/// let session = Loom::builder().build().session("alice");
/// assert_eq!(session.run(&steps[1], 4u64).await?.output, 5);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub struct Step<I, O>(Arc<dyn DynStep<I, O>>);

trait DynStep<I, O>: Send + Sync {
    fn run<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<O>>;
    fn info(&self) -> Info;
    fn safety(&self) -> Safety;
}

struct Erased<S, M>(S, PhantomData<fn() -> M>);

impl<I: Send + 'static, M: 'static, S: IntoStep<I, M>> DynStep<I, S::Out> for Erased<S, M> {
    fn run<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<S::Out>> {
        Box::pin(self.0.run_step(cx, input))
    }

    fn info(&self) -> Info {
        self.0.step_info()
    }

    fn safety(&self) -> Safety {
        self.0.step_safety()
    }
}

impl<I: Send + 'static, O: Data> Step<I, O> {
    /// Forgets the step's own type.
    pub fn new<M: 'static>(step: impl IntoStep<I, M, Out = O>) -> Self {
        Self(Arc::new(Erased(step, PhantomData)))
    }
}

impl<I: Send + 'static, O: Data> Runnable<I> for Step<I, O> {
    type Out = O;

    async fn run(&self, cx: &RunContext, input: I) -> Result<O> {
        self.0.run(cx, input).await
    }

    fn info(&self) -> Info {
        self.0.info()
    }

    fn safety(&self) -> Safety {
        self.0.safety()
    }
}

impl<I, O> Clone for Step<I, O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I, O> fmt::Debug for Step<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Step").field(&self.0.info().name).finish()
    }
}
