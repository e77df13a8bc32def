//! What a step does with its context by hand: run steps, ask, act as somebody else.

use serde_json::Value;
use sha2::Digest;

use crate::attributes::Attributes;
use crate::context::RunContext;
use crate::data::Data;
use crate::effect::{Effect, EffectKind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Note};
use crate::ids::UserId;
use crate::into_step::IntoStep;
use crate::journal::{Answer, RunJournal};
use crate::name::Name;
use crate::question::Question;

impl RunContext {
    /// Runs anything that is a step as a named step of this effect: ordinary control flow with
    /// the same spans, records and limits as a workflow's.
    ///
    /// With a journal, two steps of one name may not run at the same time below one effect: name
    /// them apart, or they couldn't be told apart when the run is resumed.
    ///
    /// # Errors
    /// The step's own; `Invalid` for a name that is no name; what the door refuses.
    pub async fn step<I: Data, M, S>(
        &self,
        name: impl Into<Name>,
        step: &S,
        input: impl Into<I>,
    ) -> Result<S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let effect = Effect::new(EffectKind::Step, name).with_safety(step.step_safety());
        self.run_as_step(effect, step, input.into()).await
    }

    /// Runs a step for another user: it and all below it work in that user's partition, and every
    /// record of it says for whom and by whom.
    ///
    /// # Errors
    /// As [`RunContext::step`].
    ///
    /// ```
    /// use loom_core::{Loom, Result, RunContext, UserId};
    ///
    /// async fn whoami(cx: RunContext, _: ()) -> Result<String> {
    ///     Ok(cx.user().map(|it| it.to_string()).unwrap_or_default())
    /// }
    ///
    /// async fn support(cx: RunContext, customer: String) -> Result<String> {
    ///     cx.acting_as(UserId::new(customer)?, "look", &whoami, ()).await
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let outcome = Loom::builder().build().session("support").run(&support, "alice").await?;
    /// assert_eq!(outcome.output, "alice");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn acting_as<I: Data, M, S>(
        &self,
        user: UserId,
        name: impl Into<Name>,
        step: &S,
        input: impl Into<I>,
    ) -> Result<S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let effect = Effect::new(EffectKind::Step, name)
            .acting_as_user(user)
            .with_safety(step.step_safety());
        self.run_as_step(effect, step, input.into()).await
    }

    async fn run_as_step<I: Data, M, S>(&self, effect: Effect, step: &S, input: I) -> Result<S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        // Boxed: it stands in the future of a function, which may hold many.
        Box::pin(self.perform_step(effect, step, input)).await
    }

    /// Asks people, and gives their answer once there is one. Until then the run pauses: this
    /// gives a `Paused` error, which closes everything that is open as paused, and the run goes on
    /// when it is resumed ([`Session::answer`](crate::Session::answer),
    /// [`Session::resume`](crate::Session::resume)).
    ///
    /// # Errors
    /// `Paused` without an answer; `Invalid` without a journal, for a name that is no name, or for
    /// an answer of another type: then it is asked again, at a path that ends in `#round:2`.
    ///
    /// ```
    /// use loom_core::{ErrorKind, Loom, MemoryJournal, Result, RunContext};
    ///
    /// async fn refund(cx: RunContext, cents: u64) -> Result<String> {
    ///     let sure: bool = cx.ask("sure", format!("Refund {cents} cents?")).await?;
    ///     Ok(if sure { "refunded" } else { "kept" }.to_owned())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let session = Loom::builder().journal(MemoryJournal::default()).build().session("alice");
    /// let paused = session.run(&refund, 500u64).await.unwrap_err();
    /// assert_eq!(paused.kind(), ErrorKind::Paused);
    ///
    /// let run_id = paused.run().unwrap().run_id.clone();
    /// session.answer(&run_id, &paused.questions()[0].path, true).await?;
    /// assert_eq!(session.resume::<u64, _, _>(&run_id, &refund).await?.output, "refunded");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn ask<T: Data>(
        &self,
        name: impl Into<Name>,
        question: impl Into<String>,
    ) -> Result<T> {
        let answer = self.answer_to(name.into(), question.into()).await;
        answer.inspect_err(|e| self.remember(e))
    }

    async fn answer_to<T: Data>(&self, name: Name, question: String) -> Result<T> {
        name.check()
            .and_then(|()| self.alive())
            .map_err(|e| e.at(|| self.path()))?;
        let Some(journal) = &self.tree().journal else {
            let message = format!(
                "nobody can answer {name:?}: `ask` needs a journal, so that the run can wait"
            );
            return Err(Error::invalid(message).at(|| self.path()));
        };
        let first = Question::new(self.path_below(&name), name.as_str(), question);
        let mut question = first.clone();
        let mut asked = question.to_value()?;
        asked["user"] = self.user().map(ToString::to_string).into();
        let answer = match journal.answer_to(&mut question, &mut asked).await? {
            Answer::Given(answer) => answer,
            Answer::None => {
                journal.ask(&question, asked).await?;
                self.emit(EventKind::Asked {
                    question: &question,
                });
                return Err(Error::paused(vec![question]).at(|| self.path()));
            }
            Answer::ToAnother(other) => {
                let message = match other["user"] == asked["user"] {
                    true => {
                        format!("the answer to {name:?} was given to another question: {other}")
                    }
                    // In no word of what was asked: it is the other's.
                    false => format!("the answer to {name:?} was given for another user"),
                };
                return Err(Error::invalid(message).at(|| self.path()));
            }
        };
        let refused = (answer == false).then_some("the answer was no");
        match T::from_value(answer) {
            Ok(answer) => {
                self.emit(EventKind::Answered {
                    question: &question,
                    refused,
                });
                Ok(answer)
            }
            Err(misfit) => {
                journal.spend(&question.path).await?;
                self.ask_again(journal, first, asked).await?;
                let message =
                    format!("the answer to {name:?} is of another type: it is asked again");
                Err(Error::with_source(ErrorKind::Invalid, message, misfit).at(|| self.path()))
            }
        }
    }

    /// Asks in a further round what was answered in a way that is no answer.
    async fn ask_again(
        &self,
        journal: &RunJournal,
        mut question: Question,
        mut asked: Value,
    ) -> Result<()> {
        asked["path"] = question.path.clone().into();
        if let Answer::None = journal.answer_to(&mut question, &mut asked).await? {
            journal.ask_again(&question, asked).await?;
            self.emit(EventKind::Asked {
                question: &question,
            });
        }
        Ok(())
    }

    /// A key for services that accept one, so that the same effect isn't had twice: 32 hex digits
    /// that stay the same when this effect is retried or its run resumed, and differ from those of
    /// any other.
    ///
    /// ```
    /// use loom_core::RunContext;
    ///
    /// let cx = RunContext::test("alice");
    /// assert_eq!(cx.idempotency_key(), cx.idempotency_key());
    /// ```
    pub fn idempotency_key(&self) -> String {
        let mut hash = sha2::Sha256::new();
        hash.update(self.root_run_id().as_str());
        hash.update([0]);
        hash.update(self.path());
        crate::hex::hex(&hash.finalize()[..16])
    }

    /// Says in the record that a limit of this effect's run was reached, and gives the error to
    /// end it with.
    pub fn limit_reached(&self, limit: &'static str, value: u64) -> Error {
        if self.is_open() {
            self.tell_note(&Note::LimitReached { limit, value }, &Attributes::new());
        }
        Error::new(ErrorKind::Interrupted, format!("{limit} {value} reached"))
    }
}
