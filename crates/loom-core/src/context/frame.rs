//! `Frame`: what a context holds of one effect.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32};
use std::sync::{Arc, Mutex, OnceLock};

use crate::attributes::Attributes;
use crate::budget::Reservation;
use crate::context::RunContext;
use crate::context::ended_below::EndedBelow;
use crate::effect::Effect;
use crate::ids::{RunId, UserId};
use crate::life::Life;
use crate::name::Name;
use crate::path::Siblings;
use crate::tree::Tree;

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
    /// Computed when somebody asks; only a run that is nested has one of its own.
    pub(super) run_id: Option<Box<OnceLock<RunId>>>,
    /// Made when it is first needed: most effects open nothing below them and record nothing.
    pub(super) state: Mutex<Option<Box<State>>>,
    /// Whether it was made: who only looks for something there needs no lock before.
    pub(super) has_state: AtomicBool,
    /// Whom this effect and all below it are for, where that isn't the run's own user.
    pub(super) acting_as: Option<UserId>,
    /// Whether the output was recorded by an earlier attempt and is used again.
    pub(super) replayed: AtomicBool,
    /// Why what is dropped below this effect at this moment is being dropped, as a code.
    pub(super) dropping: AtomicU8,
    /// Whether it is just being decided whether this effect may happen.
    pub(super) deciding: AtomicBool,
    /// Odd while the body is polled, even in between; each poll has a number of its own.
    pub(super) polls: AtomicU32,
    pub(super) life: Life,
}

/// What comes up while an effect is open.
#[derive(Default)]
pub(super) struct State {
    pub(super) siblings: Siblings,
    pub(super) recorded: Attributes,
    /// The steps that are open below this effect, where a journal must tell them apart.
    pub(super) open_steps: Vec<(Name, Option<Name>)>,
    /// What a model call holds of the budget; boxed, since few runs have one.
    pub(super) reservation: Option<Box<Reservation>>,
    pub(super) ended_below: Option<Box<EndedBelow>>,
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
        Self {
            number,
            acting_as: effect
                .acting_as()
                .or(parent.as_ref().and_then(|it| it.frame().acting_as.as_ref()))
                .cloned(),
            run_id: (effect.kind().is_run() && depth > 1).then(Box::default),
            tree,
            parent,
            effect,
            nth,
            depth,
            state: Mutex::new(None),
            has_state: AtomicBool::new(false),
            replayed: AtomicBool::new(false),
            dropping: AtomicU8::new(0),
            deciding: AtomicBool::new(false),
            polls: AtomicU32::new(0),
            life: Life::default(),
        }
    }
}
