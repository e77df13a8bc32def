//! A journal whose process can be killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use loom_core::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, MemoryJournal,
    Page, Released, Renewed, Result, RunQuery, SlotKey,
};
use serde_json::Value;

use crate::Crash;

/// What a process does to a store until it is killed: from then on nothing arrives, nothing comes
/// back, and nothing is given back.
pub(crate) struct Mortal {
    store: Arc<MemoryJournal>,
    crash: Option<Crash>,
    writes: AtomicU32,
    dead: Arc<AtomicBool>,
}

impl Mortal {
    pub(crate) fn new(store: Arc<MemoryJournal>, crash: Option<Crash>) -> Self {
        Self {
            store,
            crash,
            writes: AtomicU32::new(0),
            dead: Arc::default(),
        }
    }

    /// Whether the process is dead; set from outside, too.
    pub(crate) fn dead(&self) -> Arc<AtomicBool> {
        self.dead.clone()
    }

    async fn live(&self) {
        if self.dead.load(Ordering::SeqCst) {
            futures::future::pending::<()>().await;
        }
    }
}

impl Journal for Mortal {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        self.store.claim(run, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        self.live().await;
        self.store.renew(lease, ttl).await
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        self.live().await;
        let nth = self.writes.fetch_add(1, Ordering::SeqCst);
        let crash = match self.crash {
            Some(Crash::AtWrite { nth: at, arrives }) if u32::from(at) == nth => Some(arrives),
            _ => None,
        };
        if crash != Some(false) {
            self.store.write(lease, batch).await?;
        }
        if crash.is_some() {
            self.dead.store(true, Ordering::SeqCst);
            self.live().await;
        }
        Ok(())
    }

    fn release(&self, lease: &Lease, how: Released) {
        // Of a dead process the lease runs out, sooner or later.
        let how = match self.dead.load(Ordering::SeqCst) {
            true => Released::Shutdown,
            false => how,
        };
        self.store.release(lease, how);
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        self.store.answer(run, path, value).await
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        self.live().await;
        self.store.read(run, slot).await
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        self.store.runs(query).await
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        self.store.request_cancel(run).await
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        self.store.forget(what).await
    }
}
