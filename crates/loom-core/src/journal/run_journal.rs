//! `RunJournal`: one run's part of the journal, held under a lease.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::RunContext;
use crate::control::Cause;
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::known::Known;
use crate::journal::record::{USAGE, UsageRecord, read, record};
use crate::journal::{
    Batch, DynJournal, JournalRun, Lease, Lost, Record, Released, Renewed, RunHead, RunStatus,
    SlotKey, SlotKind,
};
use crate::tree::{Tree, unpoisoned};

/// One run's part of the journal. All records of earlier attempts were handed over when it was
/// claimed, and those of this attempt are kept, too: nothing is read again.
pub(crate) struct RunJournal {
    store: Arc<dyn DynJournal>,
    lease: Lease,
    pub(crate) ttl: Duration,
    state: Mutex<State>,
}

struct State {
    hold: Hold,
    /// The head that was written last.
    head: RunHead,
    attempt: u32,
    known: Known,
    /// Where an answer is waited for though no question is counted: it is just being written, or
    /// an earlier attempt asked it and this one didn't come to it yet.
    expected: Vec<String>,
    /// What waits to be written.
    queue: Vec<Record>,
    /// How many records there were, and how many of them are written.
    recorded: u64,
    written: u64,
    writing: Option<Writing>,
}

/// Whether this worker may write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    Held,
    /// Another worker has the run: nothing more is written.
    Lost,
    Released,
}

type Write = BoxFuture<'static, Result<(), Lost>>;

/// The batch that is being written, which everything that waits for it polls: what began a write
/// and isn't polled any more holds nothing up. A write that nothing waits for any more is dropped.
struct Writing {
    write: WeakShared<Write>,
    batch: Arc<Batch>,
    /// How many records are written then.
    through: u64,
}

impl RunJournal {
    /// Takes a run, new or known.
    ///
    /// # Errors
    /// `Invalid` while another worker holds it; the store's own.
    pub(crate) async fn claim(
        store: &Arc<dyn DynJournal>,
        run: &JournalRun,
        of: &str,
        ttl: Duration,
    ) -> Result<Self> {
        let claimed = store.claim(run, ttl).await?;
        let head = claimed
            .head
            .unwrap_or_else(|| RunHead::new(run.root.clone(), of, SystemTime::now()));
        let journal = Self {
            store: store.clone(),
            lease: claimed.lease,
            ttl,
            state: Mutex::new(State {
                hold: Hold::Held,
                attempt: 1,
                known: Known::of(claimed.records),
                expected: head.waiting.clone(),
                head,
                queue: Vec::new(),
                recorded: 0,
                written: 0,
                writing: None,
            }),
        };
        if let Some(before) = journal.read::<UsageRecord>(SlotKind::Run, USAGE)? {
            journal.state().attempt = before.attempt + 1;
        }
        Ok(journal)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        unpoisoned(&self.state)
    }

    pub(crate) fn of(&self) -> String {
        self.state().head.of.clone()
    }

    /// Whether the run had ended, failed or been cancelled when it was claimed.
    pub(crate) fn was_finished(&self) -> bool {
        self.state().head.status.is_finished()
    }

    /// The number of this attempt, the first being 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.state().attempt
    }

    /// A record of this or an earlier attempt.
    pub(crate) fn get(&self, kind: SlotKind, path: &str) -> Option<Arc<Value>> {
        self.state().known.get(kind, path).cloned()
    }

    /// A record as its type.
    ///
    /// # Errors
    /// `Failed` for one that can't be read: the store is broken.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        kind: SlotKind,
        path: &str,
    ) -> Result<Option<T>> {
        self.get(kind, path).map(|value| read(&value)).transpose()
    }

    /// Whether several effects ran at once below the path in an earlier attempt.
    pub(crate) fn overlapped(&self, place: impl FnOnce() -> String) -> bool {
        let state = self.state();
        let overlapped = &state.known.overlapped;
        !overlapped.is_empty() && overlapped.contains(&place())
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

    /// Writes records with the run's status. One write comes after the other, so that an older head
    /// never lands after a newer one.
    pub(crate) async fn write_as(
        &self,
        tree: &Tree,
        status: RunStatus,
        records: Vec<Record>,
    ) -> Result<(), Lost> {
        let last = self.write_later(records);
        loop {
            let Some((write, is_own)) = self.begin_write(tree, status, last)? else {
                return Ok(());
            };
            // A shared future wakes all that waits for it, also what polls it as it ends: most
            // stores are ready at once, and the run isn't polled once more for each of them.
            let wrote = match write.clone().now_or_never() {
                Some(wrote) => wrote,
                None => write.clone().await,
            };
            self.end_write(&write, &wrote);
            if is_own {
                return wrote;
            }
        }
    }

    /// Writes records with the next batch; returns how many records there are then.
    pub(crate) fn write_later(&self, records: Vec<Record>) -> u64 {
        let mut state = self.state();
        for record in &records {
            state.known.put(record);
        }
        state.recorded += records.len() as u64;
        state.queue.extend(records);
        state.recorded
    }

    /// The write that is under way, or else one of all that waits, which is the caller's own;
    /// `None` if the caller's records are written.
    fn begin_write(
        &self,
        tree: &Tree,
        status: RunStatus,
        last: u64,
    ) -> Result<Option<(Shared<Write>, bool)>, Lost> {
        let waiting = tree.open_paths();
        let mut state = self.state();
        if let Some(write) = state.writing.as_ref().and_then(|it| it.write.upgrade()) {
            return Ok(Some((write, false)));
        }
        state.take_back();
        if status == RunStatus::Open && state.written >= last {
            return Ok(None);
        }
        match state.hold {
            Hold::Held => (),
            Hold::Lost => return Err(Lost::TakenOver),
            Hold::Released => {
                let over = Error::stopped("the run this is to be recorded for is over");
                return Err(Lost::Store(over));
            }
        }
        let batch = Arc::new(Batch {
            head: state.next_head(status, waiting),
            records: std::mem::take(&mut state.queue),
        });
        let (store, lease, content) = (self.store.clone(), self.lease.clone(), batch.clone());
        let write = async move { store.write(&lease, &content).await };
        let write = write.boxed().shared();
        let through = state.recorded;
        state.writing = write.downgrade().map(|write| Writing {
            write,
            batch,
            through,
        });
        Ok(Some((write, true)))
    }

    /// Takes note of what a write came to, the first time this is called for it.
    fn end_write(&self, write: &Shared<Write>, wrote: &Result<(), Lost>) {
        let mut state = self.state();
        let current = state.writing.as_ref().and_then(|it| it.write.upgrade());
        if !current.is_some_and(|it| it.ptr_eq(write)) {
            return;
        }
        match wrote {
            Ok(()) => state.written = state.writing.take().map_or(0, |it| it.through),
            Err(lost) => {
                state.take_back();
                if let Lost::TakenOver = lost {
                    state.hold = Hold::Lost;
                }
            }
        }
    }

    /// The record of what the run used.
    pub(crate) fn usage(&self, tree: &Tree) -> Result<Record> {
        let usage = UsageRecord {
            attempt: self.attempt(),
            spent: tree.ledger.spent(),
        };
        record(SlotKind::Run, USAGE, &usage)
    }

    /// Notes that an answer is waited for here, before the question is counted.
    pub(crate) fn expect(&self, path: &str) {
        self.stop_expecting(path);
        self.state().expected.push(path.to_owned());
    }

    /// Notes that the question here has its answer, is counted, or isn't asked after all.
    pub(crate) fn stop_expecting(&self, path: &str) {
        self.state().expected.retain(|it| it != path);
    }

    /// Takes over the answers that were given while this attempt ran.
    pub(crate) async fn take_answers(&self, asked: &[String]) -> Result<()> {
        for path in asked {
            let key = SlotKey::new(SlotKind::Answer, path.clone());
            if let Some(answer) = self.store.read(&self.lease.run, &key).await? {
                let value = Arc::new(answer);
                self.state().known.put(&Record { key, value });
            }
        }
        Ok(())
    }

    /// Takes over those answers, and begins the next attempt under the same lease.
    pub(crate) async fn next_attempt(&self, asked: &[String]) -> Result<()> {
        self.take_answers(asked).await?;
        let mut state = self.state();
        state.attempt += 1;
        state.expected = asked.to_vec();
        Ok(())
    }

    pub(crate) async fn renew(&self) -> Result<Renewed, Lost> {
        let renewed = self.store.renew(&self.lease, self.ttl).await;
        renewed.inspect_err(|lost| {
            if let Lost::TakenOver = lost {
                self.set_lost();
            }
        })
    }

    /// Notes that another worker may have the run: nothing more is written.
    pub(crate) fn set_lost(&self) {
        let mut state = self.state();
        if state.hold == Hold::Held {
            state.hold = Hold::Lost;
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.state().hold == Hold::Lost
    }

    /// Releases the run, the first time this is called; fails with the text of a store's panic.
    pub(crate) fn release(&self, how: Released) -> Result<(), String> {
        let hold = std::mem::replace(&mut self.state().hold, Hold::Released);
        match hold {
            Hold::Held => self.store.release(&self.lease, how),
            Hold::Lost | Hold::Released => Ok(()),
        }
    }

    /// Ends the run for what the store returned; the error that the effect returns which met it.
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
        Error::stopped("the run's journal can't continue").at(|| cx.path())
    }
}

impl State {
    /// Takes back what a write didn't write.
    fn take_back(&mut self) {
        if let Some(unwritten) = self.writing.take() {
            let batch = Arc::unwrap_or_clone(unwritten.batch);
            self.queue.splice(0..0, batch.records);
        }
    }

    /// The next head, of a run that waits for answers at these paths.
    fn next_head(&mut self, status: RunStatus, mut waiting: Vec<String>) -> RunHead {
        if status == RunStatus::Open {
            let expected = self.expected.iter();
            let more: Vec<_> = expected
                .filter(|it| !waiting.contains(it))
                .cloned()
                .collect();
            waiting.extend(more);
        }
        self.head.revision += 1;
        self.head.updated = SystemTime::now();
        self.head.status = status;
        RunHead {
            waiting,
            ..self.head.clone()
        }
    }
}

impl Drop for RunJournal {
    fn drop(&mut self) {
        // Nothing is left that could report a panic.
        let _ = self.release(Released::Dropped);
    }
}
