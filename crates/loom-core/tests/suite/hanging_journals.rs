//! A journal that hangs holds up neither the end of a run nor its output.

use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join, pending};
use loom_core::{
    CancelReason, ErrorKind, Journal, JournalRun, Lease, Loom, LoomBuilder, MemoryJournal, Result,
    RunId, Scope, Session, Slot,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded_by, story};
use crate::steps::echo;

/// Where a journal hangs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Claim,
    Get,
    FirstSave,
    LastSave,
}

/// A journal that hangs.
struct Hangs {
    at: At,
    saved: Mutex<u32>,
    inner: MemoryJournal,
}

impl Hangs {
    fn at(at: At) -> LoomBuilder {
        Loom::builder().journal(Self {
            at,
            saved: Mutex::default(),
            inner: MemoryJournal::default(),
        })
    }

    async fn hang_if(&self, hangs: bool) {
        if hangs {
            pending::<()>().await;
        }
    }

    /// A run without model calls is saved when it begins and when it ends.
    fn hangs_in_save(&self) -> bool {
        let mut saved = self.saved.lock().unwrap();
        *saved += 1;
        match self.at {
            At::Claim | At::Get => false,
            At::FirstSave => *saved == 1,
            At::LastSave => *saved > 1,
        }
    }
}

impl Journal for Hangs {
    async fn claim(&self, run: &JournalRun) -> Result<Lease> {
        self.hang_if(self.at == At::Claim).await;
        self.inner.claim(run).await
    }

    fn release(&self, lease: &Lease) {
        self.inner.release(lease);
    }

    async fn get(&self, run: &JournalRun, slot: Slot<'_>) -> Result<Option<Value>> {
        self.hang_if(self.at == At::Get).await;
        self.inner.get(run, slot).await
    }

    async fn put(&self, lease: &Lease, slot: Slot<'_>, value: Value) -> Result<()> {
        self.hang_if(slot == Slot::Run && self.hangs_in_save())
            .await;
        self.inner.put(lease, slot, value).await
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<bool> {
        self.inner.answer(run, path, value).await
    }

    async fn runs(&self, scope: &Scope) -> Result<Vec<(RunId, Value)>> {
        self.inner.runs(scope).await
    }
}

/// Why the run was cancelled, and after how many seconds; it is cancelled by hand after two.
async fn cancelled(session: &Session) -> (CancelReason, u64) {
    let started = Instant::now();
    let run = session.start(&echo, "go");
    let handle = run.handle();
    let by_hand = async {
        sleep(Duration::from_secs(2)).await;
        handle.cancel();
    };
    // Measured where the run ends: the sleep beside it may take longer.
    let run = run.map(|it| (it, started.elapsed().as_secs()));
    let ((ended, seconds), ()) = join(run, by_hand).await;
    let ending = ended.unwrap_err().ending();
    (ending.cancel_reason().unwrap(), seconds)
}

#[tokio::test(start_paused = true)]
async fn the_deadline_and_a_cancel_end_a_run_whose_journal_hangs() {
    for at in [At::Claim, At::FirstSave, At::Get] {
        let (_, session) = recorded_by(Hangs::at(at));
        let hurried = session.clone().deadline(Duration::from_secs(1));
        let by_deadline = (CancelReason::Deadline, 1);
        assert_eq!(cancelled(&hurried).await, by_deadline, "{at:?}");
        let (_, session) = recorded_by(Hangs::at(at));
        let by_hand = (CancelReason::Requested, 2);
        assert_eq!(cancelled(&session).await, by_hand, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_output_is_given_though_the_journal_hangs_in_the_last_save() {
    let (recorder, session) = recorded_by(Hangs::at(At::LastSave).settle_ms_max(20));
    let session = session.deadline(Duration::from_millis(5));
    let started = Instant::now();
    let outcome = session.run(&echo, "go").await.unwrap();
    let took = started.elapsed();
    assert!((20..30).contains(&took.as_millis()), "{took:?}");
    assert_eq!(outcome.output, "go");
    let [unsettled] = &outcome.settled[..] else {
        panic!("{:?}", outcome.settled);
    };
    assert_eq!(unsettled.name, "journal");
    let error = unsettled.result.as_ref().unwrap_err();
    assert_eq!(error.message(), "it didn't settle within 20ms");
    assert_eq!(
        story(&recorder),
        ["open echo", "close echo completed", "settled echo"]
    );
    assert_eq!(outcome.durable().unwrap_err().kind(), ErrorKind::Internal);
}
