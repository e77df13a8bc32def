//! `RunContext`: the handle on the run that every step, agent and tool is given.

mod ended_below;
mod frame;
mod whereabouts;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use self::frame::{Frame, State};
use crate::attributes::{AttrValue, Attributes};
use crate::budget::Reservation;
use crate::effect::{Effect, EffectKind};
use crate::ending::CancelReason;
use crate::event::{Event, EventKind, Note};
use crate::handle::Handle;
use crate::life::Life;
use crate::name::Name;
use crate::path::{Siblings, push_segment};
use crate::trace::SpanId;
use crate::tree::{Tree, unpoisoned};
use crate::usage::Tokens;

/// One effect's handle on the run it belongs to: who the run is for, where in it we are, and the
/// door through which further effects pass.
///
/// Passed by reference through traits and owned into functions; a clone is one atomic addition.
/// Whoever calls an agent, a workflow or a tool hands its own context on: that is how the user,
/// the trace, the limits and the cancellation reach what is nested. A context that is kept after
/// its run is over opens nothing more.
///
/// ```
/// use loom_core::{Loom, Result, RunContext};
///
/// async fn double(n: u64) -> Result<u64> {
///     Ok(2 * n)
/// }
///
/// async fn quadruple(cx: RunContext, n: u64) -> Result<u64> {
///     let n = cx.step("first", &double, n).await?;
///     cx.step("second", &double, n).await
/// }
///
/// # futures::executor::block_on(async {
/// let outcome = Loom::builder().build().session("alice").run(&quadruple, 2u64).await?;
/// assert_eq!(outcome.output, 8);
/// assert_eq!(outcome.visited, ["first", "second"]);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct RunContext(Whereabouts);

/// What there is to read in a [`RunContext`], and nothing to act with: who the run is for, its ids,
/// and where in it an effect stands. Observers are given one with each event.
///
/// ```
/// use loom_core::{RunContext, Whereabouts};
///
/// fn who(at: &Whereabouts) -> String {
///     format!("{} in {}", at.user().map_or("nobody", |it| it.as_str()), at.path())
/// }
///
/// // A context gives all of it, too.
/// assert_eq!(who(&RunContext::test("alice")), "alice in test");
/// ```
#[derive(Clone)]
pub struct Whereabouts(Arc<Frame>);

impl RunContext {
    /// A hold on the whole run, to cancel it.
    pub fn handle(&self) -> Handle {
        Handle::new(self.root_run_id().clone(), self.frame().tree.cancel.clone())
    }

    /// Notes something of this effect's span; names are static, details go into the attributes.
    pub fn note(&self, name: &'static str, attributes: &Attributes) {
        if self.is_open() {
            self.tell_note(&Note::Custom { name }, attributes);
        }
    }

    pub(crate) fn tell_note(&self, note: &Note, attributes: &Attributes) {
        self.emit(EventKind::Noted { note, attributes });
    }

    /// Records attributes that this effect closes with.
    pub fn record(&self, attributes: Attributes) {
        if self.is_watched() {
            self.with_state(|state| state.recorded.extend(attributes));
        }
    }

    /// Records one attribute that this effect closes with.
    pub fn record_one(&self, name: &'static str, value: impl Into<AttrValue>) {
        if self.is_watched() {
            self.with_state(|state| state.recorded.set(name, value));
        }
    }

    /// Hands a piece of a streamed reply to whoever watches.
    pub fn delta(&self, text: &str) {
        if !text.is_empty() && self.is_open() {
            self.emit(EventKind::Delta { text });
        }
    }

    /// Counts what this model call consumed, and gives back what it had reserved beyond.
    pub fn spend(&self, tokens: Tokens) {
        let tree = self.tree();
        tree.spend(self.effect().name(), tokens);
        if !tree.budget.is_reserved() {
            tree.budget.take(tokens);
            return;
        }
        self.if_state(|state| {
            if let Some(reservation) = &mut state.reservation {
                reservation.settle(tokens);
            }
        });
    }

    /// Drops a future that opened effects below this one, so that those close as cancelled for
    /// this reason.
    pub fn cancel_with<T>(&self, why: CancelReason, dropped: T) {
        let before = self.frame().dropping.swap(why.code(), Ordering::AcqRel);
        let _restored = RestoreOnDrop {
            cell: &self.frame().dropping,
            before,
        };
        drop(dropped);
    }

    /// The context of a tree in which nothing is open yet.
    pub(crate) fn bare(tree: Arc<Tree>) -> Self {
        let effect = Effect::new(EffectKind::Workflow, Name::EMPTY);
        Self(Whereabouts(Arc::new(Frame::new(tree, None, effect, 0, 0))))
    }

    /// The context of a further effect below this one.
    pub(crate) fn child(&self, effect: Effect) -> Self {
        let nth = if effect.is_only_one() || self.is_bare() {
            1
        } else {
            self.with_state(|state| state.siblings.count(&effect))
        };
        let depth = self.frame().depth + u32::from(effect.kind().is_run());
        let tree = self.frame().tree.clone();
        let frame = Frame::new(tree, Some(self.clone()), effect, nth, depth);
        Self(Whereabouts(Arc::new(frame)))
    }

    pub(crate) fn set_reservation(&self, reservation: Reservation) {
        self.with_state(|state| state.reservation = Some(Box::new(reservation)));
    }

    /// What this effect holds of the budget: only a model call ever does.
    pub(crate) fn take_reservation(&self) -> Option<Reservation> {
        if self.effect().kind() != EffectKind::Model {
            return None;
        }
        let taken = self.if_state(|state| state.reservation.take()).flatten();
        taken.map(|boxed| *boxed)
    }

    /// Takes this effect's name among the open steps below its parent; false if it is taken.
    pub(crate) fn claim_name(&self) -> bool {
        let Some(parent) = &self.frame().parent else {
            return true;
        };
        let own = (
            self.frame().effect.name().clone(),
            self.frame().effect.at().cloned(),
        );
        parent.with_state(|state| {
            let free = !state.open_steps.contains(&own);
            if free {
                state.open_steps.push(own);
            }
            free
        })
    }

    pub(crate) fn release_name(&self) {
        if let Some(parent) = &self.frame().parent {
            let (name, at) = (self.frame().effect.name(), self.frame().effect.at());
            parent.if_state(|state| {
                state
                    .open_steps
                    .retain(|(n, i)| n != name || i.as_ref() != at);
            });
        }
    }

    pub(crate) fn set_replayed(&self) {
        self.frame().replayed.store(true, Ordering::Relaxed);
    }

    /// How often what was opened below this effect so far.
    pub(crate) fn children(&self) -> Siblings {
        self.if_state(|state| state.siblings.clone())
            .unwrap_or_default()
    }

    /// Counts the openings below this effect from there again.
    pub(crate) fn recount_children(&self, from: Siblings) {
        self.with_state(|state| state.siblings = from);
    }

    /// The path of something below this effect that is no effect itself.
    pub(crate) fn path_below(&self, name: &Name) -> String {
        let below = Effect::new(EffectKind::Step, name.clone());
        let nth = self.with_state(|state| state.siblings.count(&below));
        let mut path = self.path();
        path.push('/');
        push_segment(&mut path, &below, nth);
        path
    }

    /// A number that looks random, the same for the same span and `n`.
    pub(crate) fn random(&self, n: u64) -> u64 {
        SpanId::nth(self.span_id().as_u64(), n).as_u64()
    }

    pub(crate) fn tree(&self) -> &Arc<Tree> {
        &self.frame().tree
    }

    pub(crate) fn depth(&self) -> u32 {
        self.frame().depth
    }

    pub(crate) fn life(&self) -> &Life {
        &self.frame().life
    }

    pub(crate) fn number(&self) -> u64 {
        self.frame().number
    }

    /// What this effect was opened under: its parent, or the bare context of a root.
    pub(crate) fn around(&self) -> Option<&RunContext> {
        self.frame().parent.as_ref()
    }

    /// Whether something may still be said of this effect.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_bare() && !self.is_closed() && !self.frame().tree.is_over()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.frame().life.is_closed()
    }

    pub(crate) fn take_recorded(&self) -> Attributes {
        self.if_state(|state| std::mem::take(&mut state.recorded))
            .unwrap_or_default()
    }

    /// Why a future of this effect is being dropped just now.
    pub(crate) fn drop_reason(&self) -> CancelReason {
        let mut here = self.around();
        while let Some(cx) = here {
            if let Some(why) = CancelReason::from_code(cx.frame().dropping.load(Ordering::Acquire))
            {
                return why;
            }
            here = cx.around();
        }
        self.frame()
            .tree
            .cancel
            .reason()
            .unwrap_or(CancelReason::Dropped)
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.frame().tree.is_watched()
    }

    /// Tells observers of something that happens to this effect, unless it has closed.
    pub(crate) fn emit(&self, kind: EventKind<'_>) {
        if !self.is_closed() {
            self.tell(kind);
            self.frame().tree.wake_reader();
        }
    }

    /// The same where a lock is held, or of an effect that closes or has settled. Whoever calls
    /// this wakes the stream's reader afterwards.
    pub(crate) fn tell(&self, kind: EventKind<'_>) {
        if self.is_watched() {
            let event = Event {
                cx: self,
                at: self.frame().tree.now(),
                kind,
            };
            self.frame().tree.tell(&event);
        }
    }

    /// Waits for those who decide about this effect; until they have, nothing opens below it.
    pub(crate) async fn while_deciding<T>(&self, decision: impl Future<Output = T> + Send) -> T {
        self.frame().deciding.store(true, Ordering::Release);
        let decided = decision.await;
        self.frame().deciding.store(false, Ordering::Release);
        decided
    }

    /// Whether gates or people are being asked about this effect just now.
    pub(crate) fn is_being_decided(&self) -> bool {
        self.frame().deciding.load(Ordering::Acquire)
    }

    fn frame(&self) -> &Frame {
        &self.0.0
    }

    fn with_state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let mut state = unpoisoned(&self.frame().state);
        let state = state.get_or_insert_with(|| {
            self.frame().has_state.store(true, Ordering::Release);
            Box::default()
        });
        with(state)
    }

    fn if_state<T>(&self, with: impl FnOnce(&mut State) -> T) -> Option<T> {
        if !self.frame().has_state.load(Ordering::Acquire) {
            return None;
        }
        unpoisoned(&self.frame().state)
            .as_mut()
            .map(|state| with(state))
    }
}

/// Sets a cell back, also when something panics in between.
struct RestoreOnDrop<'a> {
    cell: &'a AtomicU8,
    before: u8,
}

impl Drop for RestoreOnDrop<'_> {
    fn drop(&mut self) {
        self.cell.store(self.before, Ordering::Release);
    }
}

impl Deref for RunContext {
    type Target = Whereabouts;

    fn deref(&self) -> &Whereabouts {
        &self.0
    }
}

impl fmt::Debug for RunContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunContext({:?})", self.path())
    }
}

impl fmt::Debug for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Whereabouts({:?})", self.path())
    }
}
