//! The way through the door: at once where nothing has to be waited for, else step by step.

use futures::future::{Either, FutureExt, lazy, ready};
use serde_json::Value;

use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::door::body::Body;
use crate::door::recall::Record;
use crate::effect::{Effect, EffectKind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::poll::polled;
use crate::span::{OpenSpan, Unopened};

impl RunContext {
    /// Lets an effect through, when the future is polled first.
    ///
    /// Every effect is part of its parent's future, so this holds little: what is announced gives
    /// way to what runs, and what few effects need is boxed.
    pub(super) fn pass<I, T, B>(
        &self,
        effect: Effect,
        input: I,
        look: fn(&I) -> Option<&dyn Look>,
        body: B,
    ) -> impl Future<Output = Result<T>> + Send
    where
        I: Send + Sync,
        T: Data,
        B: Body<I, T>,
    {
        lazy(move |_| self.begin(effect, input, look, body)).flatten()
    }

    fn begin<'a, I, T, B>(
        &'a self,
        effect: Effect,
        input: I,
        look: fn(&I) -> Option<&dyn Look>,
        body: B,
    ) -> impl Future<Output = Result<T>> + Send + use<'a, I, T, B>
    where
        I: Send + Sync,
        T: Data,
        B: Body<I, T>,
    {
        let refused = |error| {
            self.remember(&error);
            Either::Right(Either::Right(Either::Right(Box::pin(ready(Err(error))))))
        };
        let cx = match self.enter(effect) {
            Ok(cx) => cx,
            Err(error) => return refused(error),
        };
        if self.tree().journal.is_some() || cx.must_wait() {
            let passed = self.pass_slowly(cx, input, look, body);
            let passed = passed.map(|result| result.inspect_err(|e| self.remember(e)));
            return Either::Right(Either::Left(Box::pin(passed)));
        }
        let opened = cx.count(self).and_then(|()| cx.opened(look(&input)));
        let span = match opened {
            Ok(span) => span,
            Err(error) => return refused(error),
        };
        if span.cx().decided_at_once() {
            span.cx().tally();
            return Either::Left(self.run(span, input, body));
        }
        Either::Right(Either::Right(Either::Left(Box::pin(async move {
            let cx = span.cx();
            match cx.while_deciding(cx.ask_gates(None)).await {
                Ok(()) => cx.tally(),
                Err(refused) => return self.closed(span, Err(refused)),
            }
            self.run(span, input, body).await
        }))))
    }

    /// Opens this effect, which was counted.
    fn opened(self, input: Option<&dyn Look>) -> Result<OpenSpan> {
        OpenSpan::open(self, input).map_err(|Unopened { cx, error }| {
            // What it stands below has closed meanwhile.
            cx.give_back();
            cx.tree().budget.uncount_openings(1);
            error.at(|| cx.path())
        })
    }

    /// Runs the body of an effect that was let through.
    fn run<'a, I, T, B>(
        &'a self,
        span: OpenSpan,
        input: I,
        body: B,
    ) -> impl Future<Output = Result<T>> + Send + use<'a, I, T, B>
    where
        I: Send,
        T: Data,
        B: Body<I, T>,
    {
        // What an async function is given stays in its future twice: these are there once.
        let mut given = Some((body, input));
        async move {
            let result = span.cx().run_body(&mut given).await;
            self.closed(span, result)
        }
    }

    /// Runs the body on the input, both of which are there.
    async fn run_body<I, T, B>(&self, given: &mut Option<(B, I)>) -> Result<T>
    where
        I: Send,
        B: Body<I, T>,
    {
        let make = || given.take().map(|(body, input)| body.run(self, input));
        polled(self, make).await.map_err(|e| self.left_by(e))
    }

    /// Closes an effect with what came of it.
    fn closed<T: Data>(&self, span: OpenSpan, result: Result<T>) -> Result<T> {
        let result = result.map_err(|e| span.cx().ended_by(e));
        span.close(result).inspect_err(|e| self.remember(e))
    }

    /// The whole way, for an effect that is recorded or may have to wait for room.
    async fn pass_slowly<I, T, B>(
        &self,
        cx: RunContext,
        input: I,
        look: fn(&I) -> Option<&dyn Look>,
        body: B,
    ) -> Result<T>
    where
        I: Send + Sync,
        T: Data,
        B: Body<I, T>,
    {
        let record = match &self.tree().journal {
            None => None,
            Some(journal) => Some(Record::claim(journal, &cx, look(&input))?),
        };
        if let Some(record) = &record {
            let output = record.recorded().await?;
            // The run may have ended meanwhile.
            self.alive().map_err(|e| e.at(|| self.path()))?;
            if let Some(output) = output {
                return cx.replay(output, look(&input));
            }
        }
        if cx.must_wait() {
            cx.wait_and_reserve(self).await?;
        } else {
            cx.count(self)?;
        }
        let span = cx.clone().opened(look(&input))?;
        let mut begun = Ok(());
        if !cx.decided_at_once() {
            let given = record.as_ref().and_then(Record::given);
            begun = cx.while_deciding(cx.ask_gates(given)).await;
        }
        if begun.is_ok() {
            cx.tally();
            if let Some(record) = record.as_ref().filter(|it| it.is_call()) {
                begun = record.begin().await;
            }
        }
        let mut result = match begun {
            Err(refused) => Err(refused),
            Ok(()) => cx.run_body(&mut Some((body, input))).await,
        };
        if let Some(record) = &record
            && let Err(unwritten) = record.end(&result).await
        {
            result = Err(unwritten);
        }
        span.close(result.map_err(|e| cx.ended_by(e)))
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
        let span = OpenSpan::open(self.clone(), input)
            .map_err(|Unopened { cx, error }| error.at(|| cx.path()))?;
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
}
