//! `Launch`: from a session and a step to a run that is driven to its end.

mod resume;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::admission::Admitted;
use crate::context::RunContext;
use crate::control::Control;
use crate::data::Data;
use crate::definition::Definition;
use crate::drive::{Body, Driven, drive, run_root, until_stopped};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::RunId;
use crate::info::{Info, Kind};
use crate::into_step::IntoStep;
use crate::journal::record::{RunRecord, VERSION, digest, record};
use crate::journal::{DynJournal, JournalRun, RunJournal, SlotKind};
use crate::keep::Keeper;
use crate::outcome::Outcome;
use crate::poll::caught;
use crate::run_error::{RunError, RunErrorKind};
use crate::session::Session;
use crate::stream::EventQueue;
use crate::trace::{SpanId, TraceId};
use crate::tree::{Carried, Origin, Tree};

/// How often in a row a run resumes itself, since a question was answered while it paused.
const MAX_SELF_RESUMES: u32 = 16;
/// How often a start waits for a run of its id that another worker holds, before it looks again.
const ATTACH_WAIT: Duration = Duration::from_millis(100);

/// A run that is about to begin in a session.
pub(crate) struct Launch {
    pub(crate) session: Session,
    pub(crate) control: Arc<Control>,
    pub(crate) queue: Option<Arc<EventQueue>>,
    /// Whether the caller gave the run's id: then the same id attaches to the same run.
    pub(crate) is_named: bool,
}

/// A run that has begun, or is resumed.
struct Begun {
    cx: RunContext,
    /// What it was begun with, where that comes from the journal.
    recorded: Option<Value>,
}

impl Launch {
    fn run_id(&self) -> &RunId {
        self.control.run_id()
    }

    /// Runs a step to its end.
    pub(crate) async fn run<I: Data, M, S>(
        self,
        step: &S,
        input: I,
    ) -> Result<Outcome<S::Out>, RunError>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let _admitted = self.admit()?;
        let begun = match &self.session.parts.journal {
            None => Begun {
                cx: self.begin_at_once()?,
                recorded: None,
            },
            Some(journal) => {
                let info = step.step_info();
                Box::pin(self.begin_recorded(journal, info, &input)).await?
            }
        };
        let input = match begun.recorded {
            None => input,
            Some(recorded) => self.input_of(recorded)?,
        };
        self.drive_on(begun.cx, step, input).await
    }

    /// Resumes a run to its end.
    pub(crate) async fn resume<I: Data, M, S>(self, step: &S) -> Result<Outcome<S::Out>, RunError>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let _admitted = self.admit()?;
        let (cx, input) = Box::pin(self.take_up(step.step_info())).await?;
        let input = self.input_of(input)?;
        self.drive_on(cx, step, input).await
    }

    /// Drives a run until an attempt of it ends it.
    async fn drive_on<I: Data, M, S>(
        &self,
        cx: RunContext,
        step: &S,
        input: I,
    ) -> Result<Outcome<S::Out>, RunError>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        match drive(&cx, run_root(&cx, step, input), MAX_SELF_RESUMES).await {
            Driven::Ended(result) => result,
            Driven::Answered(asked) => Box::pin(self.drive_again(cx, asked, step)).await,
        }
    }

    /// Resumes a run by itself, as often as its questions are answered while it pauses.
    async fn drive_again<I: Data, M, S>(
        &self,
        mut cx: RunContext,
        mut asked: Vec<crate::question::Question>,
        step: &S,
    ) -> Result<Outcome<S::Out>, RunError>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let mut resumes_left = MAX_SELF_RESUMES;
        loop {
            resumes_left -= 1;
            let input;
            (cx, input) = self.next_attempt(&cx, &asked).await?;
            let body = run_root(&cx, step, self.input_of(input)?);
            match drive(&cx, body, resumes_left).await {
                Driven::Ended(result) => return result,
                Driven::Answered(questions) => asked = questions,
            }
        }
    }

    pub(crate) fn admit(&self) -> Result<Admitted<'_>, RunError> {
        self.session.parts.admission.admit(&self.control)
    }

    /// The context of a run that no journal will know.
    fn begin_at_once(&self) -> Result<RunContext> {
        if self.is_named {
            return Err(Error::invalid(
                "a run of a given id needs a journal, in which it is found again: give the loom one with `.journal(..)`",
            ));
        }
        let origin = self.origin(Some(self.new_trace()))?;
        Ok(self.root(origin))
    }

    /// The context of a run that the journal will know, or knows already if the caller named it.
    async fn begin_recorded(
        &self,
        store: &Arc<dyn DynJournal>,
        info: Info,
        input: &impl Data,
    ) -> Result<Begun, RunError> {
        let trace = self.new_trace();
        let mut origin = self.origin(Some(trace))?;
        let input = input.to_value()?;
        // The bare context takes the first span id, the root the second.
        let begun = RunRecord {
            version: VERSION,
            trace: trace.to_string(),
            root_span: SpanId::nth(origin.span_seed, 1).to_string(),
            limits: origin.limits,
            is_agent: info.kind == Kind::Agent,
            input,
        };
        let body = Box::pin(caught(self.claim(store, info.name.as_str())));
        let journal = Arc::new(self.stopped_or(origin.deadline, body).await?);
        if let Some(before) = journal.get(SlotKind::Run, "") {
            let before = RunRecord::read(&before).map_err(broken)?;
            if digest(&before.input) != digest(&begun.input) {
                let message = format!("the run {} was begun with another input", self.run_id());
                return Err(Error::invalid(message).into());
            }
            let (cx, recorded) = self.resumed(journal, before, &info)?;
            return Ok(Begun {
                cx,
                recorded: Some(recorded),
            });
        }
        origin.journal = Some(journal.clone());
        let cx = self.root(origin);
        let records = vec![
            record(SlotKind::Run, "", &begun)?,
            record(SlotKind::Definition, "", &Definition::of(&info))?,
        ];
        let body = Box::pin(caught(async { journal.write(&cx, records).await }));
        let deadline = cx.tree().deadline;
        self.stopped_or(deadline, body).await?;
        Ok(Begun { cx, recorded: None })
    }

    /// Takes the run in the journal. One that the caller named may be run by somebody else just
    /// now: then this waits until it isn't.
    async fn claim(&self, store: &Arc<dyn DynJournal>, of: &str) -> Result<RunJournal> {
        let run = self.journal_run()?;
        let parts = &self.session.parts;
        // Where nothing could renew it, a lease mustn't run out.
        let ttl = match Keeper::is_possible() {
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
            if tokio::runtime::Handle::try_current().is_err() {
                return Err(held);
            }
            tokio::time::sleep(ATTACH_WAIT).await;
        }
    }

    pub(crate) fn journal_run(&self) -> Result<JournalRun> {
        Ok(JournalRun {
            scope: self.session.scope()?,
            root: self.run_id().clone(),
        })
    }

    /// What the body returns, unless the run is cancelled before it has begun.
    async fn stopped_or<T>(
        &self,
        deadline: Option<tokio::time::Instant>,
        body: Body<'_, T>,
    ) -> Result<T, RunError> {
        let returned = until_stopped(&self.control, deadline, None, body).await;
        if let Some(cause) = self.control.cause() {
            let kind = match cause.is_broken {
                true => RunErrorKind::Broken,
                false => RunErrorKind::of(cause.ending).unwrap_or(RunErrorKind::Failed),
            };
            return Err(RunError::new(kind, cause.error));
        }
        match returned {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) if error.kind() == ErrorKind::Invalid => Err(error.into()),
            Some(Err(error)) => Err(broken(error)),
            None => Err(Error::stopped("the run was cancelled").into()),
        }
    }

    fn input_of<I: Data>(&self, input: Value) -> Result<I> {
        I::from_value(input).map_err(|e| {
            let message = format!(
                "the run {} was begun with another type of input",
                self.run_id()
            );
            Error::with_source(ErrorKind::Invalid, message, e)
        })
    }

    fn origin(&self, trace: Option<TraceId>) -> Result<Origin> {
        let session = &self.session;
        let deadline = match session.deadline {
            Some(_) if !Keeper::is_possible() => {
                return Err(Error::invalid(
                    "a deadline needs a Tokio runtime with time: run this inside one, or without `.deadline(..)`",
                ));
            }
            limit => limit.and_then(|limit| tokio::time::Instant::now().checked_add(limit)),
        };
        Ok(Origin {
            scope: session.scope()?,
            session_given: session.is_named(),
            caller: session.caller,
            deadline,
            limits: session.limits,
            queue: self.queue.clone(),
            journal: None,
            span_seed: session.parts.ids.span_seed(),
            carried: Carried {
                trace,
                ..Carried::default()
            },
        })
    }

    fn root(&self, origin: Origin) -> RunContext {
        let tree = Tree::new(
            &self.session.parts,
            self.run_id().clone(),
            self.control.clone(),
            origin,
        );
        RunContext::bare(tree)
    }

    /// What a new run's trace is: the caller's, or one of its own.
    fn new_trace(&self) -> TraceId {
        let caller = self.session.caller.map(|caller| caller.trace_id);
        caller.unwrap_or_else(|| self.session.parts.ids.trace_id())
    }
}

/// The journal is broken before the run began.
fn broken(error: Error) -> RunError {
    RunError::new(RunErrorKind::Broken, error)
}
