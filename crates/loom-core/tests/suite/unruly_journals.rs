//! Journals that behave badly within what the trait allows: slow, or quick to give a run away; and one that panics.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{Journal, JournalRun, Lease, Loom, MemoryJournal, Result, RunId, Scope, Slot};
use serde_json::Value;

use crate::journaled::Log;
use crate::recorded::{recorded_by, tree};
use crate::steps::{echo, forever, give_way, panic};

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

/// A journal that panics when a run is given back, and counts how often that was tried.
#[derive(Clone, Default)]
struct Clings {
    inner: Arc<MemoryJournal>,
    asked: Log,
}

impl Journal for Clings {
    async fn claim(&self, run: &JournalRun) -> Result<Lease> {
        self.inner.claim(run).await
    }

    fn release(&self, _: &Lease) {
        self.asked.note("release");
        panic!("the lease is stuck")
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

#[test]
fn a_journal_that_panics_when_a_run_is_given_back_takes_no_output_away() {
    let journal = Clings::default();
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let outcome = block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(outcome.output, "go");
    let [settlement] = &outcome.settled[..] else {
        panic!("one settlement: {:?}", outcome.settled)
    };
    assert_eq!(settlement.name, "journal");
    let error = settlement.result.as_ref().unwrap_err();
    assert_eq!(
        error.message(),
        "it panicked while it gave the run back: the lease is stuck"
    );
    assert_eq!(tree(&recorder), ["loom.workflow.run echo"]);
    assert_eq!(journal.asked.take(), ["release"], "it is tried once");
}

#[test]
fn a_run_that_panics_or_is_dropped_survives_such_a_journal_too() {
    let journal = Clings::default();
    let (_, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let error = block_on(session.run(&panic, "refund")).unwrap_err();
    assert_eq!(error.message(), "no refund today");
    assert_eq!(journal.asked.take(), ["release"]);
    let run = session.run(&forever, "go").now_or_never();
    assert!(run.is_none());
    assert_eq!(journal.asked.take(), ["release"]);
}
