//! `Launch`: from a session and a step to a tree that is driven.

use std::sync::Arc;

use crate::admission::Admitted;
use crate::context::RunContext;
use crate::data::Data;
use crate::definition::Definition;
use crate::drive::{drive, run_root, stoppable};
use crate::error::{Error, ErrorKind, Result};
use crate::handle::{Cancel, Handle};
use crate::ids::RunId;
use crate::info::Info;
use crate::into_step::IntoStep;
use crate::journal::{Held, JournalRun, RunJournal, RunRecord, Slot};
use crate::outcome::Outcome;
use crate::poll::caught;
use crate::scope::Scope;
use crate::session::Session;
use crate::stream::EventQueue;
use crate::trace::{SpanId, TraceId};
use crate::tree::{Carried, Origin, Tree};

/// A run that is about to begin in a session.
pub(crate) struct Launch {
    run_id: RunId,
    cancel: Arc<Cancel>,
    queue: Option<Arc<EventQueue>>,
}

impl Launch {
    pub(crate) fn new(session: &Session, queue: Option<Arc<EventQueue>>) -> Self {
        Self {
            run_id: session.new_run_id(),
            cancel: Arc::default(),
            queue,
        }
    }

    pub(crate) fn resuming(run_id: RunId) -> Self {
        Self {
            run_id,
            cancel: Arc::default(),
            queue: None,
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle::new(self.run_id.clone(), self.cancel.clone())
    }

    pub(crate) async fn run<I: Data, M, S>(
        self,
        session: &Session,
        step: &S,
        input: I,
    ) -> Result<Outcome<S::Out>>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let (_admitted, cx) = self.begin(session, step, &input).await?;
        drive(&cx, run_root(&cx, step, input)).await
    }

    /// The context of a run of this step. What it takes to begin is let go before the run begins:
    /// its future holds none of it.
    pub(crate) async fn begin<'a, I: Data, M, S: IntoStep<I, M>>(
        self,
        session: &'a Session,
        step: &S,
        input: &I,
    ) -> Result<(Admitted<'a>, RunContext)> {
        match session.parts.journal {
            None => self.begin_at_once(session),
            Some(_) => Box::pin(self.begin_recorded(session, step.step_info(), input)).await,
        }
    }

    pub(crate) async fn resume<I: Data, M, S>(
        self,
        session: &Session,
        step: &S,
    ) -> Result<Outcome<S::Out>>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let (_admitted, cx, input) = Box::pin(self.take_up(session, step.step_info())).await?;
        drive(&cx, run_root(&cx, step, input)).await
    }

    /// The context of a run that no journal will know.
    fn begin_at_once(self, session: &Session) -> Result<(Admitted<'_>, RunContext)> {
        let admitted = session.parts.admission.admit(&self.cancel)?;
        let (trace, scope) = (new_trace(session), session.scope()?);
        let origin = self.origin(session, scope, Some(trace));
        Ok((admitted, self.root(session, origin)))
    }

    /// The context of a run that the journal will know.
    async fn begin_recorded<'a>(
        self,
        session: &'a Session,
        info: Info,
        input: &impl Data,
    ) -> Result<(Admitted<'a>, RunContext)> {
        let admitted = session.parts.admission.admit(&self.cancel)?;
        let (trace, scope) = (new_trace(session), session.scope()?);
        let mut origin = self.origin(session, scope, Some(trace));
        // The bare context takes the first span id, the root the second.
        let root = SpanId::nth(origin.span_seed, 1).to_string();
        let record = RunRecord::new(
            trace.to_string(),
            root,
            info.name.to_string(),
            input.to_value()?,
            origin.limits,
        );
        let body = Box::pin(caught(claim(session, &self.run_id, record, &info)));
        let begun = stoppable(&self.cancel, origin.deadline, body).await?;
        origin.journal = Some(Box::new(begun));
        Ok((admitted, self.root(session, origin)))
    }

    /// The context and the input of a run that the journal knows.
    async fn take_up<I: Data>(
        self,
        session: &Session,
        info: Info,
    ) -> Result<(Admitted<'_>, RunContext, I)> {
        let admitted = session.parts.admission.admit(&self.cancel)?;
        let mut origin = self.origin(session, session.scope()?, None);
        let body = Box::pin(caught(recall(session, &self.run_id, &info)));
        let (journal, record) = stoppable(&self.cancel, origin.deadline, body).await?;
        origin.carried = Carried {
            trace: Some(trace_of(&record)?),
            root_span: span_of(&record),
            used: record.used,
            tally: record.tally,
            resumed: true,
        };
        let input = I::from_value(record.input).map_err(|e| {
            let message = format!(
                "the run {} was begun with another type of input",
                self.run_id
            );
            Error::with_source(ErrorKind::Invalid, message, e)
        })?;
        origin.limits = record.limits.lowered_to(origin.limits);
        origin.journal = Some(Box::new(journal));
        Ok((admitted, self.root(session, origin), input))
    }

    fn origin(&self, session: &Session, scope: Scope, trace: Option<TraceId>) -> Origin {
        Origin {
            scope,
            session_given: session.is_named(),
            caller: session.caller,
            deadline: session
                .deadline
                .and_then(|limit| tokio::time::Instant::now().checked_add(limit)),
            limits: session.limits,
            queue: self.queue.clone(),
            journal: None,
            span_seed: session.parts.ids.span_seed(),
            carried: Carried {
                trace,
                ..Carried::default()
            },
        }
    }

    fn root(self, session: &Session, origin: Origin) -> RunContext {
        let tree = Tree::new(&session.parts, self.run_id, self.cancel, origin);
        RunContext::bare(tree)
    }
}

/// What a new run's trace is: the caller's, or one of its own.
fn new_trace(session: &Session) -> TraceId {
    let caller = session.caller.map(|caller| caller.trace_id);
    caller.unwrap_or_else(|| session.parts.ids.trace_id())
}

/// Takes a new run's place in the journal.
async fn claim(
    session: &Session,
    run_id: &RunId,
    record: RunRecord,
    info: &Info,
) -> Result<RunJournal> {
    let held = Held::claim(session.journal()?, &journal_run(session, run_id)?).await?;
    let journal = RunJournal::new(held, record);
    journal.write_record().await?;
    journal
        .put(Slot::Definition, Definition::of(info).to_value()?)
        .await?;
    Ok(journal)
}

/// Takes over a run that the journal knows, to go on with it by this definition.
async fn recall(session: &Session, run_id: &RunId, info: &Info) -> Result<(RunJournal, RunRecord)> {
    let store = session.journal()?;
    let run = journal_run(session, run_id)?;
    if store.get(&run, Slot::Run).await?.is_none() {
        return Err(Error::invalid(format!(
            "there is no run {run_id} in this session"
        )));
    }
    // Read again under the lease: another worker may have gone on with it in between.
    let held = Held::claim(store, &run).await?;
    let record = RunRecord::read(held.get(Slot::Run).await?.unwrap_or_default())?;
    if record.of != info.name.as_str() {
        let message = format!(
            "the run {run_id} is one of {:?}, not of {:?}",
            record.of, info.name
        );
        return Err(Error::invalid(message));
    }
    let journal = RunJournal::new(held, record.clone());
    agree(session, run_id, &journal, info).await?;
    Ok((journal, record))
}

/// Refuses to go on with a run by another definition than it was begun with, unless the caller
/// said that they are compatible.
async fn agree(session: &Session, run_id: &RunId, journal: &RunJournal, info: &Info) -> Result<()> {
    let now = Definition::of(info);
    let before = journal.get(Slot::Definition).await?;
    if let Some(before) = before {
        let Some(difference) = now.difference_from(&Definition::from_value(before)?) else {
            return Ok(());
        };
        if !session.accepts_changes {
            let message = format!(
                "the definition of {:?} changed since the run {run_id} began: {difference}; if what is recorded still fits, resume it in a session that is `.accepting_changes()`",
                info.name
            );
            return Err(Error::invalid(message));
        }
    }
    // From now on it is a run of this definition.
    journal.put(Slot::Definition, now.to_value()?).await
}

fn journal_run(session: &Session, run_id: &RunId) -> Result<JournalRun> {
    Ok(JournalRun {
        scope: session.scope()?,
        root: run_id.clone(),
    })
}

fn trace_of(record: &RunRecord) -> Result<TraceId> {
    let trace = u128::from_str_radix(&record.trace, 16)
        .ok()
        .and_then(TraceId::new);
    trace.ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "the journal's record of the run has no trace id",
        )
    })
}

fn span_of(record: &RunRecord) -> Option<SpanId> {
    SpanId::new(u64::from_str_radix(&record.root_span, 16).ok()?)
}
