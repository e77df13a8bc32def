//! `Control`: whether a run ends, and why. The one place that holds it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;

use crate::context::RunContext;
use crate::ending::{CancelReason, Ending};
use crate::error::Error;
use crate::ids::RunId;
use crate::scope::Scope;
use crate::tree::unpoisoned;

/// Whether a run is to end as a whole: first come, first kept.
///
/// The door, a handle, the deadline and the driver write here; the driver alone reads what the
/// run's result is. Nothing of it travels as a value that other code could wrap or swallow.
pub(crate) struct Control {
    run_id: RunId,
    /// Whose run it is; `None` in tests, and for a session with an invalid id.
    scope: Option<Scope>,
    /// Whether its run was claimed in the journal.
    claimed: AtomicBool,
    driven: AtomicBool,
    /// The reason's code for all spans that the cause itself doesn't lie in; 0 while the run lives.
    why: AtomicU8,
    shared: Mutex<Shared>,
    driver: AtomicWaker,
}

#[derive(Default)]
struct Shared {
    cause: Option<Cause>,
    /// The root span's context, from its opening until the run is wound up.
    root: Option<RunContext>,
}

/// What ends a run as a whole.
#[derive(Clone)]
pub(crate) struct Cause {
    /// How the spans from the cause up to the root close.
    pub(crate) ending: Ending,
    pub(crate) error: Error,
    /// Whether a part stopped working that the run can't do without.
    pub(crate) is_broken: bool,
    /// Why all other open spans close.
    why: CancelReason,
}

impl Cause {
    pub(crate) fn cancelled(why: CancelReason) -> Self {
        Self {
            ending: Ending::Cancelled { why },
            error: Error::stopped(format!("the run was cancelled ({why})")),
            is_broken: false,
            why,
        }
    }

    /// A limit of the whole tree.
    pub(crate) fn limit(error: Error) -> Self {
        Self {
            ending: Ending::Interrupted,
            error,
            is_broken: false,
            why: CancelReason::LimitReached,
        }
    }

    pub(crate) fn broken(error: Error) -> Self {
        Self {
            ending: Ending::Failed,
            error,
            is_broken: true,
            why: CancelReason::Broken,
        }
    }
}

impl Control {
    pub(crate) fn new(run_id: RunId, scope: Option<Scope>) -> Self {
        Self {
            run_id,
            scope,
            claimed: AtomicBool::new(false),
            driven: AtomicBool::new(false),
            why: AtomicU8::new(0),
            shared: Mutex::default(),
            driver: AtomicWaker::new(),
        }
    }

    pub(crate) fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// Whether it controls this run of this partition.
    pub(crate) fn is_of(&self, scope: &Scope, run_id: &RunId) -> bool {
        self.run_id == *run_id && self.scope.as_ref() == Some(scope)
    }

    /// Says that from now on the run's end is recorded, whatever ends it.
    pub(crate) fn set_driven(&self) {
        self.driven.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_driven(&self) -> bool {
        self.driven.load(Ordering::SeqCst)
    }

    pub(crate) fn set_claimed(&self) {
        self.claimed.store(true, Ordering::Release);
    }

    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }

    /// Ends the run for this cause, unless it is ending already. The spans from `at` up to the root
    /// close with the cause's ending, the root alone where there is no such place.
    pub(crate) fn stop(&self, cause: Cause, at: Option<&RunContext>) {
        self.write(cause, at);
        self.driver.wake();
    }

    /// Ends a run whose driver is being dropped.
    pub(crate) fn drop_run(&self) {
        self.write(Cause::cancelled(CancelReason::Dropped), None);
    }

    fn write(&self, cause: Cause, at: Option<&RunContext>) {
        let mut shared = unpoisoned(&self.shared);
        if shared.cause.is_some() {
            return;
        }
        let why = cause.why;
        shared.cause = Some(cause);
        // From the root down: where a span has closed, all below it has.
        match (at, &shared.root) {
            (Some(at), _) => at.mark_upwards(),
            (None, Some(root)) => drop(root.life().mark()),
            (None, None) => (),
        }
        self.why.store(why.code(), Ordering::SeqCst);
    }

    pub(crate) fn cancel(&self, why: CancelReason) {
        self.stop(Cause::cancelled(why), None);
    }

    /// Why spans close that the cause doesn't lie in; `None` while the run lives.
    #[inline]
    pub(crate) fn reason(&self) -> Option<CancelReason> {
        CancelReason::from_code(self.why.load(Ordering::SeqCst))
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.reason()?;
        unpoisoned(&self.shared).cause.clone()
    }

    /// Whom to wake; ask for the reason after this, not before, or a request could be missed.
    pub(crate) fn register(&self, driver: &Waker) {
        self.driver.register(driver);
    }

    /// Wakes the driver to look at the run's state.
    pub(crate) fn wake(&self) {
        self.driver.wake();
    }

    /// Takes the root span's context; false when there is one already.
    pub(crate) fn set_root(&self, root: &RunContext) -> bool {
        let mut shared = unpoisoned(&self.shared);
        if shared.root.is_some() {
            return false;
        }
        shared.root = Some(root.clone());
        if shared.cause.is_some() {
            root.life().mark();
        }
        true
    }

    /// The root span's context, which is forgotten: that breaks the cycle it is part of.
    pub(crate) fn take_root(&self) -> Option<RunContext> {
        unpoisoned(&self.shared).root.take()
    }
}
