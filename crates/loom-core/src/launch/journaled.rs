//! Runs that a journal knows: how they are claimed, begun, continued and cancelled.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::context::RunContext;
use crate::data::Data;
use crate::definition::Definition;
use crate::drive::{Driven, drive};
use crate::error::{Error, ErrorKind, Result};
use crate::info::{Info, Kind};
use crate::journal::record::{RunRecord, USAGE, UsageRecord, VERSION, digest, record, record_of};
use crate::journal::{DynJournal, Lost, RunJournal, SlotKind};
use crate::launch::{Launch, broken};
use crate::ledger::Spent;
use crate::poll::{caught, within};
use crate::run_error::{RunError, RunErrorKind};
use crate::trace::{SpanId, TraceId};
use crate::tree::{Carried, Origin};

/// How often a start waits for a run of its id that another worker holds, before it looks again.
const ATTACH_WAIT: Duration = Duration::from_millis(100);

impl Launch {
    /// The context and the input of a run that the journal will know, or knows already: that one is
    /// continued on the input it was begun with.
    pub(super) async fn begin<I: Data>(
        &self,
        info: Info,
        input: Option<I>,
    ) -> Result<(RunContext, I), RunError> {
        let input = match input {
            Some(input) => Some((input.to_value()?, input)),
            None => None,
        };
        let (origin, journal) = self.claimed(info.name.as_str()).await?;
        match (recorded(&journal)?, input) {
            (None, None) => Err(self.unknown()),
            (None, Some((value, input))) => {
                Ok((self.begin_new(origin, journal, &info, value).await?, input))
            }
            (Some(record), input) => {
                if input.is_some_and(|(value, _)| digest(&value) != digest(&record.input)) {
                    let message = format!("the run {} was begun with another input", self.run_id());
                    return Err(Error::invalid(message).into());
                }
                self.agree(&journal, &info)?;
                let spent = spent_before(&journal)?;
                self.continued(origin, &journal, record, spent)
            }
        }
    }

    /// The next attempt of a run one of whose questions was answered while it paused.
    pub(super) async fn next_attempt<I: Data>(
        &self,
        cx: &RunContext,
    ) -> Result<(RunContext, I), RunError> {
        let tree = cx.tree();
        let Some(journal) = tree.journal.clone() else {
            return Err(Error::invalid("a run without a journal isn't resumed").into());
        };
        let asked = tree.open_questions().into_iter().map(|it| it.path);
        let asked: Vec<String> = asked.collect();
        let lease = Some(journal.ttl).filter(|it| *it != Duration::MAX);
        let attempt = async {
            // While it paused, nothing renewed its lease. Whether a cancellation was requested
            // is found out again by the attempt, which records it; a store that is gone, by what
            // follows.
            if lease.is_some()
                && let Err(lost @ Lost::TakenOver) = journal.renew().await
            {
                return Err(journal.stop(cx, lost));
            }
            let taken = journal.next_attempt(&asked).await;
            taken.map_err(|it| journal.stop(cx, Lost::Store(it)))
        };
        let body = async {
            // Where the store hangs, the lease runs out.
            within(lease, attempt).await.unwrap_or_else(|| {
                journal.set_lost();
                Err(journal.stop(cx, Lost::TakenOver))
            })
        };
        let body = Box::pin(caught(body));
        self.stopped_or(tree.deadline, body).await?;
        let record = recorded(&journal)?.ok_or_else(|| self.unknown())?;
        self.continued(self.origin()?, &journal, record, tree.ledger.spent())
    }

    /// Opens a run that nobody drives, and closes it as cancelled.
    pub(crate) async fn cancel_paused(self) -> Result<(), RunError> {
        let _admitted = self.admit()?;
        let (origin, journal) = self.claimed("").await?;
        let record = recorded(&journal)?.ok_or_else(|| self.unknown())?;
        if journal.was_finished() {
            let message = format!(
                "the run {} is over: nothing is left to cancel",
                self.run_id()
            );
            return Err(Error::invalid(message).into());
        }
        let (of, is_agent) = (journal.of(), record.is_agent);
        let spent = spent_before(&journal)?;
        let (cx, _) = self.continued::<Value>(origin, &journal, record, spent)?;
        match drive(&cx, async { cx.open_and_cancel(&of, is_agent) }, false).await {
            Driven::Ended(Err(ended)) if matches!(ended.kind(), RunErrorKind::Cancelled(_)) => {
                unsaved(&ended).map_or(Ok(()), |why| Err(broken(why)))
            }
            Driven::Ended(Err(ended)) => Err(ended),
            Driven::Ended(Ok(_)) | Driven::Answered(_) => Ok(()),
        }
    }

    /// Takes the run in the journal, unless it is cancelled first.
    async fn claimed(&self, of: &str) -> Result<(Origin, Arc<RunJournal>), RunError> {
        let store = self.session.parts.journal()?;
        let origin = self.origin()?;
        let body = Box::pin(caught(self.claim(store, of)));
        let journal = self.stopped_or(origin.deadline, body).await?;
        Ok((origin, Arc::new(journal)))
    }

    /// Takes the run in the journal. One whose id the caller chose may be held by another worker
    /// just now: then this waits until it isn't.
    async fn claim(&self, store: &Arc<dyn DynJournal>, of: &str) -> Result<RunJournal> {
        let run = self.session.journal_run(self.run_id())?;
        let parts = &self.session.parts;
        let has_timer = parts.has_timer();
        // Where nothing could renew it, a lease mustn't run out.
        let ttl = match has_timer {
            true => parts.lease,
            false => Duration::MAX,
        };
        loop {
            let held = match RunJournal::claim(store, &run, of, ttl).await {
                Ok(journal) => {
                    self.control.set_claimed();
                    return Ok(journal);
                }
                Err(held) if self.is_named && held.kind() == ErrorKind::Invalid => held,
                Err(error) => return Err(error),
            };
            if parts.admission.wait_for(&run).await {
                continue;
            }
            if !has_timer {
                return Err(held);
            }
            tokio::time::sleep(ATTACH_WAIT).await;
        }
    }

    /// The context of a new run, which is recorded.
    async fn begin_new(
        &self,
        mut origin: Origin,
        journal: Arc<RunJournal>,
        info: &Info,
        input: Value,
    ) -> Result<RunContext, RunError> {
        origin.journal = Some(journal.clone());
        let cx = self.root(origin);
        let tree = cx.tree();
        let begun = RunRecord {
            version: VERSION,
            trace: tree.trace_id.to_string(),
            // The bare context takes the first span id, the root the second.
            root_span: tree.span_id(1).to_string(),
            limits: *tree.ledger.limits(),
            is_agent: info.kind == Kind::Agent,
            input,
        };
        let records = vec![
            record(SlotKind::Run, "", &begun)?,
            record_of(SlotKind::Definition, "", Definition::of(info).into_value()),
            journal.usage(tree)?,
        ];
        let body = Box::pin(caught(journal.write(&cx, records)));
        self.stopped_or(tree.deadline, body).await?;
        Ok(cx)
    }

    /// The context and the input of a run's next attempt.
    fn continued<I: Data>(
        &self,
        mut origin: Origin,
        journal: &Arc<RunJournal>,
        record: RunRecord,
        spent: Spent,
    ) -> Result<(RunContext, I), RunError> {
        origin.carried = Carried {
            trace: Some(trace_of(&record).map_err(broken)?),
            root_span: span_of(&record),
            spent,
            attempt: Some(journal.attempt()),
        };
        origin.limits = record.limits.lowered_to(origin.limits);
        origin.journal = Some(journal.clone());
        let input = I::from_value(record.input).map_err(|e| {
            let message = format!(
                "the run {} was begun with another type of input",
                self.run_id()
            );
            Error::with_source(ErrorKind::Invalid, message, e)
        })?;
        let cx = self.root(origin);
        // With the first that is written: should this attempt crash, too, the next has its number.
        journal.write_later(vec![journal.usage(cx.tree())?]);
        Ok((cx, input))
    }

    /// Refuses to continue a run by another definition than it was begun with, unless the caller
    /// said that they are compatible; then it is a run of this one from now on.
    fn agree(&self, journal: &RunJournal, info: &Info) -> Result<(), RunError> {
        let (run_id, of, name) = (self.run_id(), journal.of(), &info.name);
        if of != name.as_str() {
            let message = format!("the run {run_id} is one of {of:?}, not of {name:?}");
            return Err(Error::invalid(message).into());
        }
        let now = Definition::of(info);
        let before = journal.read(SlotKind::Definition, "").map_err(broken)?;
        if let Some(before) = before {
            let Some(difference) = now.difference_from(&before) else {
                return Ok(());
            };
            if !self.session.accepts_changes {
                let message = format!(
                    "the definition of {name:?} changed since the run {run_id} began: {difference}; if what is recorded still fits, resume it in a session that is `.accepting_changes()`"
                );
                return Err(Error::invalid(message).into());
            }
        }
        journal.write_later(vec![record_of(SlotKind::Definition, "", now.into_value())]);
        Ok(())
    }

    fn unknown(&self) -> RunError {
        let message = format!("there is no run {} in this session", self.run_id());
        Error::invalid(message).into()
    }
}

/// How a run began, if the journal knows it.
fn recorded(journal: &RunJournal) -> Result<Option<RunRecord>, RunError> {
    let record = journal.get(SlotKind::Run, "");
    let record = record.map(|it| RunRecord::read(&it)).transpose();
    record.map_err(broken)
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
    let trace = u128::from_str_radix(&record.trace, 16).ok();
    trace.and_then(TraceId::new).ok_or_else(|| {
        let message = "the journal's record of the run has no trace id";
        Error::new(ErrorKind::Failed, message)
    })
}

fn span_of(record: &RunRecord) -> Option<SpanId> {
    SpanId::new(u64::from_str_radix(&record.root_span, 16).ok()?)
}
