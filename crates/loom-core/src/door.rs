//! The one door: every effect of every run passes `perform`, in the same order of questions.

mod body;
mod decide;
mod pass;
mod recall;
mod reserve;

use self::body::{Function, Given, StepBody};
use crate::attributes::key;
use crate::context::RunContext;
use crate::data::Data;
use crate::effect::{Effect, EffectKind};
use crate::ending::CancelReason;
use crate::error::{Error, Result};
use crate::into_step::IntoStep;
use crate::span::{OpenSpan, Unopened};

impl RunContext {
    /// Lets one effect happen: the only way to open a span.
    ///
    /// In this order: is the run alive, was it recorded already, are the limits kept, open the
    /// span, ask the gates, run the body with a context of its own, record, close the span. The
    /// body may perform further effects, one level deeper. A panic in it becomes an error; if the
    /// future is dropped, whatever is open below closes first, then this.
    ///
    /// # Errors
    /// The body's own; `Cancelled` when the run or this context's effect is over; `Interrupted`
    /// when a limit is reached; `Denied` by a gate; `Panicked`.
    ///
    /// ```
    /// use loom_core::{Effect, EffectKind, Loom, Result, RunContext};
    ///
    /// async fn greet(cx: RunContext, name: String) -> Result<String> {
    ///     cx.perform(Effect::new(EffectKind::Step, "greet"), |_cx| async move {
    ///         Ok(format!("hello {name}"))
    ///     })
    ///     .await
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let outcome = Loom::builder().build().session("alice").run(&greet, "bob").await?;
    /// assert_eq!(outcome.output, "hello bob");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn perform<T, F, Fut>(
        &self,
        effect: Effect,
        body: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Data,
        F: FnOnce(RunContext) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.pass(effect, Given::nothing(Function(|cx, ()| body(cx))))
    }

    /// [`RunContext::perform`] for an effect whose input crosses an edge: observers may look at
    /// it before the body gets it.
    ///
    /// # Errors
    /// As [`RunContext::perform`].
    pub fn perform_with<I, T, F, Fut>(
        &self,
        effect: Effect,
        input: I,
        body: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        I: Data,
        T: Data,
        F: FnOnce(RunContext, I) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.pass(effect, Given::shown(input, Function(body)))
    }

    /// [`RunContext::perform_with`] for a step under an effect of the caller's making. Its future
    /// holds the step's own: for those who box what they are given.
    ///
    /// # Errors
    /// As [`RunContext::perform`].
    ///
    /// ```
    /// use loom_core::{Effect, EffectKind, Loom, Result, RunContext};
    ///
    /// async fn double(n: u64) -> Result<u64> {
    ///     Ok(2 * n)
    /// }
    ///
    /// async fn doubles(cx: RunContext, n: u64) -> Result<u64> {
    ///     let effect = Effect::new(EffectKind::Step, "double").only_one();
    ///     cx.perform_step(effect, &double, n).await
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let outcome = Loom::builder().build().session("alice").run(&doubles, 4u64).await?;
    /// assert_eq!(outcome.output, 8);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn perform_step<I, M, S>(
        &self,
        effect: Effect,
        step: &S,
        input: I,
    ) -> impl Future<Output = Result<S::Out>> + Send
    where
        I: Data,
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        self.pass(effect, Given::shown(input, StepBody::new(step)))
    }

    /// Records an effect that can't happen, for example a call of a tool that doesn't exist: the
    /// span is opened and closed with the error, and no gate is asked. It counts as an effect.
    ///
    /// Gives the error back, with the effect's path; or the door's own, if it refuses.
    pub fn refuse(&self, effect: Effect, error: Error) -> Error {
        match self.enter(effect) {
            Ok(cx) => {
                if let Err(reached) = cx.count_opening(self) {
                    self.remember(&reached);
                    return reached;
                }
                let error = error.at(|| cx.path());
                match OpenSpan::open(cx, None) {
                    Ok(span) => span.fail(error),
                    Err(Unopened { cx, error }) => error.at(|| cx.path()),
                }
            }
            Err(refused) => {
                self.remember(&refused);
                refused
            }
        }
    }

    /// The context of an effect below this one, if this one is alive.
    #[inline]
    fn enter(&self, effect: Effect) -> Result<RunContext> {
        self.alive().map_err(|e| e.at(|| self.path()))?;
        self.below(effect)
    }

    /// The context of an effect below this one.
    #[inline]
    fn below(&self, effect: Effect) -> Result<RunContext> {
        // A tool's name may be a model's own words; it is recorded as it was said.
        if effect.kind() != EffectKind::Tool {
            effect.check_name().map_err(|e| e.at(|| self.path()))?;
        }
        if !self.is_bare() {
            return Ok(self.child(effect));
        }
        let is_run = effect.kind().is_run();
        let effect = if self.tree().parts.permissions_off {
            effect.with(key::PERMISSIONS, "off")
        } else {
            effect
        };
        let cx = self.child(effect);
        if is_run && self.tree().set_root(&cx) {
            Ok(cx)
        } else {
            let message =
                "a runnable that says it is an agent or a workflow opens exactly one span, its run";
            Err(Error::invalid(message))
        }
    }

    pub(crate) fn alive(&self) -> Result<()> {
        let tree = self.tree();
        if tree.is_over() {
            return Err(Error::cancelled(
                CancelReason::Dropped,
                "the run this context belongs to is over",
            ));
        }
        if self.is_closed() {
            let message = format!(
                "{} is over; hand its context on only while it runs",
                self.effect()
            );
            return Err(Error::invalid(message));
        }
        if self.is_being_decided() {
            let message = format!(
                "{} is being decided about: a gate decides, it doesn't act",
                self.effect()
            );
            return Err(Error::invalid(message));
        }
        if let Some(why) = tree.cancel.reason() {
            return Err(Error::cancelled(why, "the run was cancelled"));
        }
        match tree.deadline {
            Some(deadline) if deadline <= tokio::time::Instant::now() => Err(Error::cancelled(
                CancelReason::Deadline,
                "the run's deadline has passed",
            )),
            _ => Ok(()),
        }
    }
}
