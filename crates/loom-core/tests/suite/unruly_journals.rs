//! Journals that behave badly within what the trait allows: slow, or quick to give a run away.

use std::sync::{Arc, Mutex};

use loom_core::{Journal, JournalRun, Lease, MemoryJournal, Result, RunId, Scope, Slot};
use serde_json::Value;

use crate::journaled::Log;
use crate::steps::give_way;

/// A journal that takes its time over everything, and notes which outputs it has written.
#[derive(Clone, Default)]
pub(crate) struct Slow {
    inner: Arc<MemoryJournal>,
    pub(crate) written: Log,
}

impl Journal for Slow {
    async fn claim(&self, run: &JournalRun) -> Result<Lease> {
        give_way().await;
        self.inner.claim(run).await
    }

    fn release(&self, lease: &Lease) {
        self.inner.release(lease);
    }

    async fn get(&self, run: &JournalRun, slot: Slot<'_>) -> Result<Option<Value>> {
        give_way().await;
        self.inner.get(run, slot).await
    }

    async fn put(&self, lease: &Lease, slot: Slot<'_>, value: Value) -> Result<()> {
        give_way().await;
        self.inner.put(lease, slot, value).await?;
        if let Slot::Output(path) = slot {
            self.written.note(format!("{path} is written"));
        }
        give_way().await;
        Ok(())
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<bool> {
        give_way().await;
        self.inner.answer(run, path, value).await
    }

    async fn runs(&self, scope: &Scope) -> Result<Vec<(RunId, Value)>> {
        give_way().await;
        self.inner.runs(scope).await
    }
}

/// A journal whose leases have run out whenever somebody else claims the run.
#[derive(Clone, Default)]
pub(crate) struct Impatient {
    inner: Arc<MemoryJournal>,
    given: Arc<Mutex<Option<Lease>>>,
}

impl Journal for Impatient {
    async fn claim(&self, run: &JournalRun) -> Result<Lease> {
        if let Some(expired) = self.given.lock().unwrap().take() {
            self.inner.release(&expired);
        }
        let lease = self.inner.claim(run).await?;
        *self.given.lock().unwrap() = Some(lease.clone());
        Ok(lease)
    }

    fn release(&self, lease: &Lease) {
        self.inner.release(lease);
    }

    async fn get(&self, run: &JournalRun, slot: Slot<'_>) -> Result<Option<Value>> {
        self.inner.get(run, slot).await
    }

    async fn put(&self, lease: &Lease, slot: Slot<'_>, value: Value) -> Result<()> {
        self.inner.put(lease, slot, value).await
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<bool> {
        self.inner.answer(run, path, value).await
    }

    async fn runs(&self, scope: &Scope) -> Result<Vec<(RunId, Value)>> {
        self.inner.runs(scope).await
    }
}
