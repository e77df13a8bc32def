//! Step 3 at the door: limits are counted and reserved, and what is full is waited for.

use crate::attributes::Attributes;
use crate::budget::{Amount, Reached};
use crate::context::RunContext;
use crate::effect::EffectKind;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Note;

impl RunContext {
    /// Whether this effect, which isn't open yet, may have to wait before it is let through.
    #[inline]
    pub(super) fn must_wait(&self) -> bool {
        !self.tree().parts.waits.is_empty() || self.takes_of_the_budget()
    }

    /// Waits until every installed part has room and what the effect may take is reserved.
    pub(super) async fn wait_and_reserve(&self, parent: &RunContext) -> Result<()> {
        for part in &self.tree().parts.waits {
            part.ready().await;
        }
        // The run may have ended meanwhile.
        let alive = || parent.alive().map_err(|e| e.at(|| parent.path()));
        alive()?;
        if !self.takes_of_the_budget() {
            return self.count(parent);
        }
        let reservation = self
            .tree()
            .budget
            .reserve(self.wanted(), self.is_within_a_call())
            .await;
        let reservation = reservation.map_err(|reached| self.ends_tree(parent, reached))?;
        match alive().and_then(|()| self.count(parent)) {
            Ok(()) => self.set_reservation(reservation),
            Err(refused) => {
                reservation.give_back();
                return Err(refused);
            }
        }
        Ok(())
    }

    /// What the call may take: where cost is bounded and nobody knows it beforehand, all there is.
    fn wanted(&self) -> Amount {
        let mut wanted = self.effect().wanted();
        let is_bounded = self.tree().budget.limits().cost_micro_usd_max.is_some();
        if is_bounded && wanted.cost_micro_usd == 0 {
            wanted.cost_micro_usd = u64::MAX;
        }
        wanted
    }

    /// Whether a model call is open around this one.
    fn is_within_a_call(&self) -> bool {
        let around = std::iter::successors(self.parent(), |cx| cx.parent());
        around
            .into_iter()
            .any(|cx| cx.effect().kind() == EffectKind::Model)
    }

    /// Counts an effect that is opened only to say that it can't happen.
    pub(super) fn count_opening(&self, parent: &RunContext) -> Result<()> {
        self.tree()
            .budget
            .count_opening()
            .map_err(|reached| self.ends_tree(parent, reached))
    }

    /// Counts this effect against the limits that are counts.
    pub(super) fn count(&self, parent: &RunContext) -> Result<()> {
        let budget = &self.tree().budget;
        let depth_max = budget.limits().depth_max;
        if self.effect().kind().is_run() && self.depth() > depth_max {
            let reached = Reached {
                limit: "depth_max",
                value: depth_max.into(),
            };
            let message = self.note_reached(parent, reached);
            return Err(Error::new(ErrorKind::Interrupted, message).at(|| parent.path()));
        }
        budget
            .count(self.effect())
            .map_err(|reached| self.ends_tree(parent, reached))
    }

    fn takes_of_the_budget(&self) -> bool {
        self.tree().budget.is_reserved() && self.effect().kind() == EffectKind::Model
    }

    fn ends_tree(&self, parent: &RunContext, reached: Reached) -> Error {
        Error::tree_wide(self.note_reached(parent, reached)).at(|| parent.path())
    }

    /// Notes the limit where the refused effect would have been opened; a root's own record is
    /// all there is of one.
    fn note_reached(&self, parent: &RunContext, reached: Reached) -> String {
        let Reached { limit, value } = reached;
        let place = if parent.is_bare() { self } else { parent };
        self.tree().set_told();
        place.tell_note(&Note::LimitReached { limit, value }, &Attributes::new());
        format!("{limit} {value} reached")
    }

    /// Takes back what was counted and reserved for a call that isn't made, or not yet.
    pub(super) fn give_back(&self) {
        self.tree().budget.uncount_call(self.effect().kind());
        if let Some(reservation) = self.take_reservation() {
            reservation.give_back();
        }
    }
}
