//! `Wakers`: what the ledger does with wakers, it does without its lock.

use std::task::Waker;

use crate::poll::caught_now;

/// Wakers that were taken out of the ledger. They are woken, or merely dropped, when this is
/// dropped.
///
/// To wake or to drop a waker runs foreign code, which may poll on this very thread. So this is
/// dropped where no lock is held, neither the ledger's nor the caller's.
#[derive(Default)]
pub(crate) struct Wakers {
    woken: Vec<Waker>,
    dropped: Vec<Waker>,
}

impl Wakers {
    pub(super) fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.woken.extend(wakers);
    }

    pub(super) fn only_drop(&mut self, waker: Option<Waker>) {
        self.dropped.extend(waker);
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        // One that panics keeps none of the others asleep.
        for waker in self.woken.drain(..) {
            let _ = caught_now(|| waker.wake());
        }
        for waker in self.dropped.drain(..) {
            let _ = caught_now(|| drop(waker));
        }
    }
}
