//! Steps 2 and 7 at the door: what was recorded is used again, what is new is recorded.

use serde_json::Value;

use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::EffectKind;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::UserId;
use crate::journal::{FailureRecord, OutputRecord, RunJournal, Slot};

/// An effect's place in the journal, held from before it opens until it is closed.
pub(super) struct Record<'a> {
    journal: &'a RunJournal,
    cx: &'a RunContext,
    path: String,
    input: Option<String>,
}

impl<'a> Record<'a> {
    /// Takes the effect's place.
    ///
    /// Fails when a step of the same name is open below the same parent: which of the two a
    /// record belonged to would depend on which came first.
    pub(super) fn claim(
        journal: &'a RunJournal,
        cx: &'a RunContext,
        input: Option<&dyn Look>,
    ) -> Result<Self> {
        let given = match (cx.effect().input(), input) {
            (Some(value), _) => Some(OutputRecord::digest(value)),
            (None, Some(look)) => Some(OutputRecord::digest(&look.look()?)),
            (None, None) => None,
        };
        if is_named(cx) && !cx.claim_name() {
            let message = format!(
                "two effects named {:?} run at the same time: name them apart, so that each finds its record",
                cx.effect().name()
            );
            return Err(Error::invalid(message).at(|| cx.path()));
        }
        Ok(Self {
            journal,
            cx,
            path: cx.path(),
            input: given,
        })
    }

    /// The digest of what goes in.
    pub(super) fn given(&self) -> Option<&str> {
        self.input.as_deref()
    }

    /// What an earlier attempt recorded here: an output, or a failure that was taken as a value.
    pub(super) async fn recorded(&self) -> Result<Option<Result<Value>>> {
        let Some(value) = self.journal.get(Slot::Output(&self.path)).await? else {
            return Ok(None);
        };
        let record = OutputRecord::from_value(value)?;
        if record.user.as_deref() != self.cx.user().map(UserId::as_str) {
            let message =
                "it was recorded for another user: what one is given is never shown to the other";
            return Err(Error::invalid(message).at(|| self.path.clone()));
        }
        if record.input != self.input {
            let message = "it was recorded with another input: the definition or something it depends on changed";
            return Err(Error::invalid(message).at(|| self.path.clone()));
        }
        Ok(Some(match record.failure {
            None => Ok(record.output),
            Some(failure) => Err(failure.into_error()),
        }))
    }

    /// Counts a call for good before it is made: however it ends, it may have been billed.
    pub(super) async fn begin(&self) -> Result<()> {
        self.journal.save(self.cx.tree()).await
    }

    /// Whether it is a call of a model or a tool.
    pub(super) fn is_call(&self) -> bool {
        matches!(
            self.cx.effect().kind(),
            EffectKind::Model | EffectKind::Tool
        )
    }

    /// Records how the effect ended. Where this is never done or fails, the call was given up, and
    /// what approved it is spent when the run is saved.
    pub(super) async fn end(&self, result: &Result<impl Data>) -> Result<()> {
        self.record_end(result).await?;
        self.journal.is_settled(&self.asked());
        Ok(())
    }

    async fn record_end(&self, result: &Result<impl Data>) -> Result<()> {
        match result {
            Ok(output) => {
                let kept = match output.to_value() {
                    Ok(output) => self.keep(output, None).await,
                    Err(unwritable) => Err(unwritable),
                };
                match kept {
                    Ok(()) => Ok(()),
                    Err(unkept) => self.spend_approvals().await.and(Err(unkept)),
                }
            }
            // It goes on later, under the approval it has.
            Err(error) if error.kind() == ErrorKind::Paused => Ok(()),
            Err(error) => {
                self.spend_approvals().await?;
                if self.cx.effect().keeps_failure() && !error.ends_tree() {
                    let failure = FailureRecord::of(error);
                    self.keep(Value::Null, Some(failure)).await?;
                }
                Ok(())
            }
        }
    }

    /// What was approved has been tried, and failed: whoever tries it again is asked about anew.
    async fn spend_approvals(&self) -> Result<()> {
        self.journal.spend_all(&self.asked()).await
    }

    /// How the paths begin at which gates ask about this effect.
    fn asked(&self) -> String {
        format!("{}#ask:", self.path)
    }

    /// Records what the effect gave.
    async fn keep(&self, output: Value, failure: Option<FailureRecord>) -> Result<()> {
        let record = OutputRecord {
            user: self.cx.user().map(ToString::to_string),
            input: self.input.clone(),
            output,
            failure,
        };
        if self.is_call() {
            // First, so that a crash forgets nothing that a provider has billed.
            self.journal.save(self.cx.tree()).await?;
        }
        self.journal
            .put(Slot::Output(&self.path), record.to_value()?)
            .await?;
        Ok(())
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if is_named(self.cx) {
            self.cx.release_name();
        }
    }
}

/// Whether only its name tells it from others that run at the same time: turns are numbered, tool
/// calls have an id.
fn is_named(cx: &RunContext) -> bool {
    match cx.effect().kind() {
        EffectKind::Step | EffectKind::Agent | EffectKind::Workflow => true,
        EffectKind::Turn | EffectKind::Model | EffectKind::Tool => false,
    }
}
