//! The one door: every effect of every run passes `perform`, in the same order of questions.

mod body;
mod decide;
mod record;
mod refuse;
mod reserve;

use std::sync::Arc;

use serde_json::Value;

use self::body::{Body, Function, Given, StepBody};
use self::decide::Decision;
use self::record::Record;
use crate::attributes::key;
use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::{Effect, EffectKind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::into_step::IntoStep;
use crate::poll::polled;
use crate::span::OpenSpan;

/// How an effect continues after the first questions.
enum Way {
    /// It is open and may happen.
    Through(OpenSpan),
    /// It is open; somebody is asked whether it may happen.
    Asking(OpenSpan),
    /// It isn't open: it is recorded, or somebody may have to be waited for.
    Slowly(RunContext),
}

impl RunContext {
    /// Lets one effect happen: the only way to open a span.
    ///
    /// In this order: is the run alive, was it recorded already, are the limits kept, open the
    /// span, ask the gates, write the intent, run the body with a context of its own, record, close
    /// the span. The body may perform further effects, one level deeper. A panic in it becomes an
    /// error; if the future is dropped, whatever is open below closes first, then this. Observers
    /// may look at the input before the body gets it, unless it is `()`.
    ///
    /// # Errors
    /// The body's own; `Stopped` when the run ends or waits for an answer; `Invalid` when this
    /// context's effect is over; `LimitReached` when it would be nested too deep; `Denied` by a
    /// gate; `Panicked`.
    ///
    /// ```
    /// use loom_core::{Effect, EffectKind, Loom, Result, RunContext};
    ///
    /// async fn greet(cx: RunContext, name: String) -> Result<String> {
    ///     cx.perform(Effect::new(EffectKind::Step, "greet"), name, |_cx, name| async move {
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
    pub fn perform<I, T, F, Fut>(
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
        self.pass(effect, Given::new(input, Function(body)))
    }

    /// [`RunContext::perform`] whose body is a step; its future holds the step's own.
    #[doc(hidden)]
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
        self.pass(effect, Given::new(input, StepBody::new(step)))
    }

    /// Lets an effect through, when the future is polled first.
    ///
    /// Every effect is part of its parent's future, so this holds little: what few effects need is
    /// boxed.
    #[expect(
        clippy::manual_async_fn,
        reason = "what an async function is given stands in its future twice"
    )]
    fn pass<I, T, B>(
        &self,
        effect: Effect,
        mut given: Given<I, B>,
    ) -> impl Future<Output = Result<T>> + Send
    where
        I: Send + Sync,
        T: Data,
        B: Body<I, T>,
    {
        async move {
            let span = match self.begin(effect, given.input()) {
                Ok(Way::Through(span)) => span,
                Ok(Way::Asking(span)) => Box::pin(self.ask_first(span)).await?,
                Ok(Way::Slowly(cx)) => return Box::pin(self.pass_slowly(cx, given)).await,
                Err(error) => return Err(Box::pin(self.refused(error)).await),
            };
            let result = polled(span.cx(), || given.run(span.cx())).await;
            let path = || span.cx().path();
            let result = result.map_err(|e| e.at(path));
            span.close(result)
        }
    }

    /// The first questions, which are asked without waiting; what needs more goes slowly.
    fn begin(&self, effect: Effect, input: Option<&dyn Look>) -> Result<Way> {
        let cx = self.enter(effect)?;
        let parts = &self.tree().parts;
        if self.tree().journal.is_some()
            || !parts.waits.is_empty()
            || cx.reserves()
            || cx.is_time_to_yield()
        {
            return Ok(Way::Slowly(cx));
        }
        if self.is_refused_waiting() {
            return Err(waits(self));
        }
        cx.count(self)?;
        let span = cx.opened(input)?;
        if !span.cx().is_allowed_at_once() {
            return Ok(Way::Asking(span));
        }
        span.cx().record_call();
        Ok(Way::Through(span))
    }

    /// Asks whether an open effect may happen that no journal knows; it closes if it may not.
    async fn ask_first(&self, span: OpenSpan) -> Result<OpenSpan> {
        let cx = span.cx();
        let refused = match cx.decide(None).await {
            Ok(Decision::May(permit)) => {
                cx.set_arguments(permit.arguments);
                cx.record_call();
                return Ok(span);
            }
            Ok(Decision::Happened(_) | Decision::Waits) => waits(cx),
            Err(refused) => refused.at(|| cx.path()),
        };
        span.close::<()>(Err(refused)).and(Err(waits(self)))
    }

    /// The whole way, read from top to bottom.
    async fn pass_slowly<I, T, B>(&self, cx: RunContext, mut given: Given<I, B>) -> Result<T>
    where
        I: Send + Sync,
        T: Data,
        B: Body<I, T>,
    {
        cx.let_others_run().await;
        // 1. Where does it stand, and is that clear to whoever resumes the run?
        let record = match self.place_of(&cx, given.input()) {
            Ok(record) => record,
            Err(error) => return Err(self.refused(error).await),
        };
        // 2. Was it recorded? Then no limit, gate or body.
        if let Some(record) = &record
            && let Some(recorded) = record.recorded().transpose()
        {
            return match recorded {
                Ok(recorded) => cx.replay(recorded, given.input()),
                Err(error) => Err(self.refused(error).await),
            };
        }
        // 3. Is there room, and do the limits allow it?
        if let Err(error) = cx.reserve_place(self).await {
            return Err(self.refused(error).await);
        }
        // 4. From here on it is open, and closes whatever happens.
        let span = cx.clone().opened(given.input())?;
        // 5. May it happen?
        let permit = match cx.decide(record.as_ref()).await {
            Ok(Decision::May(permit)) => permit,
            Ok(Decision::Waits) => return Err(cx.pause(span, false)),
            Ok(Decision::Happened(output)) => {
                let happened = cx.happened(record.as_ref(), output).await;
                return span.close(happened.map_err(|e| e.at(|| cx.path())));
            }
            Err(refused) if cx.decide_to_wait() => {
                drop(refused);
                return Err(cx.pause(span, false));
            }
            Err(refused) => return span.close(Err(refused.at(|| cx.path()))),
        };
        // 6. What can't simply be done again is written down before it is done, and with it that the
        // call was made: a resume counts it.
        cx.record_call();
        let intent = match &record {
            None => None,
            Some(record) => match record.begin(&permit).await {
                Ok(intent) => intent,
                Err(error) => {
                    cx.refund_call();
                    return span.close(Err(error));
                }
            },
        };
        // 7. The body. What it returned counts only if nothing below it waits.
        cx.set_arguments(permit.arguments);
        let result = polled(&cx, || given.run(&cx)).await;
        let Some(record) = record else {
            return span.close(result.map_err(|e| e.at(|| cx.path())));
        };
        if cx.decide_to_wait() {
            record.pause(intent);
            return Err(cx.pause(span, true));
        }
        // 8. Record, then close.
        let result = record.end(result, intent).await;
        span.close(result.map_err(|e| e.at(|| cx.path())))
    }

    /// The effect's place in the journal, if there is one. Its name is looked at before anything
    /// that may change with time.
    fn place_of<'a>(
        &'a self,
        cx: &'a RunContext,
        input: Option<&dyn Look>,
    ) -> Result<Option<Record<'a>>> {
        self.lives()?;
        let record = match &self.tree().journal {
            None => None,
            Some(journal) => Some(Record::claim(journal, cx, self, input)?),
        };
        match self.is_refused_waiting() {
            true => Err(waits(self)),
            false => Ok(record),
        }
    }

    /// Opens this effect, which was counted.
    #[inline]
    fn opened(self, input: Option<&dyn Look>) -> Result<OpenSpan> {
        OpenSpan::open(self, input).map_err(|(cx, error)| {
            // What it stands below has closed meanwhile.
            cx.tree().ledger.uncount(cx.effect().kind());
            if let Some(reservation) = cx.take_reservation() {
                reservation.release();
            }
            error
        })
    }

    /// Closes an effect that waits for an answer.
    fn pause(&self, span: OpenSpan, called: bool) -> Error {
        if let Some(reservation) = self.take_reservation() {
            reservation.release();
        }
        let effect = self.effect();
        self.tree()
            .ledger
            .paused(effect.kind(), effect.name(), called);
        span.pause()
    }

    /// Records what an effect returned that happened in an earlier attempt, as somebody knows.
    async fn happened<T: Data>(&self, record: Option<&Record<'_>>, output: Value) -> Result<T> {
        let known = T::from_value(output.clone()).map_err(|e| {
            let message = "what it is said to have returned is of another type";
            Error::with_source(ErrorKind::Invalid, message, e)
        })?;
        if let Some(record) = record {
            record.keep_known(output).await?;
        }
        Ok(known)
    }

    /// Counts a call that is about to be made.
    #[inline]
    fn record_call(&self) {
        if matches!(self.effect().kind(), EffectKind::Tool | EffectKind::Model) {
            let effect = self.effect();
            self.tree().ledger.record_call(effect.kind(), effect.name());
        }
    }

    fn set_arguments(&self, arguments: Option<Arc<Value>>) {
        if arguments.is_some() {
            self.change_arguments(arguments);
        }
    }

    /// Closes an effect whose end was recorded with that end: no limit, gate or body.
    fn replay<T: Data>(&self, recorded: Result<Value>, input: Option<&dyn Look>) -> Result<T> {
        self.set_replayed();
        let span = OpenSpan::open(self.clone(), input).map_err(|(_, error)| error)?;
        self.emit(EventKind::Replayed);
        let output = recorded.and_then(|output| {
            T::from_value(output).map_err(|e| {
                let message =
                    "what the journal recorded here is of another type: the definition changed";
                Error::with_source(ErrorKind::Invalid, message, e)
            })
        });
        span.close(output.map_err(|e| e.at(|| self.path())))
    }

    /// The context of an effect below this one, if this one is alive.
    #[inline]
    fn enter(&self, effect: Effect) -> Result<RunContext> {
        self.lives()?;
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
        if is_run && self.tree().control.set_root(&cx) {
            Ok(cx)
        } else {
            let message =
                "a runnable that says it is an agent or a workflow opens exactly one span, its run";
            Err(Error::invalid(message))
        }
    }
}

fn waits(cx: &RunContext) -> Error {
    Error::stopped("it waits for an answer").at(|| cx.path())
}
