//! `Loom`: what is wired once per process.

mod parts;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::admission::Shutdown;
use crate::backpressure::Backpressure;
use crate::clock::{Clock, Ids};
use crate::ending::CancelReason;
use crate::error::{ErrorKind, Result};
use crate::gate::{Gate, NamedGate};
use crate::ids::RunId;
use crate::install::Install;
use crate::journal::{Forget, Journal};
use crate::limits::Limits;
use crate::observer::{DynObserver, Observer};
use crate::paused::{self, PausedRun};
use crate::permissions::Permissions;
use crate::poll::caught_now;
use crate::question::Approver;
use crate::scope::Scope;
use crate::session::Session;

pub(crate) use parts::Parts;

/// The observers, gates, limits, clock and ids that all runs of a process share.
///
/// Built once; cheap to clone. Everything under a loom is wired by it, however deep it is nested.
///
/// ```
/// use loom_core::{Loom, Result};
/// use loom_testing::Recorder;
///
/// async fn shout(text: String) -> Result<String> {
///     Ok(text.to_uppercase())
/// }
///
/// # futures::executor::block_on(async {
/// let recorder = Recorder::default();
/// let loom = Loom::builder().observe(recorder.clone()).build();
/// let outcome = loom.session("alice").run(&shout, "hello").await?;
/// assert_eq!(outcome.output, "HELLO");
/// assert_eq!(recorder.tree().lines(), ["loom.workflow.run shout"]);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Loom(Arc<Parts>);

impl Loom {
    /// A loom to be wired.
    pub fn builder() -> LoomBuilder {
        LoomBuilder::default()
    }

    pub(crate) fn parts(&self) -> &Arc<Parts> {
        &self.0
    }

    /// A fresh session of this user. A bad id is an `Invalid` error of its first run.
    pub fn session(&self, user: impl Into<Arc<str>>) -> Session {
        Session::new(self.0.clone(), Some(user.into()))
    }

    /// A fresh session of nobody: its own partition, visible as such in every record.
    pub fn anonymous(&self) -> Session {
        Session::new(self.0.clone(), None)
    }

    /// The runs of a partition that wait for answers, or to be resumed once all they asked is
    /// answered, oldest first; and those whose record can't be read, which say so.
    ///
    /// # Errors
    /// `Invalid` without a journal; `Failed` for a journal that doesn't work.
    ///
    /// ```
    /// use loom_core::{Loom, MemoryJournal};
    ///
    /// # futures::executor::block_on(async {
    /// let loom = Loom::builder().journal(MemoryJournal::default()).build();
    /// let session = loom.session("alice").id("conv_42");
    /// assert!(loom.paused(&session.scope()?).await?.is_empty());
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn paused(&self, scope: &Scope) -> Result<Vec<PausedRun>> {
        paused::paused(&**self.0.journal()?, scope).await
    }

    /// Cancels a run of this partition, wherever it is: one that is under way here stops, one that
    /// another process works on stops when it next renews its lease, and one that waits or was left
    /// behind is ended for good: its root is opened and closed as cancelled. Waits for a run that is
    /// just being claimed here; one that nobody polls must be dropped.
    ///
    /// # Errors
    /// `Invalid` for a run that isn't this partition's, without a journal for one that isn't
    /// under way here; the journal's own error.
    ///
    /// ```
    /// use loom_core::{Loom, MemoryJournal, Result, RunContext};
    ///
    /// async fn refund(cx: RunContext, _: ()) -> Result<bool> {
    ///     cx.ask("sure", "Refund?").await
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let loom = Loom::builder().journal(MemoryJournal::default()).build();
    /// let session = loom.session("alice");
    /// let paused = session.run(&refund, ()).await.unwrap_err();
    /// loom.cancel(&session.scope()?, &paused.report().unwrap().run_id).await?;
    /// assert!(loom.paused(&session.scope()?).await?.is_empty());
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn cancel(&self, scope: &Scope, run_id: &RunId) -> Result<()> {
        if let Some(control) = self.0.admission.find(scope, run_id) {
            control.cancel(CancelReason::Requested);
            if self.0.journal.is_none() {
                return Ok(());
            }
            // One that was only about to begin records nothing of its end.
            self.0.admission.until_driven_or_gone(&control).await;
            if control.is_driven() {
                return Ok(());
            }
        }
        let session = Session::of_scope(self.0.clone(), scope);
        let run = session.journal_run(run_id)?;
        match session.launch(run_id.clone()).cancel_paused().await {
            Err(held) if held.error().kind() == ErrorKind::Invalid => {
                let journal = self.0.journal()?;
                let asked = journal.request_cancel(&run).await?;
                asked.then_some(()).ok_or_else(|| held.into())
            }
            ended => Ok(ended?),
        }
    }

    /// Removes finished, paused or left-behind runs from the journal, with all they recorded;
    /// returns how many.
    ///
    /// # Errors
    /// `Invalid` without a journal, and for a run that is being worked on: then nothing is removed;
    /// the journal's own error.
    ///
    /// ```
    /// use loom_core::{Forget, Loom, MemoryJournal, UserId};
    ///
    /// # futures::executor::block_on(async {
    /// let loom = Loom::builder().journal(MemoryJournal::default()).build();
    /// assert_eq!(loom.forget(&Forget::User(Some(UserId::new("alice")?))).await?, 0);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn forget(&self, what: &Forget) -> Result<u64> {
        self.0.journal()?.forget(what).await
    }

    /// Begins no further run, waits for those under way, cancels after `deadline` what is left, and
    /// waits until that has settled too. A run is driven by the task that awaits it: one that nobody
    /// polls any more must be dropped for this to end. Needs a Tokio runtime with time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use loom_core::Loom;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let loom = Loom::builder().build();
    /// let shutdown = loom.shutdown(Duration::from_secs(30)).await;
    /// assert_eq!((shutdown.finished, shutdown.cancelled), (0, 0));
    /// # });
    /// ```
    pub async fn shutdown(&self, deadline: Duration) -> Shutdown {
        self.0.admission.shut_down(deadline).await
    }

    /// How many runs are under way.
    pub fn running(&self) -> usize {
        self.0.admission.count()
    }

    /// How many threads run blocking steps, including those nobody waits for any more.
    pub fn blocking_running(&self) -> usize {
        self.0.blocking_max - self.0.blocking.available_permits()
    }

    /// How many times an observer panicked since this loom was built.
    pub fn observer_faults(&self) -> u64 {
        self.0.observer_faults.load(Ordering::Relaxed)
    }
}

/// A loom being wired.
#[derive(Default)]
#[must_use = "a loom is wired by `.build()`"]
pub struct LoomBuilder(Parts);

impl LoomBuilder {
    /// Adds an observer. Observers are notified in the order they were added.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        let observer: Arc<dyn DynObserver> = Arc::new(observer);
        if caught_now(|| observer.wants_polls()).unwrap_or(false) {
            self.0.pollers.push(observer.clone());
        }
        self.0.observers.push(observer);
        self
    }

    /// Adds a gate. Gates are asked in the order they were added.
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.0.gates.push(NamedGate::new(gate));
        self
    }

    /// Adds a gate that is asked after all others, whenever they were added: for "what was
    /// decided is safely written down".
    pub fn barrier(mut self, gate: impl Gate) -> Self {
        self.0.barriers.push(NamedGate::new(gate));
        self
    }

    /// Who answers when a gate wants somebody asked. The last one given counts.
    pub fn approver(mut self, approver: impl Approver) -> Self {
        self.0.approver = Some(Box::new(approver));
        self
    }

    /// Replaces the default permissions, under which destructive tools are asked for.
    pub fn permissions(self, permissions: Permissions) -> Self {
        let Self(mut parts) = self.without_permissions();
        let gate = NamedGate::new(permissions);
        parts.gates.insert(0, gate);
        parts.permissions_off = false;
        Self(parts)
    }

    /// Takes the permissions away: every tool may be called, destructive ones too. Each root run
    /// records that it ran like this.
    pub fn without_permissions(mut self) -> Self {
        if !self.0.permissions_off {
            // Theirs is the first gate.
            self.0.gates.remove(0);
            self.0.permissions_off = true;
        }
        self
    }

    /// Makes the door wait before it opens anything while this part is full.
    pub fn backpressure(mut self, part: impl Backpressure) -> Self {
        self.0.waits.push(Arc::new(part));
        self
    }

    /// Where runs are recorded, so that they can pause and be resumed.
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.0.journal = Some(Arc::new(journal));
        self
    }

    /// How many threads may run blocking steps at the same time, at least one: 64. More wait.
    pub fn blocking_max(mut self, blocking_max: usize) -> Self {
        self.0.blocking_max = blocking_max.max(1);
        self.0.blocking = Arc::new(Semaphore::new(self.0.blocking_max));
        self
    }

    /// Installs a part that needs more than one seat.
    pub fn install(self, part: impl Install) -> Self {
        part.install(self)
    }

    /// Bounds every tree of runs.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Replaces the machine's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.0.clock = Box::new(clock);
        self
    }

    /// Replaces the random identifiers.
    pub fn ids(mut self, ids: impl Ids) -> Self {
        self.0.ids = Box::new(ids);
        self
    }

    /// How long a finished run waits for its observers to settle, in milliseconds: 5,000.
    pub fn settle_ms_max(mut self, settle_ms_max: u64) -> Self {
        self.0.settle_max = Duration::from_millis(settle_ms_max);
        self
    }

    /// How long a run is this process's own in the journal without a sign of life: 30 s. It is
    /// renewed three times in that while; a run whose process is gone longer may be resumed
    /// elsewhere.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.0.lease = lease;
        self
    }

    /// The wired loom.
    pub fn build(self) -> Loom {
        Loom(Arc::new(self.0))
    }
}
