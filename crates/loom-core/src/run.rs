//! `Run`: a run before it is awaited.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::clock::read_for_id;
use crate::control::Control;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::ids::RunId;
use crate::into_step::IntoStep;
use crate::launch::Launch;
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::poll::caught_now;
use crate::run_error::RunError;
use crate::session::Session;

/// What [`Session::run`] and [`Session::resume`] return: a future of the run's outcome, which can be
/// configured first. Nothing happens before it is polled.
///
/// ```
/// use std::time::Duration;
/// use loom_core::{Loom, Result};
///
/// async fn shout(text: String) -> Result<String> {
///     Ok(text.to_uppercase())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let session = Loom::builder().build().session("alice");
/// let run = session.run(&shout, "hello").deadline(Duration::from_secs(30));
/// let handle = run.handle();
/// assert_eq!(run.await?.output, "HELLO");
/// handle.cancel(); // too late, which does nothing
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "a run does nothing until it is awaited"]
pub struct Run<'a, T> {
    stage: Stage<'a, T>,
    control: Arc<Control>,
}

enum Stage<'a, T> {
    /// Not polled yet.
    Ready(Box<Launch>, Start<'a, T>),
    Running(Running<'a, T>),
    Over,
}

type Start<'a, T> = Box<dyn FnOnce(Box<Launch>) -> Running<'a, T> + Send + 'a>;
type Running<'a, T> = BoxFuture<'a, Result<Outcome<T>, RunError>>;

impl<'a, T> Run<'a, T> {
    /// A handle on the run, to cancel it from elsewhere.
    pub fn handle(&self) -> Handle {
        Handle::new(self.control.clone())
    }

    /// Cancels the run if it takes longer than this, counted from its first poll. Needs a Tokio
    /// runtime with time.
    pub fn deadline(self, limit: Duration) -> Self {
        self.with(|launch| launch.session.deadline = Some(limit))
    }

    /// Lowers the session's limits for this run; what is higher stays as it is.
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|launch| launch.session.limits = launch.session.limits.lowered_to(limits))
    }

    /// Names the run by an id of the caller's, which makes starting it idempotent: the same id with
    /// the same input attaches to the run that is under way, continues it, or returns what was
    /// recorded. Needs a journal. Another input under that id, and a bad id, is an `Invalid` error.
    ///
    /// ```
    /// use loom_core::{Loom, MemoryJournal, Result};
    ///
    /// async fn charge(cents: u64) -> Result<String> {
    ///     Ok(format!("charged {cents}"))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let session = Loom::builder().journal(MemoryJournal::default()).build().session("alice");
    /// let first = session.run(&charge, 500u64).id("order-42").await?;
    /// let again = session.run(&charge, 500u64).id("order-42").await?; // isn't charged again
    /// assert_eq!(first.output, again.output);
    /// assert!(session.run(&charge, 700u64).id("order-42").await.is_err());
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn id(self, id: impl Into<Arc<str>>) -> Self {
        self.with(|launch| match RunId::new(id) {
            Ok(id) => {
                launch.control = launch.session.control(id);
                launch.is_named = true;
            }
            Err(wrong) => launch.wrong = Some(wrong),
        })
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Launch)) -> Self {
        if let Stage::Ready(launch, _) = &mut self.stage {
            change(launch);
            self.control = launch.control.clone();
        }
        self
    }
}

// Nothing in it is pinned in place: what runs is boxed.
impl<T> Unpin for Run<'_, T> {}

impl<T> Future for Run<'_, T> {
    type Output = Result<Outcome<T>, RunError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        // Over, should the poll panic.
        let mut running = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Ready(launch, start) => start(launch),
            Stage::Running(running) => running,
            Stage::Over => {
                let over = Error::invalid("the run is over: its outcome was returned already");
                return Poll::Ready(Err(over.into()));
            }
        };
        let poll = running.as_mut().poll(task);
        if poll.is_pending() {
            self.stage = Stage::Running(running);
        }
        poll
    }
}

impl<T> Drop for Run<'_, T> {
    /// Catches what panics in the run: the record says how it ended, and the caller may be
    /// unwinding.
    fn drop(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let _ = caught_now(|| drop(stage));
    }
}

impl<T> fmt::Debug for Run<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({})", self.control.run_id())
    }
}

impl Session {
    /// Runs anything that is a step: an agent, a workflow, a function. A function's run is shown
    /// as a workflow of the function's name.
    ///
    /// The step is borrowed, or owned by an [`Arc`], for servers:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use loom_core::{Loom, Result, Step};
    ///
    /// async fn shout(text: String) -> Result<String> {
    ///     Ok(text.to_uppercase())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let (session, step) = (Loom::builder().build().session("alice"), Arc::new(Step::new(shout)));
    /// assert_eq!(session.run(&*step, "hello").await?.output, "HELLO");
    /// let task = tokio::spawn(session.run(step, "hello"));
    /// assert_eq!(task.await.unwrap()?.output, "HELLO");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The run's own, as a [`RunError`] with a report of what it did; `Invalid` for a bad user or
    /// session id; cancelled while the loom shuts down.
    pub fn run<'a, I: Data, M: 'a, S: IntoStep<I, M, Out: Data> + 'a>(
        &self,
        step: impl Deref<Target = S> + Send + 'a,
        input: impl Into<I>,
    ) -> Run<'a, S::Out> {
        let run_id = self.parts.ids.uuid(read_for_id(&*self.parts.clock));
        self.begin(RunId::root(run_id), step, Some(input.into()))
    }

    /// Resumes a run that paused, failed or lost its process, on the input it was begun with: what
    /// it recorded is used again, and only the rest runs. Its id, its trace, its limits and what it
    /// used stay, but where this session's limits are lower, those hold; the deadline begins anew.
    /// Needs the journal it was recorded in, and a session of the same user by the same name. The
    /// step is borrowed or owned, as by [`Session::run`].
    ///
    /// # Errors
    /// The run's own; `Invalid` without a journal, for a run that isn't this session's, while
    /// another worker has it, or by a definition that changed since (naming the difference), unless
    /// the session is [`accepting_changes`](Session::accepting_changes).
    pub fn resume<'a, I: Data, M: 'a, S: IntoStep<I, M, Out: Data> + 'a>(
        &self,
        run_id: &RunId,
        step: impl Deref<Target = S> + Send + 'a,
    ) -> Run<'a, S::Out> {
        self.begin(run_id.clone(), step, None)
    }

    fn begin<'a, I: Data, M: 'a, S: IntoStep<I, M, Out: Data> + 'a>(
        &self,
        run_id: RunId,
        step: impl Deref<Target = S> + Send + 'a,
        input: Option<I>,
    ) -> Run<'a, S::Out> {
        let launch = self.launch(run_id);
        let control = launch.control.clone();
        let start = move |launch: Box<Launch>| -> BoxFuture<'a, _> {
            Box::pin(async move { launch.run(&*step, input).await })
        };
        Run {
            stage: Stage::Ready(Box::new(launch), Box::new(start)),
            control,
        }
    }
}
