//! What the journal in memory promises beyond what every journal does.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use loom_core::{
    Batch, Journal, JournalRun, MemoryJournal, Record, RunHead, RunId, Scope, SessionId, SlotKey,
    SlotKind,
};
use loom_testing::{check_journal, check_lapsing_leases};
use serde_json::json;

#[test]
fn it_is_a_journal_where_there_is_no_runtime() {
    block_on(check_journal(MemoryJournal::default)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_is_a_journal_behind_an_arc_and_within_a_runtime() {
    let make = || Arc::new(MemoryJournal::default());
    check_journal(make).await.unwrap();
    let advance = tokio::time::advance;
    check_lapsing_leases(make, advance).await.unwrap();
}

#[test]
fn it_shows_how_much_it_holds_and_nothing_of_it() {
    block_on(async {
        let journal = MemoryJournal::default();
        let run = JournalRun {
            scope: Scope::new(None, SessionId::new("desk").unwrap()),
            root: RunId::new("r").unwrap(),
        };
        let claimed = journal.claim(&run, Duration::from_secs(30)).await.unwrap();
        let batch = Batch {
            head: RunHead::new(run.root.clone(), "refund", SystemTime::now()),
            records: vec![Record {
                key: SlotKey::new(SlotKind::Output, "load"),
                value: json!("secret").into(),
            }],
        };
        journal.write(&claimed.lease, &batch).await.unwrap();
        assert_eq!(format!("{journal:?}"), "MemoryJournal(1 runs)");
    });
}
