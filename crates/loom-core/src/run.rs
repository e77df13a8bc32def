//! `Run`: a run before it is awaited.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;

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
use crate::stream::{EventQueue, RunStream};

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
    state: State<'a, T>,
    control: Arc<Control>,
}

enum State<'a, T> {
    /// Not polled yet.
    Ready(Ready<'a, T>),
    Running(Driven<'a, T>),
    Over,
}

/// A run that was begun. What panics in it while it is dropped is caught: the record says how it
/// ended, and who drops it may be unwinding.
struct Driven<'a, T>(Option<BoxFuture<'a, Result<Outcome<T>, RunError>>>);

impl<T> Drop for Driven<'_, T> {
    fn drop(&mut self) {
        let run = self.0.take();
        let _ = caught_now(|| drop(run));
    }
}

struct Ready<'a, T> {
    launch: Result<Launch>,
    start: Start<'a, T>,
}

type Start<'a, T> =
    Box<dyn FnOnce(Launch) -> BoxFuture<'a, Result<Outcome<T>, RunError>> + Send + 'a>;

impl<'a, T> Run<'a, T> {
    fn new(launch: Launch, start: Start<'a, T>) -> Self {
        Self {
            control: launch.control.clone(),
            state: State::Ready(Ready {
                launch: Ok(launch),
                start,
            }),
        }
    }

    /// A handle on the run, to cancel it from elsewhere.
    pub fn handle(&self) -> Handle {
        Handle::new(self.control.clone())
    }

    /// Cancels the run if it takes longer than this, counted from its first poll. Needs a Tokio
    /// runtime with time.
    pub fn deadline(self, limit: Duration) -> Self {
        self.with(|launch| {
            launch.session = launch.session.clone().deadline(limit);
            Ok(())
        })
    }

    /// Lowers the session's limits for this run; what is higher stays as it is.
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|launch| {
            launch.session = launch.session.clone().limits(limits);
            Ok(())
        })
    }

    /// Gives the run an id of the caller's, which makes starting it idempotent: the same id with
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
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        let id = id.into();
        self = self.with(|launch| {
            let who = launch.session.who().clone();
            launch.control = Arc::new(Control::new(RunId::new(id)?, Some(who)));
            launch.is_named = true;
            Ok(())
        });
        if let State::Ready(ready) = &self.state
            && let Ok(launch) = &ready.launch
        {
            self.control = launch.control.clone();
        }
        self
    }

    /// The run as a stream of everything that happens in it, and then its outcome.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use loom_core::{Loom, Result, StreamItem};
    ///
    /// async fn shout(text: String) -> Result<String> {
    ///     Ok(text.to_uppercase())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let session = Loom::builder().build().session("alice");
    /// let mut stream = session.run(&shout, "hello").stream();
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
    pub fn stream(self) -> RunStream<'a, T>
    where
        T: 'a,
    {
        let queue = Arc::new(EventQueue::default());
        let handle = self.handle();
        let run = self.with(|launch| {
            launch.queue = Some(queue.clone());
            Ok(())
        });
        RunStream::new(run, queue, handle)
    }

    fn with(mut self, change: impl FnOnce(&mut Launch) -> Result<()>) -> Self {
        if let State::Ready(ready) = &mut self.state
            && let Ok(launch) = &mut ready.launch
            && let Err(wrong) = change(launch)
        {
            ready.launch = Err(wrong);
        }
        self
    }
}

// Nothing in it is pinned in place: what runs is boxed.
impl<T> Unpin for Run<'_, T> {}

impl<T> Future for Run<'_, T> {
    type Output = Result<Outcome<T>, RunError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Ready(_) = &self.state
            && let State::Ready(ready) = std::mem::replace(&mut self.state, State::Over)
        {
            match ready.launch {
                Ok(launch) => {
                    self.state = State::Running(Driven(Some((ready.start)(launch))));
                }
                Err(wrong) => return Poll::Ready(Err(wrong.into())),
            }
        }
        let State::Running(Driven(Some(running))) = &mut self.state else {
            let over = Error::invalid("the run is over: its outcome was returned already");
            return Poll::Ready(Err(over.into()));
        };
        let poll = running.as_mut().poll(task);
        if poll.is_ready() {
            self.state = State::Over;
        }
        poll
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
    /// # Errors
    /// The run's own, as a [`RunError`] with a report of what it did; `Invalid` for a bad user or
    /// session id; cancelled while the loom shuts down.
    pub fn run<'a, I: Data, M: 'a, S>(&self, step: &'a S, input: impl Into<I>) -> Run<'a, S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let input = input.into();
        let start = move |launch: Launch| -> BoxFuture<'a, _> {
            Box::pin(async move { launch.run(step, input).await })
        };
        Run::new(self.launch(), Box::new(start))
    }

    /// [`Session::run`] that owns what it runs, for servers.
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
    /// let task = tokio::spawn(session.run_owned(step, "hello"));
    /// assert_eq!(task.await.unwrap()?.output, "HELLO");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_owned<I: Data, M: 'static, S>(
        &self,
        step: Arc<S>,
        input: impl Into<I>,
    ) -> Run<'static, S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let input = input.into();
        let start = move |launch: Launch| -> BoxFuture<'static, _> {
            Box::pin(async move { launch.run(&*step, input).await })
        };
        Run::new(self.launch(), Box::new(start))
    }

    /// Resumes a run that paused, failed or lost its process, on the input it was begun with: what
    /// it recorded is used again, and only the rest runs. Its id, its trace, its limits and what it
    /// used stay, but where this session's limits are lower, those hold; the deadline begins anew.
    /// Needs the journal it was recorded in, and a session of the same user by the same name.
    ///
    /// # Errors
    /// The run's own; `Invalid` without a journal, for a run that isn't this session's, while
    /// another worker has it, or by a definition that changed since (naming the difference), unless
    /// the session is [`accepting_changes`](Session::accepting_changes).
    pub fn resume<'a, I: Data, M: 'a, S>(&self, run_id: &RunId, step: &'a S) -> Run<'a, S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let start = move |launch: Launch| -> BoxFuture<'a, _> {
            Box::pin(async move { launch.resume(step).await })
        };
        Run::new(self.launch_of(run_id.clone()), Box::new(start))
    }

    /// [`Session::resume`] that owns what it runs, for servers.
    ///
    /// # Errors
    /// As [`Session::resume`].
    pub fn resume_owned<I: Data, M: 'static, S>(
        &self,
        run_id: &RunId,
        step: Arc<S>,
    ) -> Run<'static, S::Out>
    where
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let start = move |launch: Launch| -> BoxFuture<'static, _> {
            Box::pin(async move { launch.resume(&*step).await })
        };
        Run::new(self.launch_of(run_id.clone()), Box::new(start))
    }

    fn launch(&self) -> Launch {
        self.launch_of(self.new_run_id())
    }

    pub(crate) fn launch_of(&self, run_id: RunId) -> Launch {
        Launch {
            control: Arc::new(Control::new(run_id, Some(self.who().clone()))),
            session: self.clone(),
            queue: None,
            is_named: false,
        }
    }
}
