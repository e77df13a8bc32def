//! `Reservation`: what an open call holds, and how it is waited for.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::ledger::amount::Amount;
use crate::ledger::queue::{End, Turn};
use crate::ledger::wakers::Wakers;
use crate::ledger::{Ledger, Reached};

/// What an open call holds.
///
/// A reservation that is dropped before the call reported what it took is charged whole, since the
/// provider may bill it. It is dropped and released where no lock is held: both wake who waits.
pub(crate) struct Reservation {
    ledger: Arc<Ledger>,
    id: u64,
    end: End,
}

impl Reservation {
    /// The id by which calls within this one name it.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns all that is held: the call was never made, or waits for an answer.
    pub(crate) fn release(mut self) {
        self.end = End::Returned;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        let mut state = self.ledger.state();
        state.queue.end(self.id, self.end);
        wakers.wake(state.queue.next(&self.ledger.limits));
        drop(state);
    }
}

impl Ledger {
    /// Reserves what a call may take, at most what is left; waits while other reservations are
    /// open that can be returned.
    ///
    /// `around` holds the ids of the reservations of the calls that enclose this one: none of them
    /// is returned before this one is let in.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        wanted: Amount,
        around: Vec<u64>,
    ) -> Result<Reservation, Reached> {
        let mut place = Place {
            ledger: self,
            stage: Stage::Outside(wanted, around),
        };
        poll_fn(|task| place.poll(task)).await
    }
}

/// A place in the queue, given up when the one who waits is dropped.
struct Place<'a> {
    ledger: &'a Arc<Ledger>,
    stage: Stage,
}

enum Stage {
    /// What it wants, and what is around it.
    Outside(Amount, Vec<u64>),
    /// It waits by this id.
    Queued(u64),
    Over,
}

impl Place<'_> {
    fn poll(&mut self, task: &Context<'_>) -> Poll<Result<Reservation, Reached>> {
        let ledger = self.ledger;
        let waker = task.waker().clone();
        let mut wakers = Wakers::default();
        let mut state = ledger.state();
        if let Some(reached) = ledger.reached.get() {
            return Poll::Ready(Err(*reached));
        }
        let id = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Outside(wanted, around) => state.queue.join(wanted, around),
            Stage::Queued(id) => id,
            Stage::Over => return Poll::Pending,
        };
        let polled = match state.queue.turn(id, &ledger.limits) {
            Turn::In(held) => {
                wakers.only_drop(state.queue.enter(id, held));
                Poll::Ready(Ok(id))
            }
            Turn::Over(reached) => {
                wakers.only_drop(state.queue.leave(id));
                wakers.wake(state.queue.wakers());
                Poll::Ready(Err(*ledger.reached.get_or_init(|| reached)))
            }
            Turn::Waits => {
                self.stage = Stage::Queued(id);
                wakers.only_drop(state.queue.park(id, waker));
                Poll::Pending
            }
        };
        // It may be the turn of the first, now that one more waits or one less.
        wakers.wake(state.queue.next(&ledger.limits));
        drop(state);
        polled.map_ok(|id| Reservation {
            ledger: ledger.clone(),
            id,
            end: End::Charged,
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Queued(id) => {
                let mut wakers = Wakers::default();
                let mut state = self.ledger.state();
                wakers.only_drop(state.queue.leave(id));
                wakers.wake(state.queue.next(&self.ledger.limits));
                drop(state);
            }
            Stage::Outside(..) | Stage::Over => (),
        }
    }
}
