//! A step with a time limit.

use std::time::Duration;

use crate::context::RunContext;
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::safety::Safety;
use crate::timer;
use crate::wrap::Via;

/// A step with a time limit; made by [`Wrapped::timeout`](crate::Wrapped::timeout).
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    pub(super) inner: S,
    pub(super) limit: Duration,
}

#[diagnostic::do_not_recommend]
impl<I: Send + 'static, M, S: IntoStep<I, M>> IntoStep<I, Via<M>> for Timeout<S> {
    type Out = S::Out;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<S::Out> {
        // A place of its own, so that what is asked in it is withdrawn when time is up.
        let inner = cx.branch(None);
        let mut body = Box::pin(self.inner.run_step(&inner, input));
        let limited = timer::start("`.timeout(..)`", || {
            tokio::time::timeout(self.limit, &mut body)
        })?;
        if let Ok(result) = limited.await {
            return result;
        }
        inner.cancel_with(CancelReason::TimedOut, body);
        inner.end_branch(CancelReason::TimedOut);
        Err(Error::new(
            ErrorKind::Timeout,
            format!("timed out after {:?}", self.limit),
        ))
    }

    fn step_info(&self) -> Info {
        self.inner.step_info()
    }

    fn step_safety(&self) -> Safety {
        self.inner.step_safety()
    }
}
