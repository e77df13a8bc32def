//! `Session`: who runs are for.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::read_for_id;
use crate::control::Control;
use crate::data::checked_value;
use crate::error::{Error, Result};
use crate::ids::{RunId, SessionId, UserId};
use crate::journal::record::{AnswerRecord, QuestionRecord, read, written};
use crate::journal::{Answered, JournalRun, SlotKey, SlotKind};
use crate::launch::Launch;
use crate::limits::Limits;
use crate::loom::Parts;
use crate::question::{Approval, Origin};
use crate::scope::Scope;
use crate::trace::TraceParent;

/// A user's conversation: the place runs are started from. It names who everything in them is for.
///
/// ```
/// use loom_core::{Loom, Result};
///
/// async fn shout(text: String) -> Result<String> {
///     Ok(text.to_uppercase())
/// }
///
/// # futures::executor::block_on(async {
/// let loom = Loom::builder().build();
/// let session = loom.session("alice").id("conv_42");
/// let outcome = session.run(&shout, "hello").await?;
/// assert_eq!(outcome.output, "HELLO");
/// assert_eq!(outcome.session_id.as_str(), "conv_42");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Session {
    pub(crate) parts: Arc<Parts>,
    user: Result<Option<UserId>>,
    id: Result<SessionId>,
    pub(crate) is_named: bool,
    pub(crate) caller: Option<TraceParent>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) accepts_changes: bool,
}

impl Session {
    pub(crate) fn new(parts: Arc<Parts>, user: Option<Arc<str>>) -> Self {
        let id = SessionId::fresh(parts.ids.uuid(read_for_id(&*parts.clock)));
        Self {
            limits: parts.limits,
            parts,
            user: user.map(UserId::new).transpose(),
            id: Ok(id),
            is_named: false,
            caller: None,
            deadline: None,
            accepts_changes: false,
        }
    }

    /// Names the session; without a name it has a fresh UUIDv7. A bad id is an `Invalid` error
    /// of the first run.
    #[must_use]
    pub fn id(self, id: impl Into<Arc<str>>) -> Self {
        Self {
            id: SessionId::new(id),
            is_named: true,
            ..self
        }
    }

    /// Makes runs part of the caller's trace.
    #[must_use]
    pub fn traceparent(mut self, caller: TraceParent) -> Self {
        self.caller = Some(caller);
        self
    }

    /// Cancels each run that takes longer than this, counted from its start. Needs a Tokio
    /// runtime with time: without one, a run is an `Invalid` error.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Lowers the loom's limits for each run; what is higher than the loom's stays the loom's.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = self.limits.lowered_to(limits);
        self
    }

    /// Lets runs be resumed by a definition that changed since they began: for a caller who knows
    /// that what is recorded still fits. Every step is checked all the same against the input it
    /// was recorded with.
    #[must_use]
    pub fn accepting_changes(mut self) -> Self {
        self.accepts_changes = true;
        self
    }

    /// Answers a question of a run. The first answer stays. A run that is paused continues when it
    /// is resumed; one that is under way resumes itself instead of pausing.
    ///
    /// What an answer is depends on the question's [origin](crate::Question::origin): an
    /// [`Approval`] or what reads as one, a [`Resolution`](crate::Resolution), or the value that
    /// the program asked for.
    ///
    /// # Errors
    /// `Invalid` without a journal, for a question that no run of this session asked, for one that
    /// is answered already or that the run doesn't wait for any more, and for a value that is no
    /// answer to it, which leaves the question open; `Failed` for a journal that doesn't work.
    pub async fn answer(&self, run_id: &RunId, path: &str, answer: impl Serialize) -> Result<()> {
        let journal = self.parts.journal()?;
        let run = self.journal_run(run_id)?;
        // The same whatever of it was guessed wrong.
        let unasked = || Error::invalid("no run of this session asked that question");
        let key = SlotKey::new(SlotKind::Question, path);
        let stored = journal.read(&run, &key).await?;
        let QuestionRecord { question, binding } = match stored {
            Some(stored) => read(&stored)?,
            None => return Err(unasked()),
        };
        let value = checked_value(&answer)?;
        question.check(&value)?;
        let answer = match question.origin {
            Origin::Approval => written(&Approval::of(&value)?)?,
            Origin::Program | Origin::Unfinished => value,
        };
        let record = AnswerRecord {
            answer,
            binding,
            spent: false,
        };
        let record = written(&record)?;
        match journal.answer(&run, path, record).await? {
            Answered::Written => Ok(()),
            Answered::NotAsked => Err(unasked()),
            Answered::Already => Err(Error::invalid(format!(
                "the question at {path:?} is answered already"
            ))),
            Answered::NotWaiting => Err(Error::invalid(format!(
                "the run {run_id} doesn't wait for the question at {path:?} any more"
            ))),
        }
    }

    /// Whose partition this session works in.
    ///
    /// # Errors
    /// `Invalid` for a bad user or session id.
    pub fn scope(&self) -> Result<Scope> {
        Ok(Scope::new(self.user.clone()?, self.id.clone()?))
    }

    /// The session of a partition that is known.
    pub(crate) fn of_scope(parts: Arc<Parts>, scope: &Scope) -> Self {
        Self {
            user: Ok(scope.user().cloned()),
            id: Ok(scope.session().clone()),
            is_named: true,
            ..Self::new(parts, None)
        }
    }

    pub(crate) fn journal_run(&self, run_id: &RunId) -> Result<JournalRun> {
        Ok(JournalRun {
            scope: self.scope()?,
            root: run_id.clone(),
        })
    }

    pub(crate) fn control(&self, run_id: RunId) -> Arc<Control> {
        Arc::new(Control::new(run_id, self.scope().ok()))
    }

    pub(crate) fn launch(&self, run_id: RunId) -> Launch {
        Launch {
            control: self.control(run_id),
            session: self.clone(),
            queue: None,
            is_named: false,
            wrong: None,
        }
    }
}
