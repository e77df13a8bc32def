//! What a step does with its context by hand: run steps, act as somebody else.

use sha2::Digest;

use crate::attributes::Attributes;
use crate::context::RunContext;
use crate::data::Data;
use crate::effect::{Effect, EffectKind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Note;
use crate::ids::UserId;
use crate::into_step::IntoStep;
use crate::name::Name;

impl RunContext {
    /// Runs anything that is a step as a named step of this effect: ordinary control flow with
    /// the same spans, records and limits as a workflow's.
    ///
    /// With a journal, a name comes again only where no two steps of this context ever ran
    /// concurrently: give concurrent steps names of their own, or run them as branches
    /// ([`RunContext::join`]). Otherwise nobody could tell their records apart.
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
        Error::new(ErrorKind::LimitReached, format!("{limit} {value} reached"))
    }
}
