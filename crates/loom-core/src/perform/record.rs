//! An effect's place in the journal: what was recorded is used again, what is new is recorded.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::EffectKind;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::UserId;
use crate::journal::record::{
    AnswerRecord, FailureRecord, IntentRecord, IntentState, OutputRecord, digest, record,
    record_of, written,
};
use crate::journal::{Record as Stored, RunJournal, SlotKind};
use crate::poll::caught_now;
use crate::safety::Safety;

/// An effect's place in the journal, held from before it opens until it is closed.
pub(super) struct Record {
    journal: Arc<RunJournal>,
    cx: RunContext,
    path: String,
    input: Option<String>,
    /// The intent of an earlier attempt, then of this one.
    intent: Option<IntentRecord>,
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

impl Record {
    /// Takes the effect's place.
    ///
    /// # Errors
    /// `Invalid` where its name couldn't be told apart from others when the run is resumed, and for
    /// an input that has no JSON form.
    pub(super) fn claim(
        journal: &Arc<RunJournal>,
        cx: &RunContext,
        input: Option<&dyn Look>,
    ) -> Result<Self> {
        let input = match (cx.effect().input(), input) {
            (Some(value), _) => Some(digest(value)),
            (None, Some(look)) => Some(digest(&look.look()?)),
            (None, None) => None,
        };
        if let Some(parent) = cx.around() {
            let overlapped = journal.overlapped(|| parent.place_path());
            parent.begin_below(cx.effect(), cx.nth(), overlapped)?;
        }
        let mut record = Self {
            journal: journal.clone(),
            cx: cx.clone(),
            path: cx.path(),
            input,
            intent: None,
        };
        let intent: Option<IntentRecord> = record.read(SlotKind::Intent, &record.path)?;
        record.intent = intent.filter(|it| it.state != IntentState::Failed);
        Ok(record)
    }

    /// What an attempt recorded here: an output, or a failure that was taken as a value.
    pub(super) fn recorded(&self) -> Result<Option<Result<Value>>> {
        let Some(record) = self.read::<OutputRecord>(SlotKind::Output, &self.path)? else {
            return Ok(None);
        };
        let message = if record.user.as_deref() != self.cx.user().map(UserId::as_str) {
            "it was recorded for another user: what one is given is never shown to the other"
        } else if record.input != self.input {
            "it was recorded with another input: the definition or something it depends on changed"
        } else {
            let failure = record.failure.map(FailureRecord::into_error);
            return Ok(Some(failure.map_or(Ok(record.output), Err)));
        };
        Err(Error::invalid(message).at(|| self.path.clone()))
    }

    /// The digest of what goes in, whether or not it was announced.
    pub(super) fn input(&self) -> Option<&str> {
        self.input.as_deref()
    }

    /// What an earlier attempt left, if there is no output.
    pub(super) fn left(&self) -> Left<'_> {
        match &self.intent {
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
    pub(super) async fn begin(&mut self, permit: &Permit) -> Result<()> {
        let effect = self.cx.effect();
        if effect.safety() != Safety::NotIdempotent && permit.spends.is_empty() {
            if effect.kind() == EffectKind::Model {
                self.write(Vec::new()).await?;
            }
            return Ok(());
        }
        let mut approvals = permit.held.clone();
        let spends = permit.spends.iter();
        approvals.extend(spends.filter(|it| !permit.held.contains(it)).cloned());
        let intent = IntentRecord {
            user: self.cx.user().map(ToString::to_string),
            input: self.input.clone(),
            state: IntentState::Begun,
            approvals,
            arguments: permit.arguments.as_deref().cloned(),
            overlapped: self.is_overlapped(),
        };
        let mut records = vec![self.stored(SlotKind::Intent, &self.path, &intent)?];
        for path in &permit.spends {
            if let Some(mut answer) = self.read::<AnswerRecord>(SlotKind::Answer, path)? {
                answer.spent = true;
                records.push(self.stored(SlotKind::Answer, path, &answer)?);
            }
        }
        self.intent = Some(intent);
        self.write(records).await
    }

    /// Says that the effect waits for an answer: it keeps its intent, and is entered again.
    pub(super) fn pause(&mut self) {
        if let Some(mut intent) = self.intent.take() {
            intent.state = IntentState::Paused;
            // What can't be written has ended the run.
            if let Ok(paused) = self.stored(SlotKind::Intent, &self.path, &intent) {
                self.journal.write_later(vec![paused]);
            }
        }
    }

    /// The result of the effect, and the records to write of it, which settle its intent: an output
    /// that can't be written is a failure.
    ///
    /// # Errors
    /// `Stopped` where no record can be made: the run ends.
    pub(super) fn ended<T: Data>(&mut self, result: Result<T>) -> Result<(Result<T>, Vec<Stored>)> {
        let written = match result {
            // Its `Serialize` is the program's code, and may panic.
            Ok(output) => caught_now(|| output.to_value())
                .unwrap_or_else(|panic| Err(Error::new(ErrorKind::Panicked, panic)))
                .map(|value| (output, value)),
            Err(error) => Err(error),
        };
        match written {
            Ok((output, value)) => Ok((Ok(output), vec![self.output(value, None)?])),
            Err(stopped) if stopped.kind() == ErrorKind::Stopped => Ok((Err(stopped), Vec::new())),
            Err(error) => {
                let error = error.at(|| self.path.clone());
                let records = self.failed(&error)?;
                Ok((Err(error), records))
            }
        }
    }

    fn failed(&mut self, error: &Error) -> Result<Vec<Stored>> {
        let mut records = Vec::new();
        if let Some(mut intent) = self.intent.take() {
            intent.state = IntentState::Failed;
            records.push(self.stored(SlotKind::Intent, &self.path, &intent)?);
        }
        if self.cx.effect().keeps_failure() {
            records.push(self.output(Value::Null, Some(FailureRecord::of(error)))?);
        }
        Ok(records)
    }

    /// Records an output.
    pub(super) async fn keep(&self, output: Value) -> Result<()> {
        self.write(vec![self.output(output, None)?]).await
    }

    /// Whether nothing has to be decided or written before the body of an effect that every gate
    /// allows.
    pub(super) fn is_plain(&self) -> bool {
        let effect = self.cx.effect();
        self.intent.is_none()
            && effect.safety() != Safety::NotIdempotent
            && effect.kind() != EffectKind::Model
    }

    fn output(&self, output: Value, failure: Option<FailureRecord>) -> Result<Stored> {
        let content = OutputRecord {
            user: self.cx.user().map(ToString::to_string),
            input: self.input.clone(),
            output: Value::Null,
            failure,
            overlapped: self.is_overlapped(),
        };
        let mut value = written(&content).map_err(|e| self.cx.broken(e))?;
        // Moved in, since it may be large.
        value["output"] = output;
        Ok(record_of(SlotKind::Output, &self.path, value))
    }

    fn is_overlapped(&self) -> bool {
        self.cx.around().is_some_and(RunContext::is_overlapped)
    }

    fn read<T: DeserializeOwned>(&self, kind: SlotKind, path: &str) -> Result<Option<T>> {
        let read = self.journal.read(kind, path);
        read.map_err(|e| self.cx.broken(e))
    }

    fn stored(&self, kind: SlotKind, path: &str, content: &impl Serialize) -> Result<Stored> {
        record(kind, path, content).map_err(|e| self.cx.broken(e))
    }

    /// Writes records, and with those of a call and of an intent what the run has used.
    pub(super) async fn write(&self, mut records: Vec<Stored>) -> Result<()> {
        let is_call = matches!(
            self.cx.effect().kind(),
            EffectKind::Model | EffectKind::Tool
        );
        let has_intent = records.iter().any(|it| it.key.kind == SlotKind::Intent);
        if is_call || has_intent {
            let usage = self.journal.usage(self.cx.tree());
            records.push(usage.map_err(|e| self.cx.broken(e))?);
        }
        self.journal.write(&self.cx, records).await
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(parent) = self.cx.around() {
            parent.end_below();
        }
    }
}
