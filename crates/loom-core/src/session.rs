//! `Session`: who runs are for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::clock::read_for_id;
use crate::data::Data;
use crate::drive::{drive, run_root};
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::ids::{RunId, SessionId, UserId};
use crate::into_step::IntoStep;
use crate::journal::{AnswerRecord, DynJournal, JournalRun, RunRecord, Slot, Status};
use crate::launch::Launch;
use crate::limits::Limits;
use crate::loom::Parts;
use crate::outcome::Outcome;
use crate::scope::Scope;
use crate::stream::{EventQueue, RunStream};
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
    user: Option<Arc<str>>,
    fresh: SessionId,
    given: Option<Arc<str>>,
    /// Of the three above, looked at once; `None` where an id is bad.
    scope: Option<Scope>,
    pub(crate) caller: Option<TraceParent>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) accepts_changes: bool,
}

impl Session {
    pub(crate) fn new(parts: Arc<Parts>, user: Option<Arc<str>>) -> Self {
        let fresh = SessionId::fresh(parts.ids.uuid(read_for_id(&*parts.clock)));
        let session = Self {
            limits: parts.limits,
            parts,
            user,
            fresh,
            given: None,
            scope: None,
            caller: None,
            deadline: None,
            accepts_changes: false,
        };
        session.scoped()
    }

    /// Names the session; without a name it has a fresh UUIDv7. A bad id is an `Invalid` error
    /// of the first run.
    #[must_use]
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.given = Some(id.into());
        self.scoped()
    }

    /// Makes runs part of the caller's trace.
    #[must_use]
    pub fn traceparent(mut self, caller: TraceParent) -> Self {
        self.caller = Some(caller);
        self
    }

    /// Cancels each run that takes longer than this, counted from its start. Needs a Tokio
    /// runtime with time.
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

    /// Runs anything that is a step: an agent, a workflow, a function. A function's run is shown
    /// as a workflow of the function's name.
    ///
    /// # Errors
    /// The run's own, with [`Error::run`] saying what it did; `Invalid` for a bad user or session
    /// id; `Cancelled` while the loom shuts down.
    pub async fn run<I: Data, M, S>(&self, step: &S, input: impl Into<I>) -> Result<Outcome<S::Out>>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        // Not by way of `Launch::run`, in whose future the input would stand once more.
        let input = input.into();
        let (_admitted, cx) = Launch::new(self, None).begin(self, step, &input).await?;
        drive(&cx, run_root(&cx, step, input)).await
    }

    /// [`Session::run`] with a handle on it. Nothing happens before the result is awaited.
    pub fn start<'a, I: Data, M: 'a, S>(
        &self,
        step: &'a S,
        input: impl Into<I>,
    ) -> Running<'a, S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let (launch, input) = (Launch::new(self, None), input.into());
        let session = self.clone();
        Running {
            handle: launch.handle(),
            future: Box::pin(async move { launch.run(&session, step, input).await }),
        }
    }

    /// [`Session::run`] as a stream of everything that happens in the run, and then the outcome.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use loom_core::{Happened, Loom, Result, StreamItem};
    ///
    /// async fn shout(text: String) -> Result<String> {
    ///     Ok(text.to_uppercase())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let session = Loom::builder().build().session("alice");
    /// let mut stream = session.stream(&shout, "hello");
    /// while let Some(item) = stream.next().await {
    ///     match item {
    ///         StreamItem::Event(event) => println!("{} {:?}", event.path, event.what),
    ///         StreamItem::Done(outcome) => assert_eq!(outcome?.output, "HELLO"),
    ///         _ => (),
    ///     }
    /// }
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn stream<'a, I: Data, M: 'a, S>(
        &self,
        step: &'a S,
        input: impl Into<I>,
    ) -> RunStream<'a, S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let queue = Arc::new(EventQueue::default());
        let launch = Launch::new(self, Some(queue.clone()));
        let (handle, input, session) = (launch.handle(), input.into(), self.clone());
        RunStream::new(
            Box::pin(async move { launch.run(&session, step, input).await }),
            queue,
            handle,
        )
    }

    /// Goes on with a run that paused, failed or lost its process, on the input it was begun
    /// with: what it recorded is used again, and only the rest runs. Its id, its trace, its limits
    /// and what it used stay, but where this session's limits are lower, those hold; the deadline
    /// begins anew. Needs the journal it was recorded in, and
    /// a session of the same user by the same name.
    ///
    /// # Errors
    /// The run's own; `Invalid` without a journal, for a run that isn't this session's, while
    /// another worker has it, or by a definition that changed since (naming the difference), unless
    /// the session is [`accepting_changes`](Session::accepting_changes).
    pub async fn resume<I: Data, M, S>(&self, run_id: &RunId, step: &S) -> Result<Outcome<S::Out>>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        Launch::resuming(run_id.clone()).resume(self, step).await
    }

    /// Answers a question of a paused run. The first answer stays; the run goes on when it is
    /// resumed.
    ///
    /// # Errors
    /// `Invalid` without a journal, for a question that nobody asked in this session, for one that
    /// is answered already, and for one that the run doesn't wait for any more; `Internal` for a
    /// journal that doesn't work.
    pub async fn answer(&self, run_id: &RunId, path: &str, answer: impl Data) -> Result<()> {
        let journal = self.journal()?;
        let run = JournalRun {
            scope: self.scope()?,
            root: run_id.clone(),
        };
        let Some(question) = journal.get(&run, Slot::Question(path)).await? else {
            // The same whatever of it was guessed wrong.
            return Err(Error::invalid("no run of this session asked that question"));
        };
        let record = AnswerRecord {
            question,
            answer: answer.to_value()?,
            spent: false,
        };
        let answered = || Error::invalid(format!("the question at {path:?} is answered already"));
        if !waits_for(&**journal, &run, path).await? {
            return Err(match journal.get(&run, Slot::Answer(path)).await? {
                Some(_) => answered(),
                None => Error::invalid(format!(
                    "the run {run_id} doesn't wait for the question at {path:?} any more"
                )),
            });
        }
        match journal.answer(&run, path, record.to_value()?).await? {
            true => Ok(()),
            false => Err(answered()),
        }
    }

    /// Whose partition this session works in.
    ///
    /// # Errors
    /// `Invalid` for a bad user or session id.
    pub fn scope(&self) -> Result<Scope> {
        match &self.scope {
            Some(scope) => Ok(scope.clone()),
            None => self.checked_scope(),
        }
    }

    fn scoped(mut self) -> Self {
        self.scope = self.checked_scope().ok();
        self
    }

    fn checked_scope(&self) -> Result<Scope> {
        let user = self.user.clone().map(UserId::new).transpose()?;
        let session = self
            .given
            .clone()
            .map_or_else(|| Ok(self.fresh.clone()), SessionId::new)?;
        Ok(Scope::new(user, session))
    }

    pub(crate) fn is_named(&self) -> bool {
        self.given.is_some()
    }

    pub(crate) fn journal(&self) -> Result<&Arc<dyn DynJournal>> {
        self.parts.journal.as_ref().ok_or_else(|| {
            Error::invalid(
                "the loom has no journal: give it one with `.journal(..)` to pause and resume runs",
            )
        })
    }

    pub(crate) fn new_run_id(&self) -> RunId {
        RunId::root(self.parts.ids.uuid(read_for_id(&*self.parts.clock)))
    }
}

/// Whether what is answered here would be used.
async fn waits_for(journal: &dyn DynJournal, run: &JournalRun, path: &str) -> Result<bool> {
    let record = journal.get(run, Slot::Run).await?.unwrap_or_default();
    Ok(match RunRecord::read(record)?.status {
        Status::Paused(questions) => questions.iter().any(|it| it.path == path),
        Status::Open | Status::Ended => false,
    })
}

/// A run that was started: a future of its outcome that can be cancelled from elsewhere.
#[must_use = "a run does nothing until it is awaited"]
pub struct Running<'a, T> {
    future: BoxFuture<'a, Result<Outcome<T>>>,
    handle: Handle,
}

impl<T> Running<'_, T> {
    /// A hold on the run.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl<T> Future for Running<'_, T> {
    type Output = Result<Outcome<T>>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(task)
    }
}
