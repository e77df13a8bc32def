//! Unit tests of the journal in memory.

use super::*;
use crate::error::ErrorKind;
use crate::ids::{RunId, SessionId};
use crate::scope::Scope;

const TTL: Duration = Duration::from_secs(30);

fn run() -> JournalRun {
    JournalRun {
        scope: Scope::new(None, SessionId::new("conv").unwrap()),
        root: RunId::new("r").unwrap(),
    }
}

fn batch(revision: u64) -> Batch {
    let mut head = RunHead::new(run().root, "refund", SystemTime::UNIX_EPOCH);
    head.revision = revision;
    Batch {
        head,
        records: Vec::new(),
    }
}

async fn is_held(journal: &MemoryJournal) -> bool {
    match journal.claim(&run(), TTL).await {
        Ok(claimed) => {
            journal.release(&claimed.lease, Released::Dropped);
            false
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            true
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_lapses_when_its_time_is_over_and_not_before() {
    let journal = MemoryJournal::default();
    journal.claim(&run(), TTL).await.unwrap();
    tokio::time::advance(TTL.saturating_sub(Duration::from_millis(1))).await;
    assert!(is_held(&journal).await);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!is_held(&journal).await);
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_lease_that_nobody_claimed_may_be_renewed_and_written_under() {
    let journal = MemoryJournal::default();
    let lease = journal.claim(&run(), TTL).await.unwrap().lease;
    tokio::time::advance(2 * TTL).await;
    journal.write(&lease, &batch(1)).await.unwrap();
    journal.renew(&lease, TTL).await.unwrap();
    assert!(is_held(&journal).await);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_a_time_too_long_to_count_never_lapses() {
    let journal = MemoryJournal::default();
    let lease = journal.claim(&run(), Duration::MAX).await.unwrap().lease;
    journal.write(&lease, &batch(1)).await.unwrap();
    tokio::time::advance(Duration::from_secs(1 << 30)).await;
    assert!(is_held(&journal).await);
    let page = journal.runs(&RunQuery::of(&run().scope)).await.unwrap();
    assert_eq!(page.items[0].head.lease_until, None);
}

#[test]
fn a_lease_lapses_only_if_it_was_last_taken_within_a_runtime() {
    let journal = MemoryJournal::default();
    let run = run();
    let claim = journal.claim(&run, Duration::ZERO);
    let lease = futures::executor::block_on(claim).unwrap().lease;
    assert!(futures::executor::block_on(is_held(&journal)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(journal.renew(&lease, Duration::ZERO))
        .unwrap();
    assert!(!futures::executor::block_on(is_held(&journal)));
}

#[test]
fn a_run_of_which_nothing_was_written_leaves_nothing_behind() {
    let journal = MemoryJournal::default();
    assert!(!futures::executor::block_on(is_held(&journal)));
    assert_eq!(format!("{journal:?}"), "MemoryJournal(0 runs)");
}
