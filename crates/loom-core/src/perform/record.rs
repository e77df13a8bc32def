//! An effect's place in the journal: what was recorded is used again, what is new is recorded.

use std::sync::Arc;

use serde_json::Value;

use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::EffectKind;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::UserId;
use crate::journal::record::{
    AnswerRecord, FailureRecord, IntentRecord, IntentState, OutputRecord, digest, read, written,
};
use crate::journal::{Record as Stored, RunJournal, SlotKey, SlotKind, run_journal};
use crate::poll::caught_now;
use crate::safety::Safety;

/// An effect's place in the journal, held from before it opens until it is closed.
pub(super) struct Record<'a> {
    journal: &'a RunJournal,
    cx: &'a RunContext,
    parent: &'a RunContext,
    path: String,
    input: Option<String>,
    before: Option<IntentRecord>,
}

/// What an earlier attempt left of an effect that has no output.
pub(super) enum Left<'a> {
    Nothing,
    /// It waited for an answer, and still has these.
    Paused(&'a Vec<String>),
    /// Nobody knows whether it happened.
    Unfinished,
}

/// What an effect may happen with.
#[derive(Default)]
pub(super) struct Permit {
    /// The answers that let it happen: spent with its intent.
    pub(super) spends: Vec<String>,
    /// Answers that were spent on it before it paused.
    pub(super) held: Vec<String>,
    /// What goes in instead, where a person changed it.
    pub(super) arguments: Option<Arc<Value>>,
}

impl Permit {
    pub(super) fn grant(&mut self, path: Option<String>) {
        self.spends.extend(path);
    }
}

impl<'a> Record<'a> {
    /// Takes the effect's place.
    ///
    /// # Errors
    /// `Invalid` where its name couldn't be told apart from others when the run is resumed, and for
    /// an input that has no JSON form.
    pub(super) fn claim(
        journal: &'a RunJournal,
        cx: &'a RunContext,
        parent: &'a RunContext,
        input: Option<&dyn Look>,
    ) -> Result<Self> {
        let input = match (cx.effect().input(), input) {
            (Some(value), _) => Some(digest(value)),
            (None, Some(look)) => Some(digest(&look.look()?)),
            (None, None) => None,
        };
        let overlapped = journal.overlapped(|| parent.place_path());
        parent.begin_below(&format_args!("{}", cx.effect()), cx.nth(), overlapped)?;
        let mut record = Self {
            journal,
            cx,
            parent,
            path: cx.path(),
            input,
            before: None,
        };
        if let Some(intent) = journal.get(SlotKind::Intent, &record.path) {
            let intent = read(&intent).map_err(|e| cx.broken(journal, e))?;
            record.before = Some(intent);
        }
        Ok(record)
    }

    /// What an attempt recorded here: an output, or a failure that was taken as a value.
    pub(super) fn recorded(&self) -> Result<Option<Result<Value>>> {
        let recorded = run_journal::output(self.journal, &self.path);
        let Some(record) = recorded.map_err(|e| self.cx.broken(self.journal, e))? else {
            return Ok(None);
        };
        self.check_whose(record.user.as_deref(), record.input.as_deref())?;
        Ok(Some(match record.failure {
            None => Ok(record.output),
            Some(failure) => Err(failure.into_error()),
        }))
    }

    /// The digest of what goes in, whether or not it was announced.
    pub(super) fn input(&self) -> Option<&str> {
        self.input.as_deref()
    }

    fn check_whose(&self, user: Option<&str>, input: Option<&str>) -> Result<()> {
        let message = if user != self.cx.user().map(UserId::as_str) {
            "it was recorded for another user: what one is given is never shown to the other"
        } else if input != self.input.as_deref() {
            "it was recorded with another input: the definition or something it depends on changed"
        } else {
            return Ok(());
        };
        Err(Error::invalid(message).at(|| self.path.clone()))
    }

    /// What an earlier attempt left, if there is no output.
    pub(super) fn left(&self) -> Left<'_> {
        match &self.before {
            None => Left::Nothing,
            Some(intent) => match intent.state {
                IntentState::Begun => Left::Unfinished,
                IntentState::Paused => Left::Paused(&intent.approvals),
                IntentState::Failed => Left::Nothing,
            },
        }
    }

    /// Writes what has to be on record before the body runs: a model call's reservation, and the
    /// intent of what can't simply be done again, with which approvals are spent.
    pub(super) async fn begin(&self, permit: &Permit) -> Result<Option<IntentRecord>> {
        let effect = self.cx.effect();
        let needs_intent = effect.safety() == Safety::NotIdempotent || !permit.spends.is_empty();
        if !needs_intent {
            if effect.kind() == EffectKind::Model {
                let usage = self.usage()?;
                self.journal.write(self.cx, vec![usage]).await?;
            }
            return Ok(None);
        }
        let mut approvals = permit.held.clone();
        approvals.extend(
            permit
                .spends
                .iter()
                .filter(|it| !permit.held.contains(it))
                .cloned(),
        );
        let intent = IntentRecord {
            user: self.cx.user().map(ToString::to_string),
            input: self.input.clone(),
            state: IntentState::Begun,
            approvals,
            arguments: permit.arguments.as_deref().cloned(),
            overlapped: self.parent.is_overlapped(),
        };
        let mut records = vec![self.stored(SlotKind::Intent, &self.path, &intent)?];
        for path in &permit.spends {
            if let Some(answer) = self.journal.get(SlotKind::Answer, path) {
                let answer: AnswerRecord =
                    read(&answer).map_err(|e| self.cx.broken(self.journal, e))?;
                let spent = AnswerRecord {
                    spent: true,
                    ..answer
                };
                records.push(self.stored(SlotKind::Answer, path, &spent)?);
            }
        }
        records.push(self.usage()?);
        self.journal.reenter_intent(&self.path);
        self.journal.write(self.cx, records).await?;
        Ok(Some(intent))
    }

    /// Says that the effect waits for an answer: it keeps its intent, and is entered again.
    pub(super) fn pause(&self, intent: Option<IntentRecord>) {
        if let Some(intent) = intent {
            self.journal.pause_intent(self.path.clone(), intent);
        }
    }

    /// Records how the effect ended, which settles its intent.
    pub(super) async fn end<T: Data>(
        &self,
        result: Result<T>,
        intent: Option<IntentRecord>,
    ) -> Result<T> {
        let error = match result {
            Ok(output) => {
                let value = match value_of(&output) {
                    Ok(value) => value,
                    Err(unwritable) => {
                        self.settle(intent, None).await?;
                        return Err(unwritable);
                    }
                };
                self.keep(value, None).await?;
                return Ok(output);
            }
            Err(error) if error.kind() == ErrorKind::Stopped => return Err(error),
            Err(error) => error.at(|| self.path.clone()),
        };
        let failure = self
            .cx
            .effect()
            .keeps_failure()
            .then(|| FailureRecord::of(&error));
        self.settle(intent, failure).await?;
        Err(error)
    }

    /// Records an output that somebody else knows of.
    pub(super) async fn keep_known(&self, output: Value) -> Result<()> {
        self.keep(output, None).await
    }

    async fn settle(
        &self,
        intent: Option<IntentRecord>,
        failure: Option<FailureRecord>,
    ) -> Result<()> {
        let Some(mut intent) = intent else {
            return match failure {
                Some(failure) => self.keep(Value::Null, Some(failure)).await,
                None => Ok(()),
            };
        };
        intent.state = IntentState::Failed;
        let mut records = vec![
            self.stored(SlotKind::Intent, &self.path, &intent)?,
            self.usage()?,
        ];
        if let Some(failure) = failure {
            records.push(self.output(Value::Null, Some(failure))?);
        }
        self.journal.write(self.cx, records).await
    }

    async fn keep(&self, output: Value, failure: Option<FailureRecord>) -> Result<()> {
        let mut records = vec![self.output(output, failure)?];
        if matches!(
            self.cx.effect().kind(),
            EffectKind::Model | EffectKind::Tool
        ) {
            records.push(self.usage()?);
        }
        self.journal.write(self.cx, records).await
    }

    fn output(&self, output: Value, failure: Option<FailureRecord>) -> Result<Stored> {
        let record = OutputRecord {
            user: self.cx.user().map(ToString::to_string),
            input: self.input.clone(),
            output,
            failure,
            overlapped: self.parent.is_overlapped(),
        };
        self.stored(SlotKind::Output, &self.path, &record)
    }

    fn usage(&self) -> Result<Stored> {
        let usage = self.journal.usage(self.cx.tree());
        usage.map_err(|e| self.cx.broken(self.journal, e))
    }

    fn stored(&self, kind: SlotKind, path: &str, record: &impl serde::Serialize) -> Result<Stored> {
        let value = written(record).map_err(|e| self.cx.broken(self.journal, e))?;
        Ok(Stored {
            key: SlotKey::new(kind, path),
            value: Arc::new(value),
        })
    }
}

/// An output as JSON. Its `Serialize` is the program's code, and may panic.
fn value_of(output: &impl Data) -> Result<Value> {
    caught_now(|| output.to_value())
        .unwrap_or_else(|panic| Err(Error::new(ErrorKind::Panicked, panic)))
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.parent.end_below();
    }
}
