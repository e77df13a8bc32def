//! A step that is tried again.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::attributes::{Attributes, key};
use crate::context::RunContext;
use crate::error::{Error, Result};
use crate::event::Note;
use crate::info::{Info, Kind};
use crate::into_step::IntoStep;
use crate::name::Name;
use crate::safety::Safety;
use crate::timer;
use crate::wrap::Via;

/// A step that is tried again; made by [`Wrapped::retry`](crate::Wrapped::retry).
#[derive(Clone)]
pub struct Retry<S> {
    pub(super) inner: S,
    pub(super) attempts: u32,
    pub(super) repeats_effects: bool,
    pub(super) wait_initial: Duration,
    pub(super) wait_max: Duration,
    pub(super) retry_if: Arc<dyn Fn(&Error) -> bool + Send + Sync>,
    /// What a further attempt would do twice without a journal. Looked for once, since that visits
    /// the whole definition.
    hazard: OnceLock<Name>,
}

impl<S> Retry<S> {
    pub(super) fn new(inner: S, attempts: u32) -> Self {
        Self {
            inner,
            attempts,
            repeats_effects: false,
            wait_initial: Duration::from_millis(200),
            wait_max: Duration::from_secs(30),
            retry_if: Arc::new(Error::is_retryable),
            hazard: OnceLock::new(),
        }
    }

    fn may_repeat(&self) -> bool {
        self.attempts > 1 && !self.repeats_effects
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
        if self.may_repeat() {
            if self.inner.step_safety() == Safety::NotIdempotent {
                return Err(Error::invalid(repeated(&self.inner.step_info())));
            }
            let hazard = self
                .hazard
                .get_or_init(|| hazard_in(&self.inner.step_info()));
            if !cx.has_journal() && !hazard.is_empty() {
                return Err(Error::invalid(hazard.as_str()));
            }
        }
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
                match timer::start("the back-off of `.retry(..)`", || tokio::time::sleep(wait)) {
                    Ok(timer) => timer.await,
                    Err(untimed) => return Err(untimed.followed_by(&error.to_string())),
                }
            }
            // So that what is recorded below keeps its path whichever attempt opens it.
            cx.recount_children(before.clone());
        }
    }

    fn step_info(&self) -> Info {
        let info = self.inner.step_info();
        match self.may_repeat() && self.inner.step_safety() == Safety::NotIdempotent {
            true => info.clone().with_fault(repeated(&info)),
            false => info,
        }
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

/// Why a step that isn't idempotent itself isn't tried again without its author's word for it.
fn repeated(step: &Info) -> String {
    format!(
        "{} is retried and isn't idempotent: a further attempt would do it again; say `.repeating_effects()` if that does no harm",
        shown(step)
    )
}

/// Why a step isn't tried again without a journal, which would keep a further attempt from doing
/// again what isn't idempotent in it; empty if nothing is.
fn hazard_in(step: &Info) -> Name {
    if step.safety < Safety::NotIdempotent {
        return Name::EMPTY;
    }
    // The innermost part with a name that makes the whole not idempotent.
    let (mut at, mut culprit, mut is_tool) = (step, step, false);
    let is_harmful = |part: &&Info| part.safety == Safety::NotIdempotent;
    while let Some(part) = at.parts.iter().find(is_harmful) {
        if !part.node_name().is_empty() {
            (culprit, is_tool) = (part, at.kind == Kind::Agent);
        }
        at = part;
    }
    let (noun, remedy) = match is_tool {
        true => ("tool", "mark it `.idempotent()`, "),
        false => ("step", ""),
    };
    let (step, culprit) = (shown(step), shown(culprit));
    format!(
        "{step} is retried, and its {noun} {culprit} isn't idempotent: without a journal a further attempt would do it again; {remedy}say `.repeating_effects()`, or use a journal"
    )
    .into()
}

fn shown(info: &Info) -> String {
    match info.node_name() {
        unnamed if unnamed.is_empty() => "a closure".to_owned(),
        name => format!("`{name}`"),
    }
}
