//! `RunContext`: the handle on the run that every step, agent and tool is given.

mod view;
mod telling;
mod below;
mod branch;
mod waiting;
mod frame;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use self::branch::BranchFrame;
use self::frame::Frame;
use crate::effect::{Effect, EffectKind};
use crate::ending::CancelReason;
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::ledger::Reservation;
use crate::life::Life;
use crate::name::Name;

use crate::poll::caught_now;
use crate::trace::SpanId;
use crate::tree::Tree;
use crate::usage::Tokens;

pub(crate) use self::branch::Segment;
pub(crate) use self::frame::Pending;
pub(crate) use self::waiting::OpenQuestion;

/// One effect's handle on the run it belongs to: who the run is for, where in it we are, and the
/// door through which further effects pass.
///
/// Passed by reference through traits and owned into functions; cloning is cheap. Whatever calls an
/// agent, a workflow or a tool hands its own context on: that is how the user, the trace, the
/// limits and the cancellation reach what is nested. A context that is kept after its run is over
/// opens nothing more.
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
pub struct RunContext {
    view: EffectView,
    /// The branch of the effect that this is a context of, if it is one's.
    branch: Option<Arc<BranchFrame>>,
}

/// What there is to read in a [`RunContext`], and nothing to act with: who the run is for, its ids,
/// and where in it an effect stands. Observers, gates and approvers are given one.
///
/// ```
/// use loom_core::{EffectView, RunContext};
///
/// fn who(at: &EffectView) -> String {
///     format!("{} in {}", at.user().map_or("nobody", |it| it.as_str()), at.path())
/// }
///
/// // A context can be read in the same way.
/// assert_eq!(who(&RunContext::test("alice")), "alice in test");
/// ```
#[derive(Clone)]
pub struct EffectView(Arc<Frame>);

impl RunContext {
    /// A handle on the whole run, to cancel it.
    pub fn handle(&self) -> Handle {
        Handle::new(self.tree().control.clone())
    }

    /// Whether the run is ending, or this context waits for an answer: then the door opens nothing
    /// here any more, and a loop had better return.
    pub fn is_stopping(&self) -> bool {
        self.tree().control.reason().is_some() || self.tree().is_over() || self.waits()
    }

    /// Charges what this model call took, by the provider's own numbers, and releases what it had
    /// reserved beyond that.
    pub fn spend(&self, tokens: Tokens) {
        // Taken out meanwhile: charging may wake others, which is foreign code.
        let reservation = self.take_reservation();
        let ledger = &self.tree().ledger;
        ledger.charge(self.effect().name(), tokens, reservation.as_ref());
        if let Some(reservation) = reservation {
            self.set_reservation(reservation);
        }
    }

    /// Drops a future that opened effects below this one, so that those close as cancelled for
    /// this reason. A destructor that panics is caught.
    pub fn cancel_with<T>(&self, why: CancelReason, dropped: T) {
        let cell = &self.place().dropping;
        let before = cell.swap(why.code(), Ordering::AcqRel);
        let _restored = RestoreOnDrop { cell, before };
        let _ = caught_now(|| drop(dropped));
    }

    /// The context of a tree in which nothing is open yet.
    pub(crate) fn bare(tree: Arc<Tree>) -> Self {
        let effect = Effect::new(EffectKind::Workflow, Name::EMPTY);
        Self::of(Frame::new(tree, None, effect, 0, 0))
    }

    fn of(frame: Frame) -> Self {
        Self {
            view: EffectView(Arc::new(frame)),
            branch: None,
        }
    }

    /// The context of a further effect below this one.
    pub(crate) fn child(&self, effect: Effect) -> Self {
        let nth = if effect.is_only_one() || self.is_bare() {
            1
        } else {
            self.counting_place()
                .with_state(|state| state.siblings.count(&effect))
        };
        let depth = self.frame().depth + u32::from(effect.kind().is_run());
        let tree = self.frame().tree.clone();
        Self::of(Frame::new(tree, Some(self.clone()), effect, nth, depth))
    }

    pub(crate) fn set_reservation(&self, reservation: Reservation) {
        self.frame()
            .place
            .with_state(|state| state.reservation = Some(Box::new(reservation)));
    }

    /// What this effect has reserved: only a model call ever does.
    pub(crate) fn take_reservation(&self) -> Option<Reservation> {
        if self.effect().kind() != EffectKind::Model {
            return None;
        }
        let taken = self
            .frame()
            .place
            .if_state(|state| state.reservation.take());
        taken.flatten().map(|boxed| *boxed)
    }

    pub(crate) fn has_reservation(&self) -> bool {
        let place = &self.frame().place;
        place.if_state(|state| state.reservation.is_some()) == Some(true)
    }

    /// Gives the body other arguments than were announced, as a person wants.
    pub(crate) fn change_arguments(&self, arguments: Arc<serde_json::Value>) {
        self.frame()
            .place
            .with_state(|state| state.arguments = Some(arguments));
    }

    /// The arguments a person wants this call to have instead of those announced.
    pub(crate) fn changed_arguments(&self) -> Option<Arc<serde_json::Value>> {
        let place = &self.frame().place;
        place.if_state(|state| state.arguments.clone()).flatten()
    }

    /// The reservations of the calls that enclose this effect.
    pub(crate) fn reservations_around(&self) -> Vec<u64> {
        let around = std::iter::successors(self.frame().parent.as_ref(), |cx| {
            cx.frame().parent.as_ref()
        });
        around
            .filter_map(|cx| {
                let id = cx
                    .frame()
                    .place
                    .if_state(|state| state.reservation.as_ref().map(|it| it.id()));
                id.flatten()
            })
            .collect()
    }

    pub(crate) fn set_replayed(&self) {
        self.frame().replayed.store(true, Ordering::Relaxed);
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

    pub(crate) fn nesting(&self) -> u32 {
        self.frame().level
    }

    pub(crate) fn life(&self) -> &Life {
        &self.frame().life
    }

    pub(crate) fn number(&self) -> u64 {
        self.frame().number
    }

    /// Registers whom to wake when this effect closes together with what is above it.
    pub(crate) fn register(&self, waker: &std::task::Waker) {
        self.frame().waker.register(waker);
    }

    pub(crate) fn wake(&self) {
        self.frame().waker.wake();
    }

    /// Says of this effect and all above it that the cause of the run's end lies in them; from the
    /// root down, since where one has closed all below it has.
    pub(crate) fn mark_upwards(&self) {
        let up = std::iter::successors(Some(self), |cx| cx.frame().parent.as_ref());
        let chain: Vec<&RunContext> = up.filter(|cx| !cx.is_bare()).collect();
        for cx in chain.into_iter().rev() {
            if !cx.life().mark() {
                return;
            }
        }
    }

    /// Whether something may still be said of this effect.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_bare() && !self.is_closed() && !self.tree().is_over()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.frame().life.is_closed()
    }

    /// Why a future of this effect is being dropped just now.
    pub(crate) fn drop_reason(&self) -> CancelReason {
        let around = std::iter::successors(self.up(), |cx| cx.up());
        let dropping = around
            .map(|cx| cx.place().dropping.load(Ordering::Acquire))
            .find_map(CancelReason::from_code);
        dropping
            .or_else(|| self.tree().control.reason())
            .unwrap_or(CancelReason::Dropped)
    }

    /// Why nothing opens below this context, if nothing does.
    pub(crate) fn alive(&self) -> Result<()> {
        self.lives()?;
        if self.is_refused_waiting() {
            return Err(Error::stopped("it waits for an answer").at(|| self.path()));
        }
        Ok(())
    }

    /// [`RunContext::alive`], whether or not something waits for an answer.
    pub(crate) fn lives(&self) -> Result<()> {
        let tree = self.tree();
        if tree.is_over() {
            let over = Error::stopped("the run this context belongs to is over");
            return Err(over.at(|| self.path()));
        }
        if let Some(why) = tree.control.reason() {
            let stopped = Error::stopped(format!("the run is ending ({why})"));
            return Err(stopped.at(|| self.path()));
        }
        if self.is_closed() || self.is_branch_over() {
            let message = format!(
                "{} is over; hand its context on only while it runs",
                self.effect()
            );
            return Err(Error::invalid(message).at(|| self.path()));
        }
        if tree
            .deadline
            .is_some_and(|it| it <= tokio::time::Instant::now())
        {
            tree.control.cancel(CancelReason::Deadline);
            return Err(Error::stopped("the run's deadline has passed").at(|| self.path()));
        }
        Ok(())
    }

    fn frame(&self) -> &Frame {
        &self.view.0
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
    type Target = EffectView;

    fn deref(&self) -> &EffectView {
        &self.view
    }
}

impl fmt::Debug for RunContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunContext({:?})", self.place_path())
    }
}

impl fmt::Debug for EffectView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EffectView({:?})", self.path())
    }
}
