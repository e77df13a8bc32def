//! `Writing`: the batch that is being written, which everything that waits for it drives.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::journal::{Batch, Lost};
use crate::tree::unpoisoned;

pub(super) type Write = BoxFuture<'static, Result<(), Lost>>;

/// One write after the other, so that an older head never lands after a newer.
///
/// What began a write and isn't polled any more holds nobody up: whatever else waits for it polls
/// it. A write that nothing waits for any more is dropped.
#[derive(Default)]
pub(super) struct Writing(Mutex<Option<UnderWay>>);

struct UnderWay {
    write: WeakShared<Write>,
    batch: Arc<Batch>,
    through: u64,
}

impl Writing {
    /// The write that is under way, or else the one that begins now and is the caller's own.
    pub(super) fn under_way_or(
        &self,
        begin: impl FnOnce() -> Result<Option<(Write, Arc<Batch>, u64)>, Lost>,
    ) -> Result<Option<(Shared<Write>, bool)>, Lost> {
        let mut under_way = unpoisoned(&self.0);
        if let Some(write) = under_way.as_ref().and_then(|it| it.write.upgrade()) {
            return Ok(Some((write, false)));
        }
        let Some((write, batch, through)) = begin()? else {
            return Ok(None);
        };
        let write = write.shared();
        *under_way = write.downgrade().map(|write| UnderWay {
            write,
            batch,
            through,
        });
        Ok(Some((write, true)))
    }

    /// Takes note of what a write came to, the first time this is called for it.
    pub(super) fn end(&self, write: &Shared<Write>, note: impl FnOnce(&Batch, u64)) {
        let mut under_way = unpoisoned(&self.0);
        let current = under_way.as_ref().and_then(|it| it.write.upgrade());
        if current.is_some_and(|it| it.ptr_eq(write))
            && let Some(ended) = under_way.take()
        {
            note(&ended.batch, ended.through);
        }
    }
}

/// Drives a write to its end. A shared future wakes everything that waits for it when it ends, also
/// what polls it just then: that would poll the whole run once more for every write.
pub(super) async fn driven(mut write: Shared<Write>) -> Result<(), Lost> {
    poll_fn(|task| {
        let woken = Arc::new(Woken {
            task: task.waker().clone(),
            is_polling: AtomicBool::new(true),
            is_woken: AtomicBool::new(false),
        });
        let waker = Waker::from(woken.clone());
        let poll = write.poll_unpin(&mut Context::from_waker(&waker));
        woken.is_polling.store(false, Ordering::SeqCst);
        if poll.is_pending() && woken.is_woken.load(Ordering::SeqCst) {
            task.waker().wake_by_ref();
        }
        poll
    })
    .await
}

/// Wakes a task, but while it polls only says so.
struct Woken {
    task: Waker,
    is_polling: AtomicBool,
    is_woken: AtomicBool,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Said before it is looked at: whoever polls does it the other way round.
        self.is_woken.store(true, Ordering::SeqCst);
        if !self.is_polling.load(Ordering::SeqCst) {
            self.task.wake_by_ref();
        }
    }
}
