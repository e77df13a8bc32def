//! A run's lease: renewed while the run lives, and lost to another worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join;
use loom_core::{
    CancelReason, Journal, JournalRun, Loom, MemoryJournal, Released, Result, RunContext,
    RunErrorKind,
};
use tokio::time::{Instant, sleep};

use crate::journaled::Log;
use crate::recorded::{recorded_by, tree};
use crate::steps::{echo, forever};
use crate::unruly_journals::{Call, Unruly, Wild};

const SECOND: Duration = Duration::from_secs(1);

async fn naps(cx: RunContext, secs: u64) -> Result<u64> {
    async fn nap(secs: u64) -> Result<u64> {
        sleep(Duration::from_secs(secs)).await;
        Ok(secs)
    }
    cx.step("nap", &nap, secs).await
}

/// Counts what it is asked for, and refuses to answer while it is broken.
#[derive(Default)]
struct Watched {
    inner: Arc<MemoryJournal>,
    renewals: AtomicU32,
    writes: Log,
    hangs: AtomicBool,
}

impl Unruly for Watched {
    fn inner(&self) -> &MemoryJournal {
        &self.inner
    }

    async fn before(&self, call: Call<'_>) {
        match call {
            Call::Renew => {
                self.renewals.fetch_add(1, Ordering::Relaxed);
                if self.hangs.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            }
            Call::Write(batch) => self.writes.note(batch.head.status.as_str()),
            _ => (),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_while_a_body_waits() {
    let journal = Wild::<Watched>::default();
    let (_, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let started = Instant::now();
    let run = session.run(&naps, 600u64);
    let id = run.handle().run_id().clone();
    let taken = async {
        sleep(599 * SECOND).await;
        let run = JournalRun {
            scope: session.scope().unwrap(),
            root: id,
        };
        journal.claim(&run, 30 * SECOND).await.unwrap_err()
    };
    let (outcome, held) = join(run, taken).await;
    assert_eq!(outcome.unwrap().output, 600);
    assert!(held.message().contains("worked on elsewhere"), "{held}");
    assert_eq!(started.elapsed(), 600 * SECOND);
    let renewals = journal.0.renewals.load(Ordering::Relaxed);
    assert!((55..=65).contains(&renewals), "every 10 s: {renewals}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_run_was_taken_over_stops_and_writes_nothing_more() {
    let journal = Wild::<Watched>::default();
    let loom = Loom::builder().journal(journal.clone());
    let (recorder, session) = recorded_by(loom);
    let started = Instant::now();
    let run = session.run(&naps, 600u64);
    let root = JournalRun {
        scope: session.scope().unwrap(),
        root: run.handle().run_id().clone(),
    };
    let takes = async {
        sleep(35 * SECOND).await;
        // As if the store had seen the lease lapse.
        let inner = &journal.0.inner;
        let stale = loom_core::Lease {
            run: root.clone(),
            token: 1,
        };
        inner.release(&stale, Released::Shutdown);
        journal.0.writes.take();
        inner.claim(&root, 3600 * SECOND).await.unwrap()
    };
    let (lost, taken) = join(run, takes).await;
    assert!(taken.lease.token > 1);
    assert_eq!(
        lost.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::TakenOver)
    );
    assert_eq!(started.elapsed(), 40 * SECOND, "with the next renewal");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run naps ✗ cancelled (taken_over)",
            "  loom.workflow.step nap ✗ cancelled (taken_over)",
        ]
    );
    assert_eq!(journal.0.writes.take(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_can_not_renew_stops_when_its_lease_runs_out() {
    let journal = Wild::<Watched>::default();
    journal.0.hangs.store(true, Ordering::Relaxed);
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let started = Instant::now();
    let lost = session.run(&naps, 600u64).await.unwrap_err();
    assert_eq!(
        lost.kind(),
        RunErrorKind::Cancelled(CancelReason::TakenOver)
    );
    assert_eq!(started.elapsed(), 30 * SECOND);
    assert_eq!(journal.0.writes.take(), ["open"], "only how it began");
    assert_eq!(tree(&recorder).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_is_asked_for_elsewhere_arrives_with_the_renewal() {
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let started = Instant::now();
    let run = session.run(&forever, "go");
    let id = run.handle().run_id().clone();
    let elsewhere = Loom::builder().journal(journal.clone()).build();
    let cancels = async {
        sleep(12 * SECOND).await;
        elsewhere.cancel(&session.scope().unwrap(), &id).await
    };
    let (cancelled, asked) = join(run, cancels).await;
    asked.unwrap();
    assert_eq!(
        cancelled.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(started.elapsed(), 20 * SECOND);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run forever ✗ cancelled (requested)"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_lapsed_is_resumed_by_another_worker() {
    let journal = Arc::new(MemoryJournal::default());
    let wired = || recorded_by(Loom::builder().journal(journal.clone()));
    let (_, session) = wired();
    let mut run = session.run(&naps, 600u64);
    let id = run.handle().run_id().clone();
    assert!(futures::poll!(&mut run).is_pending());
    // Nobody polls it any more, as in a process that hangs.
    tokio::time::advance(31 * SECOND).await;
    let (_, other) = wired();
    let other = loom_core::Session::clone(&other);
    let outcome = session.resume(&id, &naps).await.unwrap();
    assert_eq!(outcome.output, 600);
    let lost = run.await.unwrap_err();
    assert_eq!(
        lost.kind(),
        RunErrorKind::Cancelled(CancelReason::TakenOver)
    );
    assert_eq!(other.run(&echo, "go").await.unwrap().output, "go");
}
