//! Step 3 at the door: limits are counted and reserved, and what is full is waited for.

use crate::attributes::Attributes;
use crate::context::RunContext;
use crate::control::Cause;
use crate::effect::EffectKind;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Note;
use crate::ledger::{Amount, Reached};
use crate::poll::{caught, yield_now};

/// How many effects of a run pass the door before it lets others run.
const YIELD_AFTER: u64 = 256;

impl RunContext {
    /// Whether so many effects have passed the door that others should run.
    #[inline]
    pub(super) fn is_time_to_yield(&self) -> bool {
        self.number() % YIELD_AFTER == YIELD_AFTER - 1
    }

    pub(super) async fn let_others_run(&self) {
        if self.is_time_to_yield() {
            yield_now().await;
        }
    }

    /// Waits until there is room for this effect, counts it and reserves what it may take.
    pub(super) async fn reserve_place(&self, parent: &RunContext) -> Result<()> {
        self.wait_for_room(parent).await?;
        self.reserve_and_count(parent).await
    }

    /// Whether this effect, which isn't open yet, reserves of what is limited.
    #[inline]
    pub(super) fn reserves(&self) -> bool {
        self.effect().kind() == EffectKind::Model && self.tree().ledger.reserves()
    }

    /// Waits until every installed part has room; one that can't go on ends the run.
    async fn wait_for_room(&self, parent: &RunContext) -> Result<()> {
        for part in &self.tree().parts.waits {
            let ready = caught(part.ready()).await.unwrap_or_else(|panic| {
                let message = format!("an installed part panicked: {panic}");
                Err(Error::new(ErrorKind::Failed, message))
            });
            if let Err(error) = ready {
                let cause = Cause::broken(error.at(|| parent.path()));
                self.tree().control.stop(cause, Some(parent));
                return Err(Error::stopped("an installed part can't go on"));
            }
        }
        // The run may have ended meanwhile.
        parent.lives()
    }

    /// Counts this effect, and reserves what it may take.
    async fn reserve_and_count(&self, parent: &RunContext) -> Result<()> {
        if !self.reserves() {
            return self.count(parent);
        }
        let reservation = self
            .tree()
            .ledger
            .reserve(self.wanted(), self.reservations_around())
            .await
            .map_err(|reached| self.end_tree(parent, reached))?;
        match parent.lives().and_then(|()| self.count(parent)) {
            Ok(()) => self.set_reservation(reservation),
            Err(refused) => {
                reservation.release();
                return Err(refused);
            }
        }
        Ok(())
    }

    /// Reserves anew where that was released while somebody was asked.
    pub(super) async fn reserve_again(&self) -> Result<()> {
        if !self.reserves() || self.has_reservation() {
            return Ok(());
        }
        let reserved = self
            .tree()
            .ledger
            .reserve(self.wanted(), self.reservations_around())
            .await;
        match reserved {
            Ok(reservation) => self.set_reservation(reservation),
            Err(reached) => return Err(self.end_tree(self, reached)),
        }
        Ok(())
    }

    /// What the call may take: where cost is bounded and nobody knows it beforehand, all there is.
    fn wanted(&self) -> Amount {
        let mut wanted = self.effect().wanted();
        let is_bounded = self.tree().ledger.limits().cost_micro_usd_max.is_some();
        if is_bounded && wanted.cost_micro_usd == 0 {
            wanted.cost_micro_usd = u64::MAX;
        }
        wanted
    }

    /// Counts an effect that is opened only to say that it can't happen.
    pub(super) fn count_opening(&self, parent: &RunContext) -> Result<()> {
        self.check_nesting(parent)?;
        self.tree()
            .ledger
            .count_opening()
            .map_err(|reached| self.end_tree(parent, reached))
    }

    /// Counts this effect against the limits that are counts.
    #[inline]
    pub(super) fn count(&self, parent: &RunContext) -> Result<()> {
        self.check_nesting(parent)?;
        self.tree()
            .ledger
            .count(self.effect().kind())
            .map_err(|reached| self.end_tree(parent, reached))
    }

    /// Whether it may stand where it would: these limits end only the run that is too deep.
    #[inline]
    fn check_nesting(&self, parent: &RunContext) -> Result<()> {
        let limits = self.tree().ledger.limits();
        let is_run = self.effect().kind().is_run();
        if self.nesting() <= limits.nesting_max && !(is_run && self.depth() > limits.depth_max) {
            return Ok(());
        }
        let (limit, value) = match self.nesting() > limits.nesting_max {
            true => ("nesting_max", limits.nesting_max),
            false => ("depth_max", limits.depth_max),
        };
        let value = value.into();
        let message = self.note_reached(parent, Reached { limit, value });
        Err(Error::new(ErrorKind::LimitReached, message).at(|| parent.path()))
    }

    /// Ends the run, since a limit of all of it is reached.
    fn end_tree(&self, parent: &RunContext, reached: Reached) -> Error {
        if let Err(ending) = parent.lives() {
            return ending;
        }
        let message = self.note_reached(parent, reached);
        let error = Error::new(ErrorKind::LimitReached, message.clone()).at(|| parent.path());
        self.tree().control.stop(Cause::limit(error), Some(parent));
        Error::stopped(message).at(|| parent.path())
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

    /// Refunds what was counted and reserved for a call that isn't made, or not yet.
    pub(super) fn refund_call(&self) {
        self.tree().ledger.refund_call(self.effect().kind());
        if let Some(reservation) = self.take_reservation() {
            reservation.release();
        }
    }
}
