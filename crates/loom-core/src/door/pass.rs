//! The way through the door: at once where nothing has to be waited for, else step by step.

use serde_json::Value;

use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::door::body::{Body, Given};
use crate::door::recall::Record;
use crate::effect::{Effect, EffectKind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::poll::polled;
use crate::span::{OpenSpan, Unopened};

/// How an effect that may happen goes on.
enum Way {
    /// It is let through.
    Through(OpenSpan),
    /// It is open; somebody is asked whether it may happen.
    Asking(OpenSpan),
    /// It isn't open: it is recorded, or may have to wait for room.
    Waiting(RunContext),
}

impl RunContext {
    /// Lets an effect through, when the future is polled first.
    ///
    /// Every effect is part of its parent's future, so this holds little: what few effects need is
    /// boxed.
    #[expect(
        clippy::manual_async_fn,
        reason = "what an async function is given stands in its future twice"
    )]
    pub(super) fn pass<I, T, B>(
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
                Ok(Way::Asking(span)) => Box::pin(self.await_verdict(span)).await?,
                Ok(Way::Waiting(cx)) => {
                    let passed = Box::pin(self.pass_slowly(cx, given)).await;
                    return passed.inspect_err(|e| self.remember(e));
                }
                Err(refused) => {
                    self.remember(&refused);
                    return Err(refused);
                }
            };
            let result = polled(span.cx(), || given.run(span.cx())).await;
            self.ended(span, result)
        }
    }

    /// The first questions, which are asked without waiting.
    fn begin(&self, effect: Effect, input: Option<&dyn Look>) -> Result<Way> {
        let cx = self.enter(effect)?;
        if self.tree().journal.is_some() || cx.must_wait() {
            return Ok(Way::Waiting(cx));
        }
        cx.count(self)?;
        let span = cx.opened(input)?;
        if !span.cx().decided_at_once() {
            return Ok(Way::Asking(span));
        }
        span.cx().tally();
        Ok(Way::Through(span))
    }

    /// Opens this effect, which was counted.
    #[inline]
    fn opened(self, input: Option<&dyn Look>) -> Result<OpenSpan> {
        OpenSpan::open(self, input).map_err(|Unopened { cx, error }| {
            // What it stands below has closed meanwhile.
            cx.give_back();
            cx.tree().budget.uncount_openings(1);
            error.at(|| cx.path())
        })
    }

    /// Asks whether the effect may happen; it closes if it may not.
    async fn await_verdict(&self, span: OpenSpan) -> Result<OpenSpan> {
        let cx = span.cx();
        match cx.while_deciding(cx.ask_gates(None)).await {
            Ok(()) => {
                cx.tally();
                Ok(span)
            }
            Err(refused) => Err(self.failed(span, refused)),
        }
    }

    /// Closes an effect with what its body gave.
    fn ended<T: Data>(&self, span: OpenSpan, result: Result<T>) -> Result<T> {
        match result {
            Ok(output) => match span.complete(&output) {
                None => Ok(output),
                Some(ended) => {
                    self.remember(&ended);
                    Err(ended)
                }
            },
            Err(error) => {
                let error = span.cx().left_by(error);
                Err(self.failed(span, error))
            }
        }
    }

    /// Closes an effect with an error.
    fn failed(&self, span: OpenSpan, error: Error) -> Error {
        let error = span.cx().ended_by(error);
        let error = span.fail(error);
        self.remember(&error);
        error
    }

    /// The whole way, for an effect that is recorded or may have to wait for room.
    async fn pass_slowly<I, T, B>(&self, cx: RunContext, mut given: Given<I, B>) -> Result<T>
    where
        I: Send + Sync,
        T: Data,
        B: Body<I, T>,
    {
        let record = match &self.tree().journal {
            None => None,
            Some(journal) => Some(Record::claim(journal, &cx, given.input())?),
        };
        if let Some(record) = &record {
            let output = record.recorded().await?;
            // The run may have ended meanwhile.
            self.alive().map_err(|e| e.at(|| self.path()))?;
            if let Some(output) = output {
                return cx.replay(output, given.input());
            }
        }
        if cx.must_wait() {
            cx.wait_and_reserve(self).await?;
        } else {
            cx.count(self)?;
        }
        let span = cx.clone().opened(given.input())?;
        let mut begun = Ok(());
        if !cx.decided_at_once() {
            let digest = record.as_ref().and_then(Record::given);
            begun = cx.while_deciding(cx.ask_gates(digest)).await;
        }
        if begun.is_ok() {
            cx.tally();
            if let Some(record) = record.as_ref().filter(|it| it.is_call()) {
                begun = record.begin().await;
            }
        }
        let mut result = match begun {
            Err(refused) => Err(refused),
            Ok(()) => {
                let ended = polled(&cx, || given.run(&cx)).await;
                ended.map_err(|e| cx.left_by(e))
            }
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
    #[inline]
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
