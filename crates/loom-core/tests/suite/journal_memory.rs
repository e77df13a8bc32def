//! What the journal in memory promises beyond what every journal does.

use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use loom_core::{
    Batch, Journal, JournalRun, MemoryJournal, Record, RunHead, RunId, Scope, SessionId, SlotKey,
    SlotKind, check_journal,
};
use serde_json::json;

#[test]
fn it_keeps_to_what_every_journal_promises() {
    block_on(check_journal(MemoryJournal::default)).unwrap();
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
