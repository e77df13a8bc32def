//! The one door: every effect of every run passes `perform`, in the same order of questions.

mod decide;
mod recall;
mod reserve;

use futures::TryFutureExt;
use serde_json::Value;

use crate::attributes::key;
use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::{Effect, EffectKind};
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::poll::polled;
use crate::span::OpenSpan;

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
        self.pass(effect, (), |()| None, |cx, ()| body(cx))
            .inspect_err(|e| self.remember(e))
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
        self.pass(effect, input, |input| Some(input), body)
            .inspect_err(|e| self.remember(e))
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
                match OpenSpan::open(&cx, None).and_then(|it| it.close::<()>(Err(&error))) {
                    Ok(()) => error,
                    Err(closed) => closed.at(|| cx.path()),
                }
            }
            Err(refused) => {
                self.remember(&refused);
                refused
            }
        }
    }

    async fn pass<I, T, F, Fut>(
        &self,
        effect: Effect,
        input: I,
        look: fn(&I) -> Option<&dyn Look>,
        body: F,
    ) -> Result<T>
    where
        I: Send + Sync,
        T: Data,
        F: FnOnce(RunContext, I) -> Fut + Send,
        Fut: Future<Output = Result<T>> + Send,
    {
        let cx = self.enter(effect)?;
        // Whatever has to be waited for is boxed: most effects wait for nothing, and each is part
        // of its parent's future.
        let record = match &self.tree().journal {
            None => None,
            Some(journal) => Some(recall::Record::claim(journal, &cx, look(&input))?),
        };
        if let Some(record) = &record {
            let output = Box::pin(record.recorded()).await?;
            // The run may have ended meanwhile.
            self.alive().map_err(|e| e.at(|| self.path()))?;
            if let Some(output) = output {
                return cx.replay(output, look(&input));
            }
        }
        if cx.must_wait() {
            Box::pin(cx.wait_and_reserve(self)).await?;
        } else {
            cx.count(self)?;
        }
        let span = OpenSpan::open(&cx, look(&input)).map_err(|e| cx.unopened(e))?;
        let mut begun = if cx.decided_at_once() {
            Ok(())
        } else {
            let given = record.as_ref().and_then(recall::Record::given);
            Box::pin(cx.while_deciding(cx.ask_gates(given))).await
        };
        if begun.is_ok() {
            cx.tally();
            if let Some(record) = record.as_ref().filter(|it| it.is_call()) {
                begun = Box::pin(record.begin()).await;
            }
        }
        let mut result = match begun {
            Ok(()) => {
                let ended = polled(&cx, || body(cx.clone(), input)).await;
                ended.map_err(|e| cx.left_by(e))
            }
            Err(refused) => Err(refused),
        };
        if let Some(record) = &record
            && let Err(unwritten) = Box::pin(record.end(&result)).await
        {
            result = Err(unwritten);
        }
        let result = result.map_err(|e| cx.ended_by(e));
        span.close(result.as_ref())
            .map_err(|e| e.at(|| cx.path()))?;
        result
    }

    /// The context of an effect below this one, if this one is alive.
    fn enter(&self, effect: Effect) -> Result<RunContext> {
        self.alive().map_err(|e| e.at(|| self.path()))?;
        self.below(effect)
    }

    /// The error of one that was counted and then not opened: what it stands below has closed
    /// meanwhile.
    fn unopened(&self, error: Error) -> Error {
        self.give_back();
        self.tree().budget.uncount_openings(1);
        error.at(|| self.path())
    }

    /// The error that left the body, as what it is.
    fn left_by(&self, error: Error) -> Error {
        let error = self.unhidden(error);
        if error.kind() == ErrorKind::Paused {
            if let Some(reservation) = self.take_reservation() {
                reservation.give_back();
            }
            self.tree().paused_call(self.effect());
        }
        error
    }

    /// The error that the effect ends with.
    fn ended_by(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Paused {
            self.tree().paused_opening();
        }
        error.at(|| self.path())
    }

    /// Counts a call that is about to be made.
    fn tally(&self) {
        match self.effect().kind() {
            EffectKind::Tool => self.tree().count_tool_call(),
            EffectKind::Model => self.tree().count_model_call(self.effect().name()),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => (),
        }
    }

    /// Closes an effect whose end was recorded with that end: no limit, gate or body.
    fn replay<T: Data>(&self, recorded: Result<Value>, input: Option<&dyn Look>) -> Result<T> {
        self.set_replayed();
        let span = OpenSpan::open(self, input).map_err(|e| e.at(|| self.path()))?;
        self.emit(EventKind::Replayed);
        let output = recorded.and_then(|output| {
            T::from_value(output).map_err(|e| {
                let message =
                    "what the journal recorded here is of another type: the definition changed";
                Error::with_source(ErrorKind::Invalid, message, e)
            })
        });
        let output = output.map_err(|e| e.at(|| self.path()));
        span.close(output.as_ref())
            .map_err(|e| e.at(|| self.path()))?;
        output
    }

    /// The context of an effect below this one.
    fn below(&self, effect: Effect) -> Result<RunContext> {
        // A tool's name may be a model's own words; it is recorded as it was said.
        if effect.kind() != EffectKind::Tool {
            effect.name().check().map_err(|e| e.at(|| self.path()))?;
        }
        if !self.is_bare() {
            return Ok(self.child(effect));
        }
        let effect = effect.only_one();
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
