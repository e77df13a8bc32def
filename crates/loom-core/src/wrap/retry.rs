//! A step that is tried again.

mod hazard;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::attributes::{Attributes, key};
use crate::context::RunContext;
use crate::error::{Error, Result};
use crate::event::Note;
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::safety::Safety;
use crate::wrap::Via;
use hazard::Hazard;

/// A step that is tried again; made by [`Wrapped::retry`](crate::Wrapped::retry).
#[derive(Clone)]
pub struct Retry<S> {
    inner: S,
    attempts: u32,
    repeats_effects: bool,
    /// Found once, since looking for it visits the whole definition.
    hazard: OnceLock<Hazard>,
    wait_initial: Duration,
    wait_max: Duration,
    retry_if: Arc<dyn Fn(&Error) -> bool + Send + Sync>,
}

impl<S> Retry<S> {
    pub(super) fn new(inner: S, attempts: u32) -> Self {
        Self {
            inner,
            attempts,
            repeats_effects: false,
            hazard: OnceLock::new(),
            wait_initial: Duration::from_millis(200),
            wait_max: Duration::from_secs(30),
            retry_if: Arc::new(Error::is_retryable),
        }
    }

    pub(super) fn backoff(self, wait_initial: Duration, wait_max: Duration) -> Self {
        Self {
            wait_initial,
            wait_max,
            ..self
        }
    }

    pub(super) fn repeating_effects(self) -> Self {
        Self {
            repeats_effects: true,
            ..self
        }
    }

    pub(super) fn retry_if(
        self,
        retry_if: impl Fn(&Error) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            retry_if: Arc::new(retry_if),
            ..self
        }
    }

    /// Refuses attempts that make no sense, and those that might do something twice that mustn't
    /// be done twice.
    fn check<I, M>(&self, cx: &RunContext) -> Result<()>
    where
        S: IntoStep<I, M>,
    {
        if self.attempts == 0 {
            return Err(Error::invalid(
                "`retry(0)` would never run the step: it counts all attempts, the first one too",
            ));
        }
        if self.attempts == 1 || self.repeats_effects {
            return Ok(());
        }
        let hazard = self
            .hazard
            .get_or_init(|| Hazard::of(&self.inner.step_info(), self.inner.step_safety()));
        match hazard {
            Hazard::Itself(why) => Err(Error::invalid(why.as_str())),
            Hazard::Inside(why) if !cx.has_journal() => Err(Error::invalid(why.as_str())),
            Hazard::Inside(_) | Hazard::None => Ok(()),
        }
    }

    /// How long to wait before this attempt, the second being 2.
    fn wait(&self, attempt: u32, random: u64) -> Duration {
        let doublings = attempt.saturating_sub(2).min(31);
        let longest = self
            .wait_initial
            .saturating_mul(1 << doublings)
            .min(self.wait_max);
        // The top 53 bits are as many as a float holds exactly.
        longest.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[diagnostic::do_not_recommend]
impl<I: Clone + Send + Sync + 'static, M, S: IntoStep<I, M>> IntoStep<I, Via<M>> for Retry<S> {
    type Out = S::Out;

    async fn run_step(&self, cx: &RunContext, input: I) -> Result<S::Out> {
        self.check(cx)?;
        let (mut attempt, before) = (1, cx.children());
        loop {
            let error = match self.inner.run_step(cx, input.clone()).await {
                Err(error)
                    if attempt < self.attempts && !cx.is_stopping() && (self.retry_if)(&error) =>
                {
                    error
                }
                result => return result,
            };
            attempt += 1;
            let wait = self.wait(attempt, cx.random(attempt.into()));
            let facts = Attributes::new()
                .with(key::ERROR_KIND, error.kind().as_str())
                .with(
                    key::WAIT_MS,
                    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                );
            cx.tell_note(&Note::Retry { attempt }, &facts);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            // So that what is recorded below keeps its path whichever attempt opens it.
            cx.recount_children(before.clone());
        }
    }

    fn step_info(&self) -> Info {
        self.inner.step_info()
    }

    fn step_safety(&self) -> Safety {
        self.inner.step_safety()
    }
}

impl<S: fmt::Debug> fmt::Debug for Retry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
