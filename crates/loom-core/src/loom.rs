//! `Loom`: what is wired once per process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::admission::{Admission, Shutdown};
use crate::backpressure::{Backpressure, DynBackpressure};
use crate::clock::{Clock, Ids, RandomIds, SystemClock};
use crate::error::{Error, Result};
use crate::gate::{Gate, NamedGate};
use crate::journal::{DynJournal, Journal};
use crate::limits::Limits;
use crate::observer::{DynObserver, Observer};
use crate::paused::{self, PausedRun};
use crate::permissions::{PermissionGate, Permissions};
use crate::poll::caught_now;
use crate::question::{Approver, DynApprover};
use crate::scope::Scope;
use crate::session::Session;

/// The observers, gates, limits, clock and ids that all runs of a process share.
///
/// Built once; cheap to clone. Everything under a loom is wired by it, however deep it is nested.
///
/// ```
/// use loom_core::{Loom, Recorder, Result};
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
    /// `Invalid` without a journal; `Internal` for a journal that doesn't work.
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
        let Some(journal) = &self.0.journal else {
            return Err(Error::invalid(
                "the loom has no journal: give it one with `.journal(..)`",
            ));
        };
        paused::paused(&**journal, scope).await
    }

    /// Begins no further run, waits for those that go on, cancels after `deadline` what is left,
    /// and waits until that has settled too. Runs are driven by whoever awaits them: one that
    /// nobody polls any more must be dropped for this to end. Needs a Tokio runtime with time.
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

    /// How many runs are going on.
    pub fn running(&self) -> usize {
        self.0.admission.count()
    }

    /// How many threads run blocking steps, those included that nobody waits for any more.
    pub fn blocking_running(&self) -> usize {
        self.0.blocking_max - self.0.blocking.available_permits()
    }

    /// How many times an observer panicked since this loom was built.
    pub fn observer_faults(&self) -> u64 {
        self.0.observer_faults.load(Ordering::Relaxed)
    }
}

/// What a tree of runs takes from its loom.
pub(crate) struct Parts {
    pub(crate) observers: Vec<Arc<dyn DynObserver>>,
    pub(crate) pollers: Vec<Arc<dyn DynObserver>>,
    pub(crate) gates: Vec<NamedGate>,
    pub(crate) barriers: Vec<NamedGate>,
    pub(crate) approver: Option<Box<dyn DynApprover>>,
    pub(crate) permissions_off: bool,
    pub(crate) waits: Vec<Arc<dyn DynBackpressure>>,
    pub(crate) journal: Option<Arc<dyn DynJournal>>,
    pub(crate) admission: Admission,
    pub(crate) blocking: Arc<Semaphore>,
    blocking_max: usize,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) ids: Box<dyn Ids>,
    pub(crate) limits: Limits,
    pub(crate) settle_max: Duration,
    observer_faults: AtomicU64,
}

impl Parts {
    /// Tells every observer; one that panics loses this event, never the run's.
    pub(crate) fn tell(&self, told: impl Fn(&dyn DynObserver)) {
        self.tell_pollers(self.observers.iter(), told);
    }

    /// Tells these observers, in this order.
    pub(crate) fn tell_pollers<'a>(
        &self,
        observers: impl Iterator<Item = &'a Arc<dyn DynObserver>>,
        told: impl Fn(&dyn DynObserver),
    ) {
        for observer in observers {
            if caught_now(|| told(&**observer)).is_err() {
                self.observer_faults.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A part that needs more than one seat, for example one that watches and decides.
///
/// It takes its seats in one call, so that it can't be wired by half: it implements neither
/// [`Observer`] nor [`Gate`] in public.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use loom_core::{Effect, Event, Gate, Install, Loom, LoomBuilder, Observer, RunContext, Verdict};
///
/// /// Lets nothing happen any more once anything was closed.
/// #[derive(Clone, Default)]
/// pub struct OneShot(Arc<AtomicBool>);
///
/// struct Watch(OneShot);
/// impl Observer for Watch {
///     fn on_event(&self, event: &Event<'_>) {
///         if let loom_core::EventKind::Closed(_) = event.kind {
///             self.0.0.store(true, Ordering::Relaxed);
///         }
///     }
/// }
///
/// struct Decide(OneShot);
/// impl Gate for Decide {
///     fn name(&self) -> &str {
///         "one_shot"
///     }
///     async fn check(&self, _cx: &RunContext, _effect: &Effect) -> Verdict {
///         match self.0.0.load(Ordering::Relaxed) {
///             true => Verdict::deny("the shot is fired"),
///             false => Verdict::Allow,
///         }
///     }
/// }
///
/// impl Install for OneShot {
///     fn install(self, loom: LoomBuilder) -> LoomBuilder {
///         loom.observe(Watch(self.clone())).gate(Decide(self))
///     }
/// }
///
/// let loom = Loom::builder().install(OneShot::default()).build();
/// # let _ = loom;
/// ```
pub trait Install {
    /// Takes the part's seats.
    fn install(self, loom: LoomBuilder) -> LoomBuilder;
}

/// A loom being wired.
#[must_use = "a loom is wired by `.build()`"]
pub struct LoomBuilder {
    observers: Vec<Arc<dyn DynObserver>>,
    gates: Vec<NamedGate>,
    barriers: Vec<NamedGate>,
    approver: Option<Box<dyn DynApprover>>,
    permissions: Option<Permissions>,
    waits: Vec<Arc<dyn DynBackpressure>>,
    journal: Option<Arc<dyn DynJournal>>,
    blocking_max: usize,
    clock: Box<dyn Clock>,
    ids: Box<dyn Ids>,
    limits: Limits,
    settle_max: Duration,
}

impl Default for LoomBuilder {
    fn default() -> Self {
        Self {
            observers: Vec::new(),
            gates: Vec::new(),
            barriers: Vec::new(),
            approver: None,
            permissions: Some(Permissions::new()),
            waits: Vec::new(),
            journal: None,
            blocking_max: 64,
            clock: Box::new(SystemClock),
            ids: Box::new(RandomIds),
            limits: Limits::default(),
            settle_max: Duration::from_secs(5),
        }
    }
}

impl LoomBuilder {
    /// Adds an observer. Observers are told in the order they were added.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Adds a gate. Gates are asked in the order they were added.
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.gates.push(NamedGate::new(gate));
        self
    }

    /// Adds a gate that is asked after all others, whenever they were added: for "what was
    /// decided is safely written down".
    pub fn barrier(mut self, gate: impl Gate) -> Self {
        self.barriers.push(NamedGate::new(gate));
        self
    }

    /// Who answers when a gate wants somebody asked. The last one given counts.
    pub fn approver(mut self, approver: impl Approver) -> Self {
        self.approver = Some(Box::new(approver));
        self
    }

    /// Replaces the default permissions, under which destructive tools are asked for.
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// Takes the permissions away: every tool may be called, destructive ones too. Each root run
    /// records that it ran like this.
    pub fn without_permissions(mut self) -> Self {
        self.permissions = None;
        self
    }

    /// Makes the door wait before it opens anything while this part is full.
    pub fn backpressure(mut self, part: impl Backpressure) -> Self {
        self.waits.push(Arc::new(part));
        self
    }

    /// Where runs are recorded, so that they can pause and be resumed.
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// How many threads may run blocking steps at the same time, at least one: 64. More wait.
    pub fn blocking_max(mut self, blocking_max: usize) -> Self {
        self.blocking_max = blocking_max.max(1);
        self
    }

    /// Installs a part that needs more than one seat.
    pub fn install(self, part: impl Install) -> Self {
        part.install(self)
    }

    /// Bounds every tree of runs.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the machine's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Replaces the random identifiers.
    pub fn ids(mut self, ids: impl Ids) -> Self {
        self.ids = Box::new(ids);
        self
    }

    /// How long a finished run waits for its observers to settle, in milliseconds: 5,000.
    pub fn settle_ms_max(mut self, settle_ms_max: u64) -> Self {
        self.settle_max = Duration::from_millis(settle_ms_max);
        self
    }

    /// The wired loom.
    pub fn build(self) -> Loom {
        let polled = |it: &&Arc<dyn DynObserver>| caught_now(|| it.wants_polls()).unwrap_or(false);
        let pollers = self.observers.iter().filter(polled).cloned().collect();
        let permissions_off = self.permissions.is_none();
        let permissions = self
            .permissions
            .map(|it| NamedGate::new(PermissionGate(it)));
        Loom(Arc::new(Parts {
            pollers,
            observers: self.observers,
            gates: permissions.into_iter().chain(self.gates).collect(),
            barriers: self.barriers,
            approver: self.approver,
            permissions_off,
            waits: self.waits,
            journal: self.journal,
            admission: Admission::default(),
            blocking: Arc::new(Semaphore::new(self.blocking_max)),
            blocking_max: self.blocking_max,
            clock: self.clock,
            ids: self.ids,
            limits: self.limits,
            settle_max: self.settle_max,
            observer_faults: AtomicU64::new(0),
        }))
    }
}
