//! `RunJournal`: one run's part of the journal, held under a lease.

mod answers;

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::data::Data;
use crate::ending::CancelReason;
use crate::error::{Error, Result};
use crate::journal::{DynJournal, JournalRun, Lease, RunRecord, Slot, Status};
use crate::poll::caught_now;
use crate::tree::{Tree, unpoisoned};

pub(crate) use answers::Answer;

/// One run's part of the journal; the lease is given back on drop.
pub(crate) struct RunJournal {
    held: Held,
    record: Mutex<RunRecord>,
    /// Where this attempt asked what wasn't waited for before.
    asked: Mutex<Vec<String>>,
    /// The questions whose approvals let something happen in this attempt.
    used: Mutex<HashSet<String>>,
    /// Those of them that let something happen whose end isn't recorded: given up, if it stays so.
    pending: Mutex<BTreeSet<String>>,
    /// Held while the record is written, so that an older one never lands after a newer.
    writing: tokio::sync::Mutex<()>,
}

/// A run that was claimed, given back on drop.
pub(crate) struct Held {
    store: Arc<dyn DynJournal>,
    lease: Lease,
    released: AtomicBool,
}

impl Held {
    pub(crate) async fn claim(store: &Arc<dyn DynJournal>, run: &JournalRun) -> Result<Self> {
        let lease = store.claim(run).await?;
        Ok(Self {
            store: store.clone(),
            lease,
            released: AtomicBool::new(false),
        })
    }

    pub(crate) async fn get(&self, slot: Slot<'_>) -> Result<Option<Value>> {
        self.store.get(&self.lease.run, slot).await
    }

    /// Gives the run back, once; a store that panics over it is asked no second time. Told while
    /// something else panics, its panic would end the process.
    fn release(&self) -> std::result::Result<(), String> {
        match self.released.swap(true, Ordering::AcqRel) {
            true => Ok(()),
            false => caught_now(|| self.store.release(&self.lease)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.release();
    }
}

impl RunJournal {
    pub(crate) fn new(held: Held, record: RunRecord) -> Self {
        Self {
            held,
            record: Mutex::new(record),
            asked: Mutex::default(),
            used: Mutex::default(),
            pending: Mutex::default(),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) async fn get(&self, slot: Slot<'_>) -> Result<Option<Value>> {
        self.held.get(slot).await
    }

    /// Writes a record, unless the run was given back: then it may be another's already.
    pub(crate) async fn put(&self, slot: Slot<'_>, value: Value) -> Result<()> {
        if self.held.released.load(Ordering::Acquire) {
            return Err(Error::cancelled(
                CancelReason::Dropped,
                "the run this is to be recorded for is over",
            ));
        }
        self.held.store.put(&self.held.lease, slot, value).await
    }

    /// Writes down how far the run came and what it used.
    pub(crate) async fn save(&self, tree: &Tree) -> Result<()> {
        {
            let mut record = unpoisoned(&self.record);
            record.used = tree.budget.used();
            record.tally = tree.tally();
        }
        self.write_record().await
    }

    /// Writes the record as it stands.
    pub(crate) async fn write_record(&self) -> Result<()> {
        let _writing = self.writing.lock().await;
        let value = unpoisoned(&self.record).to_value()?;
        self.put(Slot::Run, value).await
    }

    /// Gives the run back, the first time this is called; a context that is kept must not keep it
    /// taken. Fails with the text of the store's panic.
    pub(crate) fn release(&self) -> std::result::Result<(), String> {
        self.held.release()
    }

    pub(crate) fn set_status(&self, status: Status) {
        unpoisoned(&self.record).status = status;
    }
}
