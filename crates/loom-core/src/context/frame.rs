//! `Frame`: what a context holds of one effect, and `Place`: where something stands below which
//! effects open.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use futures::task::AtomicWaker;

use crate::attributes::Attributes;
use crate::context::RunContext;
use crate::effect::Effect;
use crate::ending::Ending;
use crate::error::Error;
use crate::ids::{RunId, UserId};
use crate::ledger::Reservation;
use crate::life::Life;
use crate::path::Siblings;
use crate::tree::{Tree, unpoisoned};

/// One opened effect; `parent` is absent only in the bare context a root is opened under.
pub(super) struct Frame {
    pub(super) tree: Arc<Tree>,
    pub(super) parent: Option<RunContext>,
    /// Its place among the tree's effects, in the order in which they were made.
    pub(super) number: u64,
    pub(super) effect: Effect,
    pub(super) nth: u32,
    /// How many agent and workflow runs enclose this effect, itself included.
    pub(super) depth: u32,
    /// How many effects enclose this one, itself included.
    pub(super) level: u32,
    /// Computed when somebody asks; only a run that is nested has one of its own.
    pub(super) run_id: Option<Box<OnceLock<RunId>>>,
    /// Whom this effect and all below it are for, where that isn't the run's own user.
    pub(super) acting_as: Option<UserId>,
    /// Whether the output was recorded by an earlier attempt and is used again.
    pub(super) replayed: AtomicBool,
    pub(super) place: Place,
    pub(super) life: Life,
    /// Whom to wake when this closes together with what is above it.
    pub(super) waker: AtomicWaker,
}

/// Something below which effects open: an effect, or one of its branches.
#[derive(Default)]
pub(super) struct Place {
    /// Made when it is first needed: most effects open nothing below them and record nothing.
    state: Mutex<Option<Box<State>>>,
    /// Whether it was made: who only looks for something there needs no lock before.
    has_state: AtomicBool,
    /// How many questions below this are open; changed under the lock of the tree's questions.
    pub(super) questions: AtomicU32,
    /// What has been settled of this place: the bits below.
    marks: AtomicU8,
    /// How often something was refused here because the run ends or waits.
    pub(super) refusals: AtomicU32,
    /// Why what is dropped below this at this moment is being dropped, as a code.
    pub(super) dropping: AtomicU8,
}

/// The body has returned: from now on nothing below may ask or withdraw a question.
pub(super) const DECIDED: u8 = 1;
/// Something was refused here since it waits for an answer: it waits, whatever is withdrawn.
pub(super) const REFUSED: u8 = 2;
/// It was refused too often: what runs here is dropped.
pub(super) const GIVEN_UP: u8 = 4;
/// A branch that has ended.
pub(super) const OVER: u8 = 8;
/// A branch of one effect that has opened it, or waited before that: what it opens from now on
/// isn't counted in the order in which branches began.
pub(super) const OPENED: u8 = 16;

/// What comes up while a place is open.
#[derive(Default)]
pub(super) struct State {
    pub(super) siblings: Siblings,
    /// How many effects and questions directly below this are under way, where a journal must tell
    /// them apart; and whether two ever were at once.
    pub(super) under_way: u32,
    pub(super) overlapped: bool,
    pub(super) recorded: Attributes,
    /// What a model call has reserved; boxed, since few runs have one.
    pub(super) reservation: Option<Box<Reservation>>,
    /// What goes in instead of what was announced, where a person changed it.
    pub(super) arguments: Option<Arc<serde_json::Value>>,
    /// A closing that the last one who tells of the effect will report.
    pub(super) pending: Option<Box<Pending>>,
}

/// A closing that waits to be reported.
pub(crate) struct Pending {
    pub(crate) ending: Ending,
    pub(crate) error: Option<Error>,
    pub(crate) output: Option<serde_json::Value>,
}

impl Place {
    pub(super) fn is_marked(&self, mark: u8) -> bool {
        self.marks.load(Ordering::SeqCst) & mark != 0
    }

    pub(super) fn mark(&self, mark: u8) {
        self.marks.fetch_or(mark, Ordering::SeqCst);
    }

    /// Marks it; whether it was marked before.
    pub(super) fn was_marked(&self, mark: u8) -> bool {
        self.marks.fetch_or(mark, Ordering::SeqCst) & mark != 0
    }

    pub(super) fn with_state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let mut state = unpoisoned(&self.state);
        let state = state.get_or_insert_with(|| {
            self.has_state.store(true, Ordering::Release);
            Box::default()
        });
        with(state)
    }

    pub(super) fn if_state<T>(&self, with: impl FnOnce(&mut State) -> T) -> Option<T> {
        if !self.has_state.load(Ordering::Acquire) {
            return None;
        }
        unpoisoned(&self.state).as_mut().map(|state| with(state))
    }
}

impl Frame {
    #[inline]
    pub(super) fn new(
        tree: Arc<Tree>,
        parent: Option<RunContext>,
        effect: Effect,
        nth: u32,
        depth: u32,
    ) -> Self {
        let number = tree.next_number();
        let around = parent.as_ref().map(RunContext::frame);
        Self {
            number,
            acting_as: effect
                .acting_as()
                .or(around.and_then(|it| it.acting_as.as_ref()))
                .cloned(),
            run_id: (effect.kind().is_run() && depth > 1).then(Box::default),
            level: around.map_or(0, |it| it.level + 1),
            tree,
            parent,
            effect,
            nth,
            depth,
            replayed: AtomicBool::new(false),
            place: Place::default(),
            life: Life::default(),
            waker: AtomicWaker::new(),
        }
    }
}
