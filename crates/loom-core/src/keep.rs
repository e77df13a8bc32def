//! `Keeper`: keeps a run's lease alive while the run lives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::time::{Instant, Sleep};

use crate::control::Control;
use crate::ending::CancelReason;
use crate::journal::{Lost, Renewed, RunJournal};

/// Renews a lease three times before it runs out, and keeps trying. A run whose lease ran out is
/// another worker's: it stops and writes nothing more.
pub(crate) struct Keeper {
    journal: Arc<RunJournal>,
    until: Instant,
    next: Pin<Box<Sleep>>,
    /// A renewal under way, and when it began.
    renewing: Option<(Instant, BoxFuture<'static, Result<Renewed, Lost>>)>,
}

impl Keeper {
    /// `None` where nothing renews a lease: then it doesn't run out.
    pub(crate) fn new(journal: &Arc<RunJournal>) -> Option<Self> {
        let ttl = journal.ttl;
        Some(Self {
            until: Instant::now().checked_add(ttl)?,
            next: Box::pin(tokio::time::sleep(ttl / 3)),
            journal: journal.clone(),
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
            let (began, ttl) = (*began, self.journal.ttl);
            if let Poll::Ready(renewed) = renewing.as_mut().poll(task) {
                self.renewing = None;
                let wait = match renewed {
                    Ok(renewed) => {
                        self.until = began + ttl;
                        if renewed.cancel_requested {
                            control.cancel(CancelReason::Requested);
                        }
                        ttl / 3
                    }
                    Err(Lost::TakenOver) => {
                        control.cancel(CancelReason::TakenOver);
                        ttl
                    }
                    // It may come back before the lease runs out.
                    Err(Lost::Answered | Lost::Store(_)) => ttl / 12,
                };
                self.next.as_mut().reset(Instant::now() + wait);
                // Registers the timer anew.
                let _ = self.next.as_mut().poll(task);
            }
        }
        if Instant::now() >= self.until {
            self.journal.set_lost();
            control.cancel(CancelReason::TakenOver);
        }
    }
}
