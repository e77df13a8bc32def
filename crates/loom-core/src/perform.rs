//! The one door: every effect of every run passes `perform`, in the same order of questions.

mod body;
mod decide;
mod record;
mod refuse;
mod reserve;

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

/// What the journal has of an effect that is admitted.
enum Known {
    /// Its place is taken, where there is a journal; it is counted.
    New(Option<Box<Record>>),
    /// An earlier attempt recorded how it ended.
    Recorded(Result<Value>),
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

    /// Lets an effect through, when the future is polled first. Read from top to bottom.
    ///
    /// Every effect is part of its parent's future, so this one holds little: what few effects need
    /// is a boxed detour.
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
            // 1. Is the run alive, and is there room, within its limits?
            let cx = match self.enter(effect) {
                Ok(cx) => cx,
                Err(refused) => return Err(Box::pin(self.refused(refused)).await),
            };
            let mut record = None;
            if cx.is_admitted_slowly() {
                // 2. What was recorded meets no limit, gate or body.
                match Box::pin(self.admit_slowly(&cx, given.input())).await {
                    Ok(Known::New(taken)) => record = taken,
                    Ok(Known::Recorded(result)) => return cx.replay(result, given.input()),
                    Err(refused) => return Err(Box::pin(self.refused(refused)).await),
                }
            } else if let Err(refused) = self.admit(&cx) {
                return Err(Box::pin(self.refused(refused)).await);
            }
            // 3. From here on it is open, and closes whatever happens.
            let span = match cx.opened(given.input()) {
                Ok(span) => span,
                Err(refused) => return Err(Box::pin(self.refused(refused)).await),
            };
            let cx = span.cx();
            // 4. May it happen? What can't simply be done again is written down first.
            let is_plain = record.as_ref().is_none_or(|it| it.is_plain());
            if !is_plain || !cx.is_allowed_at_once() {
                match Box::pin(cx.decide(record.as_deref_mut())).await {
                    Ok(Decision::May(_)) => (),
                    Ok(Decision::Happened(output)) => {
                        let known = Box::pin(cx.happened(record.as_deref(), output)).await;
                        return span.close(known);
                    }
                    Ok(Decision::Waits) => return Err(pause(span, false)),
                    Err(refused) => return span.close(Err(refused)),
                }
            } else {
                cx.record_call();
            }
            // 5. The body. What it returned counts only if nothing below it waits.
            let mut result = polled(cx, || given.run(cx)).await;
            if let Some(record) = &mut record {
                if cx.decide_to_wait() {
                    record.pause();
                    return Err(pause(span, true));
                }
                // 6. Record, then close.
                result = match record.ended(result) {
                    Ok((ended, records)) if records.is_empty() => ended,
                    Ok((ended, records)) => Box::pin(record.write(records)).await.and(ended),
                    Err(broken) => Err(broken),
                };
            }
            span.close(result)
        }
    }

    /// Whether something may have to be waited for before this effect, which isn't open yet, is.
    #[inline]
    fn is_admitted_slowly(&self) -> bool {
        let tree = self.tree();
        tree.journal.is_some()
            || !tree.parts.waits.is_empty()
            || self.reserves()
            || self.is_time_to_yield()
    }

    #[inline]
    fn admit(&self, cx: &RunContext) -> Result<()> {
        self.refuse_waiting()?;
        cx.count(self)
    }

    /// [`RunContext::admit`] where that takes time. The effect's name is looked at before anything
    /// that may change with time.
    async fn admit_slowly(&self, cx: &RunContext, input: Option<&dyn Look>) -> Result<Known> {
        cx.let_others_run().await;
        self.lives()?;
        let record = match &self.tree().journal {
            None => None,
            Some(journal) => Some(Box::new(Record::claim(journal, cx, input)?)),
        };
        self.refuse_waiting()?;
        if let Some(record) = &record
            && let Some(recorded) = record.recorded()?
        {
            return Ok(Known::Recorded(recorded));
        }
        cx.reserve_place(self).await?;
        Ok(Known::New(record))
    }

    fn refuse_waiting(&self) -> Result<()> {
        match self.is_refused_waiting() {
            true => Err(waits(self)),
            false => Ok(()),
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

    /// Records what an effect returned that happened in an earlier attempt, as somebody knows.
    async fn happened<T: Data>(&self, record: Option<&Record>, output: Value) -> Result<T> {
        let known = T::from_value(output.clone()).map_err(|e| {
            let message = "what it is said to have returned is of another type";
            Error::with_source(ErrorKind::Invalid, message, e)
        })?;
        if let Some(record) = record {
            record.keep(output).await?;
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
        span.close(output)
    }

    /// The context of an effect below this one, if this one is alive.
    #[inline]
    fn enter(&self, effect: Effect) -> Result<RunContext> {
        self.lives()?;
        effect.check_name().map_err(|e| e.at(|| self.path()))?;
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

/// Closes an effect that waits for an answer.
fn pause(span: OpenSpan, called: bool) -> Error {
    let cx = span.cx();
    if let Some(reservation) = cx.take_reservation() {
        reservation.release();
    }
    let effect = cx.effect();
    let ledger = &cx.tree().ledger;
    ledger.paused(effect.kind(), effect.name(), called);
    span.pause()
}
