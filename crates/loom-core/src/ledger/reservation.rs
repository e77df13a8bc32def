//! `Reservation`: what an open call holds, and how it is waited for.

use std::sync::Arc;

use tokio::sync::oneshot::Receiver;

use crate::ledger::amount::Amount;
use crate::ledger::{Ledger, Reached};
use crate::poll::caught_now;

/// A place in the queue, and what an open call holds once it is let in.
///
/// A reservation that is dropped before the call reported what it took is charged whole, since the
/// provider may bill it. It is dropped and released where no lock is held: both wake waiting calls.
pub(crate) struct Reservation {
    ledger: Arc<Ledger>,
    id: u64,
    /// Whether what it holds when it ends is charged; else the call was never made, or not yet.
    is_charged: bool,
}

impl Reservation {
    /// The id by which calls within this one name it.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns all that is held: the call was never made, or waits for an answer.
    pub(crate) fn release(mut self) {
        self.is_charged = false;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.ledger.state();
        let wakes = state.queue.end(self.id, self.is_charged);
        self.ledger.wake(state);
        // The task's waker goes with it, which is foreign code.
        let _ = caught_now(|| drop(wakes));
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
        let mut place = Reservation {
            ledger: self.clone(),
            id: self.state().queue.join(wanted, around),
            is_charged: false,
        };
        while let Some(woken) = self.enter(place.id)? {
            // It is woken by dropping the other end.
            let _ = woken.await;
        }
        place.is_charged = true;
        Ok(place)
    }

    fn enter(&self, id: u64) -> Result<Option<Receiver<()>>, Reached> {
        let mut state = self.state();
        let entered = match self.reached.get() {
            Some(reached) => Err(*reached),
            None => state.queue.enter(id),
        };
        let entered = entered.map_err(|reached| *self.reached.get_or_init(|| reached));
        // It may be the turn of the first, now that one more waits or one less.
        self.wake(state);
        entered
    }
}
