//! `RunJournal`: one run's part of the journal, held under a lease.

mod asking;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::context::RunContext;
use crate::control::Cause;
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::known::Known;
use crate::journal::record::{IntentRecord, OutputRecord, USAGE, UsageRecord, read, written};
use crate::journal::writing::{Write, Writing, driven};
use crate::journal::{
    Batch, DynJournal, JournalRun, Lease, Lost, Record, Released, Renewed, RunHead, RunStatus,
    SlotKey, SlotKind,
};
use crate::poll::{caught, caught_now};
use crate::tree::{Tree, unpoisoned};

const HELD: u8 = 0;
/// Another worker has it: nothing more is written.
const LOST: u8 = 1;
const RELEASED: u8 = 2;

/// One run's part of the journal. All records of earlier attempts were handed over when it was
/// claimed, and those of this attempt are kept, too: nothing is read again.
pub(crate) struct RunJournal {
    store: Arc<dyn DynJournal>,
    lease: Lease,
    ttl: Duration,
    known: Mutex<Known>,
    queue: Mutex<Queue>,
    writing: Writing,
    state: AtomicU8,
}

/// What waits to be written, and the head it is written with.
struct Queue {
    records: Vec<(u64, Record)>,
    next: u64,
    written: u64,
    head: RunHead,
    attempt: u32,
    /// Questions that are just being written: they are waited for, though not counted yet.
    asking: Vec<String>,
    /// What an earlier attempt waited for and this one didn't come to yet.
    carried: Vec<String>,
    /// Intents of effects that closed as paused.
    paused: Vec<(String, IntentRecord)>,
}

impl RunJournal {
    /// Takes a run, new or known.
    ///
    /// # Errors
    /// `Invalid` while another worker holds it; whatever else the store says.
    pub(crate) async fn claim(
        store: &Arc<dyn DynJournal>,
        run: &JournalRun,
        of: &str,
        ttl: Duration,
    ) -> Result<Self> {
        let claimed = called("claim", store.claim(run, ttl)).await??;
        let mut known = Known::default();
        for record in claimed.records {
            known.add(record);
        }
        let head = claimed
            .head
            .unwrap_or_else(|| RunHead::new(run.root.clone(), of, SystemTime::now()));
        let progress: Option<UsageRecord> = match known.get(SlotKind::Run, USAGE) {
            Some(value) => Some(read(value)?),
            None => None,
        };
        Ok(Self {
            store: store.clone(),
            lease: claimed.lease,
            ttl,
            known: Mutex::new(known),
            queue: Mutex::new(Queue {
                records: Vec::new(),
                next: 0,
                written: 0,
                carried: head.waiting.clone(),
                head,
                attempt: progress.map_or(1, |it| it.attempt + 1),
                asking: Vec::new(),
                paused: Vec::new(),
            }),
            writing: Writing::default(),
            state: AtomicU8::new(HELD),
        })
    }

    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(crate) fn of(&self) -> String {
        unpoisoned(&self.queue).head.of.clone()
    }

    /// Whether the run had ended, failed or been cancelled when it was claimed.
    pub(crate) fn was_finished(&self) -> bool {
        let queue = unpoisoned(&self.queue);
        queue.head.status.is_finished()
    }

    /// The number of this attempt, the first being 1.
    pub(crate) fn attempt(&self) -> u32 {
        unpoisoned(&self.queue).attempt
    }

    /// A record of this or an earlier attempt.
    pub(crate) fn get(&self, kind: SlotKind, path: &str) -> Option<Arc<Value>> {
        unpoisoned(&self.known).get(kind, path).cloned()
    }

    /// Whether several effects ran at once below the path in an earlier attempt.
    pub(crate) fn overlapped(&self, place: impl FnOnce() -> String) -> bool {
        let known = unpoisoned(&self.known);
        !known.overlapped.is_empty() && known.overlapped.contains(&place())
    }

    /// Writes records below this effect, and what else waits to be written; all or nothing.
    ///
    /// # Errors
    /// `Stopped`: the run ends, since it was taken over or its journal is broken.
    pub(crate) async fn write(&self, cx: &RunContext, records: Vec<Record>) -> Result<()> {
        self.write_as(cx.tree(), RunStatus::Open, records)
            .await
            .map_err(|lost| self.stop(cx, lost))
    }

    /// Writes records with the run's status.
    pub(crate) async fn write_as(
        &self,
        tree: &Tree,
        status: RunStatus,
        records: Vec<Record>,
    ) -> Result<(), Lost> {
        let last = self.enqueue(records);
        loop {
            let begin = || self.begin_write(tree, status, last);
            let Some((write, is_own)) = self.writing.under_way_or(begin)? else {
                return Ok(());
            };
            let wrote = driven(write.clone()).await;
            self.writing.end(&write, |batch, through| match &wrote {
                Ok(()) => self.wrote(batch, through),
                Err(Lost::TakenOver) => self.state.store(LOST, Ordering::Release),
                Err(Lost::Answered | Lost::Store(_)) => (),
            });
            if is_own {
                return wrote;
            }
        }
    }

    /// A write of all that waits; `None` if what the caller waits for is written.
    fn begin_write(
        &self,
        tree: &Tree,
        status: RunStatus,
        last: u64,
    ) -> Result<Option<(Write, Arc<Batch>, u64)>, Lost> {
        let Some((batch, through)) = self.batch(tree, status, last)? else {
            return Ok(None);
        };
        match self.state.load(Ordering::Acquire) {
            HELD => (),
            LOST => return Err(Lost::TakenOver),
            _ => {
                let over = Error::stopped("the run this is to be recorded for is over");
                return Err(Lost::Store(over));
            }
        }
        let batch = Arc::new(batch);
        let (store, lease, content) = (self.store.clone(), self.lease.clone(), batch.clone());
        let write = Box::pin(async move {
            let wrote = called("write", store.write(&lease, &content)).await;
            wrote.map_err(Lost::Store)?
        });
        Ok(Some((write, batch, through)))
    }

    /// Writes a record with the next batch.
    pub(crate) fn write_later(&self, record: Record) {
        self.enqueue(vec![record]);
    }

    fn enqueue(&self, records: Vec<Record>) -> u64 {
        let mut queue = unpoisoned(&self.queue);
        for record in records {
            queue.next += 1;
            let number = queue.next;
            queue.records.push((number, record));
        }
        queue.next
    }

    /// All that waits to be written; `None` if it was written by somebody else's batch.
    fn batch(
        &self,
        tree: &Tree,
        status: RunStatus,
        last: u64,
    ) -> Result<Option<(Batch, u64)>, Lost> {
        let open: Vec<String> = {
            let open = unpoisoned(&tree.questions);
            open.iter().map(|it| it.question.path.clone()).collect()
        };
        let mut queue = unpoisoned(&self.queue);
        if status == RunStatus::Open && queue.written >= last {
            return Ok(None);
        }
        let mut records: Vec<Record> = queue.records.iter().map(|(_, it)| it.clone()).collect();
        let through = queue.next;
        queue.head.revision += 1;
        queue.head.updated = SystemTime::now();
        queue.head.status = status;
        queue.head.waiting = open;
        if status == RunStatus::Open {
            let more: Vec<String> = queue.asking.iter().chain(&queue.carried).cloned().collect();
            for path in more {
                if !queue.head.waiting.contains(&path) {
                    queue.head.waiting.push(path);
                }
            }
        } else {
            for (path, intent) in &queue.paused {
                let value = written(intent).map_err(Lost::Store)?;
                records.push(Record {
                    key: SlotKey::new(SlotKind::Intent, path.clone()),
                    value: Arc::new(value),
                });
            }
        }
        let head = queue.head.clone();
        Ok(Some((Batch { head, records }, through)))
    }

    fn wrote(&self, batch: &Batch, through: u64) {
        {
            let mut queue = unpoisoned(&self.queue);
            queue.records.retain(|(number, _)| *number > through);
            queue.written = through;
        }
        let mut known = unpoisoned(&self.known);
        for record in &batch.records {
            known.put(record.clone());
        }
    }

    /// The record of what the run used, to be written with the next batch.
    pub(crate) fn usage(&self, tree: &Tree) -> Result<Record> {
        let record = UsageRecord {
            attempt: self.attempt(),
            spent: tree.ledger.spent(),
        };
        Ok(Record {
            key: SlotKey::new(SlotKind::Run, USAGE),
            value: Arc::new(written(&record)?),
        })
    }

    pub(crate) async fn renew(&self) -> Result<Renewed, Lost> {
        let renewed = called("renew", self.store.renew(&self.lease, self.ttl)).await;
        renewed.map_err(Lost::Store)?.inspect_err(|lost| {
            if let Lost::TakenOver = lost {
                self.set_lost();
            }
        })
    }

    /// Says that another worker may have the run: nothing more is written.
    pub(crate) fn set_lost(&self) {
        let _ = self
            .state
            .compare_exchange(HELD, LOST, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.state.load(Ordering::Acquire) == LOST
    }

    /// Gives the run back, the first time this is called; fails with the text of a store's panic.
    pub(crate) fn release(&self, how: Released) -> std::result::Result<(), String> {
        match self.state.swap(RELEASED, Ordering::AcqRel) {
            HELD => caught_now(|| self.store.release(&self.lease, how)),
            _ => Ok(()),
        }
    }

    /// Ends the run for what the store said; the error that whatever waits for it gets.
    pub(crate) fn stop(&self, cx: &RunContext, lost: Lost) -> Error {
        let (cause, at) = match lost {
            Lost::TakenOver => (Cause::cancelled(CancelReason::TakenOver), None),
            Lost::Store(error) if error.kind() == ErrorKind::Stopped => return error,
            Lost::Answered => {
                let message = "the journal refused a record of a run that didn't pause";
                let error = Error::new(ErrorKind::Failed, message).at(|| cx.path());
                (Cause::broken(error), Some(cx))
            }
            Lost::Store(error) => (Cause::broken(error.at(|| cx.path())), Some(cx)),
        };
        cx.tree().control.stop(cause, at);
        Error::stopped("the run's journal can't go on").at(|| cx.path())
    }
}

impl Drop for RunJournal {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.release(Released::Dropped);
    }
}

/// What the store says; a panic in it is a broken store.
pub(crate) async fn called<T: Send>(what: &str, call: impl Future<Output = T> + Send) -> Result<T> {
    caught(call).await.map_err(|panic| {
        let message = format!("the journal panicked in `{what}`: {panic}");
        Error::new(ErrorKind::Failed, message)
    })
}

/// The output of the effect at a path, if an attempt recorded one.
pub(crate) fn output(journal: &RunJournal, path: &str) -> Result<Option<OutputRecord>> {
    match journal.get(SlotKind::Output, path) {
        Some(value) => read(&value).map(Some),
        None => Ok(None),
    }
}
