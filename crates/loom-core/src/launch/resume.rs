//! Runs that continue: from their records to the next attempt.

use std::sync::Arc;

use serde_json::Value;

use crate::context::RunContext;
use crate::definition::Definition;
use crate::drive::{Driven, drive};
use crate::error::{Error, ErrorKind, Result};
use crate::info::Info;
use crate::journal::record::{RunRecord, USAGE, UsageRecord, record};
use crate::journal::{RunJournal, SlotKind};
use crate::launch::{Launch, broken};
use crate::ledger::Spent;
use crate::limits::Limits;
use crate::poll::caught;
use crate::question::Question;
use crate::run_error::{RunError, RunErrorKind};
use crate::trace::{SpanId, TraceId};
use crate::tree::Carried;

impl Launch {
    /// The context and the input of a run that the journal knows.
    pub(super) async fn take_up(&self, info: Info) -> Result<(RunContext, Value), RunError> {
        let store = self.session.journal()?;
        let deadline = self.origin(None)?.deadline;
        let body = Box::pin(caught(self.claim(store, info.name.as_str())));
        let journal = Arc::new(self.stopped_or(deadline, body).await?);
        let Some(before) = journal.get(SlotKind::Run, "") else {
            let message = format!("there is no run {} in this session", self.run_id());
            return Err(Error::invalid(message).into());
        };
        let before = RunRecord::read(&before).map_err(broken)?;
        self.resumed(journal, before, &info)
    }

    /// The next attempt of a run whose questions were answered while it paused.
    pub(super) async fn next_attempt(
        &self,
        cx: &RunContext,
        asked: &[Question],
    ) -> Result<(RunContext, Value), RunError> {
        let Some(journal) = cx.tree().journal.clone() else {
            return Err(Error::invalid("a run without a journal isn't resumed").into());
        };
        let asked: Vec<String> = asked.iter().map(|it| it.path.clone()).collect();
        journal.next_attempt(&asked).await.map_err(broken)?;
        let record = journal.get(SlotKind::Run, "");
        let record = RunRecord::read(record.as_deref().unwrap_or(&Value::Null)).map_err(broken)?;
        let spent = cx.tree().ledger.spent();
        self.continued(journal, record, spent)
    }

    /// The context and the input of a run that was claimed, if this definition may continue it.
    pub(super) fn resumed(
        &self,
        journal: Arc<RunJournal>,
        record: RunRecord,
        info: &Info,
    ) -> Result<(RunContext, Value), RunError> {
        let of = journal.of();
        if of != info.name.as_str() {
            let message = format!(
                "the run {} is one of {of:?}, not of {:?}",
                self.run_id(),
                info.name
            );
            return Err(Error::invalid(message).into());
        }
        self.agree(&journal, info)?;
        let spent = spent_before(&journal)?;
        self.continued(journal, record, spent)
    }

    fn continued(
        &self,
        journal: Arc<RunJournal>,
        record: RunRecord,
        spent: Spent,
    ) -> Result<(RunContext, Value), RunError> {
        let mut origin = self.origin(None)?;
        origin.carried = Carried {
            trace: Some(trace_of(&record).map_err(broken)?),
            root_span: span_of(&record),
            spent,
            attempt: Some(journal.attempt()),
        };
        origin.limits = record.limits.lowered_to(origin.limits);
        origin.journal = Some(journal);
        Ok((self.root(origin), record.input))
    }

    /// Refuses to continue a run by another definition than it was begun with, unless the caller
    /// said that they are compatible; then it is a run of this one from now on.
    fn agree(&self, journal: &RunJournal, info: &Info) -> Result<(), RunError> {
        let now = Definition::of(info);
        let before = journal.read(SlotKind::Definition, "").map_err(broken)?;
        if let Some(before) = before {
            let Some(difference) = now.difference_from(&before) else {
                return Ok(());
            };
            if !self.session.accepts_changes {
                let message = format!(
                    "the definition of {:?} changed since the run {} began: {difference}; if what is recorded still fits, resume it in a session that is `.accepting_changes()`",
                    info.name,
                    self.run_id()
                );
                return Err(Error::invalid(message).into());
            }
        }
        journal.write_later(vec![record(SlotKind::Definition, "", &now)?]);
        Ok(())
    }

    /// Opens a run that nobody drives, and closes it as cancelled.
    pub(crate) async fn cancel_paused(self, limits: Limits) -> Result<(), RunError> {
        let _admitted = self.admit()?;
        let store = self.session.journal()?;
        let body = Box::pin(caught(self.claim(store, "")));
        let journal = Arc::new(self.stopped_or(None, body).await?);
        let Some(record) = journal.get(SlotKind::Run, "") else {
            let message = format!("there is no run {} in this session", self.run_id());
            return Err(Error::invalid(message).into());
        };
        if journal.was_finished() {
            let message = format!(
                "the run {} is over: nothing is left to cancel",
                self.run_id()
            );
            return Err(Error::invalid(message).into());
        }
        let record = RunRecord::read(&record).map_err(broken)?;
        let (of, is_agent) = (journal.of(), record.is_agent);
        let spent = spent_before(&journal)?;
        let record = RunRecord {
            limits: record.limits.lowered_to(limits),
            ..record
        };
        let (cx, _) = self.continued(journal, record, spent)?;
        let ended = drive(&cx, async { cx.open_and_cancel(&of, is_agent) }, 0).await;
        match ended {
            Driven::Ended(Err(ended)) if matches!(ended.kind(), RunErrorKind::Cancelled(_)) => {
                unsaved(&ended).map_or(Ok(()), |why| Err(broken(why)))
            }
            Driven::Ended(Err(ended)) => Err(ended),
            Driven::Ended(Ok(_)) | Driven::Answered(_) => Ok(()),
        }
    }
}

/// Why the journal didn't record how a run ended, if it didn't.
fn unsaved(ended: &RunError) -> Option<Error> {
    let settled = &ended.report()?.settled;
    let journal = settled.iter().find(|it| it.name == "journal")?;
    let why = journal.result.as_ref().err()?.message();
    let message = format!("the cancellation couldn't be recorded: {why}");
    Some(Error::new(ErrorKind::Failed, message))
}

/// What the earlier attempts of a run used.
fn spent_before(journal: &RunJournal) -> Result<Spent, RunError> {
    let usage: Option<UsageRecord> = journal.read(SlotKind::Run, USAGE).map_err(broken)?;
    Ok(usage.map(|it| it.spent).unwrap_or_default())
}

fn trace_of(record: &RunRecord) -> Result<TraceId> {
    let trace = u128::from_str_radix(&record.trace, 16)
        .ok()
        .and_then(TraceId::new);
    trace.ok_or_else(|| {
        Error::new(
            ErrorKind::Failed,
            "the journal's record of the run has no trace id",
        )
    })
}

fn span_of(record: &RunRecord) -> Option<SpanId> {
    SpanId::new(u64::from_str_radix(&record.root_span, 16).ok()?)
}
