//! `Keeper`: keeps a run's lease alive while the run lives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

use crate::control::Control;
use crate::ending::CancelReason;
use crate::journal::{Lost, Renewed, RunJournal};
use crate::poll::caught_now;

/// Renews a lease three times before it runs out, and keeps trying. A run whose lease ran out is
/// another worker's: it stops and writes nothing more.
pub(crate) struct Keeper {
    journal: Arc<RunJournal>,
    ttl: Duration,
    until: Instant,
    next: Pin<Box<Sleep>>,
    /// A renewal under way, and when it began.
    renewing: Option<(Instant, BoxFuture<'static, Result<Renewed, Lost>>)>,
}

impl Keeper {
    /// Whether there is a timer here that a lease could be renewed by, or a deadline kept.
    pub(crate) fn is_possible() -> bool {
        Handle::try_current().is_ok() && caught_now(|| tokio::time::sleep(Duration::ZERO)).is_ok()
    }

    /// `None` where nothing renews a lease: then it doesn't run out.
    pub(crate) fn new(journal: &Arc<RunJournal>) -> Option<Self> {
        if journal.ttl == Duration::MAX {
            return None;
        }
        let ttl = journal.ttl;
        let now = Instant::now();
        let next = Box::pin(tokio::time::sleep(ttl / 3));
        Some(Self {
            journal: journal.clone(),
            ttl,
            until: now.checked_add(ttl)?,
            next,
            renewing: None,
        })
    }

    /// Looks at the lease before the run's body is polled.
    pub(crate) fn poll(&mut self, control: &Control, task: &mut Context<'_>) {
        if self.next.as_mut().poll(task).is_ready() && self.renewing.is_none() {
            let journal = self.journal.clone();
            let renewing = Box::pin(async move { journal.renew().await });
            self.renewing = Some((Instant::now(), renewing));
            // A store that hangs wakes nobody: the lease runs out all the same.
            self.next.as_mut().reset(self.until);
            let _ = self.next.as_mut().poll(task);
        }
        if let Some((began, renewing)) = &mut self.renewing {
            let began = *began;
            match renewing.as_mut().poll(task) {
                Poll::Pending => (),
                Poll::Ready(renewed) => {
                    self.renewing = None;
                    self.take(control, began, &renewed);
                    // Registers the timer anew.
                    let _ = self.next.as_mut().poll(task);
                }
            }
        }
        if Instant::now() >= self.until {
            self.journal.set_lost();
            control.cancel(CancelReason::TakenOver);
        }
    }

    fn take(&mut self, control: &Control, began: Instant, renewed: &Result<Renewed, Lost>) {
        let wait = match renewed {
            Ok(renewed) => {
                self.until = began + self.ttl;
                if renewed.cancel_requested {
                    control.cancel(CancelReason::Requested);
                }
                self.ttl / 3
            }
            Err(Lost::TakenOver) => {
                control.cancel(CancelReason::TakenOver);
                self.ttl
            }
            // It may come back before the lease runs out.
            Err(Lost::Answered | Lost::Store(_)) => self.ttl / 12,
        };
        self.next.as_mut().reset(Instant::now() + wait);
    }
}
