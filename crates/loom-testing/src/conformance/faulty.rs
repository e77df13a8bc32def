//! The scenarios find what is wrong with a store.

use std::sync::Mutex;

use loom_core::{Answered, Claimed, Forget, FoundRun, MemoryJournal, Page, Renewed, RunQuery};

use super::*;
use crate::unpoisoned;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    ForgetsWhoHolds,
    TakesAnyToken,
    TakesAnyRevision,
    PausesRegardless,
    WritesRecordsOfRefusedBatches,
    BelievesTheBatch,
    NeverCancels,
    AnswersTwice,
    AnswersAnything,
    RoundsNumbers,
    IgnoresCase,
    SortsPages,
    ForgetsAllSessions,
}

struct Faulty {
    journal: MemoryJournal,
    fault: Fault,
    last: Mutex<Option<Lease>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self {
            journal: MemoryJournal::default(),
            fault,
            last: Mutex::default(),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn last(&self) -> Option<Lease> {
        unpoisoned(&self.last).clone()
    }

    fn lease(&self, lease: &Lease) -> Lease {
        let last = self.last().filter(|_| self.has(Fault::TakesAnyToken));
        last.unwrap_or_else(|| lease.clone())
    }

    fn slot(&self, slot: &SlotKey) -> SlotKey {
        match self.has(Fault::IgnoresCase) {
            true => SlotKey::new(slot.kind, slot.path.to_lowercase()),
            false => slot.clone(),
        }
    }

    /// Writes the records under a head that isn't refused.
    async fn force(&self, lease: &Lease, mut batch: Batch) -> Result<(), Lost> {
        if let Ok(Some(head)) = stored(&self.journal, &lease.run).await {
            batch.head = head;
            batch.head.revision += 1;
        }
        self.journal.write(lease, &batch).await
    }
}

async fn stored(journal: &MemoryJournal, run: &JournalRun) -> Result<Option<RunHead>> {
    let found = journal.runs(&RunQuery::of(&run.scope).max(1000)).await?;
    let mut found = found.items.into_iter().filter(|it| it.run == *run);
    Ok(found.next().map(|it| it.head))
}

impl Journal for Faulty {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        let last = self.last().filter(|it| it.run == *run);
        if self.has(Fault::ForgetsWhoHolds)
            && let Some(last) = last
        {
            self.journal.release(&last, Released::Dropped);
        }
        let claimed = self.journal.claim(run, ttl).await?;
        *unpoisoned(&self.last) = Some(claimed.lease.clone());
        Ok(claimed)
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        let renewed = self.journal.renew(&self.lease(lease), ttl).await?;
        let requested = renewed.cancel_requested && !self.has(Fault::NeverCancels);
        Ok(Renewed::new(requested))
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        let (lease, mut batch) = (self.lease(lease), batch.clone());
        for record in &mut batch.records {
            record.key = self.slot(&record.key);
        }
        if self.has(Fault::BelievesTheBatch) && batch.head.cancel_requested {
            self.journal.write(&lease, &batch).await?;
            self.journal.request_cancel(&lease.run).await?;
            return Ok(());
        }
        let written = self.journal.write(&lease, &batch).await;
        match (&written, self.fault) {
            (Err(Lost::Store(_)), Fault::TakesAnyRevision) => self.force(&lease, batch).await,
            (Err(Lost::Answered), Fault::PausesRegardless) => self.force(&lease, batch).await,
            (Err(_), Fault::WritesRecordsOfRefusedBatches) => {
                self.force(&lease, batch).await.ok();
                written
            }
            _ => written,
        }
    }

    fn release(&self, lease: &Lease, how: Released) {
        self.journal.release(&self.lease(lease), how);
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        let answered = self.journal.answer(run, path, value).await?;
        Ok(match (answered, self.fault) {
            (Answered::Already, Fault::AnswersTwice) => Answered::Written,
            (Answered::NotWaiting, Fault::AnswersAnything) => Answered::Written,
            (other, _) => other,
        })
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        let value = self.journal.read(run, &self.slot(slot)).await?;
        let is_exact = |value: &Value| value.as_u64().is_none_or(|it| it < 1 << 53);
        Ok(match value {
            Some(value) if self.has(Fault::RoundsNumbers) && !is_exact(&value) => {
                value.as_f64().map(Value::from)
            }
            other => other,
        })
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        let mut page = self.journal.runs(query).await?;
        if self.has(Fault::SortsPages) {
            page.items.sort_by(|a, b| a.run.root.cmp(&b.run.root));
        }
        Ok(page)
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        self.journal.request_cancel(run).await
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        match what {
            Forget::Scope(scope) if self.has(Fault::ForgetsAllSessions) => {
                let user = Forget::User(scope.user().cloned());
                self.journal.forget(&user).await
            }
            other => self.journal.forget(other).await,
        }
    }
}

#[tokio::test]
async fn each_fault_is_found_by_its_scenario() {
    let batches = "a batch is written as a whole or not at all";
    let heads = "a head is stored as it was written, but for the store's own fields";
    let answers = "an answer is written once, to a question that is waited for";
    for (fault, expected) in [
        (Fault::None, "no fault"),
        (
            Fault::ForgetsWhoHolds,
            "a run is held by one worker until it is released",
        ),
        (
            Fault::TakesAnyToken,
            "a lease that is over writes, renews and releases nothing",
        ),
        (Fault::TakesAnyRevision, batches),
        (
            Fault::PausesRegardless,
            "a pause that needn't wait is refused",
        ),
        (Fault::WritesRecordsOfRefusedBatches, batches),
        (Fault::BelievesTheBatch, heads),
        (
            Fault::NeverCancels,
            "a cancellation that was requested arrives with the renewal",
        ),
        (Fault::AnswersTwice, answers),
        (Fault::AnswersAnything, answers),
        (Fault::RoundsNumbers, "values come back to the byte"),
        (
            Fault::IgnoresCase,
            "every kind and path is a record of its own",
        ),
        (Fault::SortsPages, "pages have every run once, oldest first"),
        (Fault::ForgetsAllSessions, "partitions never mix"),
    ] {
        let checked = check_journal(|| Faulty::new(fault)).await;
        let message = checked.err().map(|error| error.message().to_owned());
        let message = message.unwrap_or_else(|| "no fault".to_owned());
        let scenario = message.split(": ").next();
        assert_eq!(scenario, Some(expected), "{fault:?}");
    }
}
