//! Journals that behave badly within what the trait allows: slow, or quick to give a run away; and
//! some that panic.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Loom, Lost,
    MemoryJournal, Page, Released, Renewed, Result, RunQuery, SlotKey, SlotKind,
};
use serde_json::Value;

use crate::journaled::Log;
use crate::recorded::{recorded_by, tree};
use crate::steps::{echo, forever, give_way, panic};

/// A journal around [`MemoryJournal`]: what is called in it, and what it does before and after.
pub(crate) trait Unruly: Send + Sync + 'static {
    fn inner(&self) -> &MemoryJournal;

    fn before(&self, _call: Call<'_>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    fn after(&self, _call: Call<'_>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// A call of a journal.
#[derive(Clone, Copy)]
pub(crate) enum Call<'a> {
    Claim,
    Renew,
    Write(&'a Batch),
    Release,
    Answer,
    Read,
    Other,
}

/// An [`Unruly`] as a journal. Clones share one.
pub(crate) struct Wild<U>(pub(crate) Arc<U>);

impl<U> Clone for Wild<U> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<U: Default> Default for Wild<U> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<U: Unruly> Journal for Wild<U> {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        self.0.before(Call::Claim).await;
        self.0.inner().claim(run, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        self.0.before(Call::Renew).await;
        self.0.inner().renew(lease, ttl).await
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        self.0.before(Call::Write(batch)).await;
        self.0.inner().write(lease, batch).await?;
        self.0.after(Call::Write(batch)).await;
        Ok(())
    }

    fn release(&self, lease: &Lease, how: Released) {
        let _ = self.0.before(Call::Release).now_or_never();
        self.0.inner().release(lease, how);
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        self.0.before(Call::Answer).await;
        self.0.inner().answer(run, path, value).await
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        self.0.before(Call::Read).await;
        self.0.inner().read(run, slot).await
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        self.0.before(Call::Other).await;
        self.0.inner().runs(query).await
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        self.0.before(Call::Other).await;
        self.0.inner().request_cancel(run).await
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        self.0.before(Call::Other).await;
        self.0.inner().forget(what).await
    }
}

/// A journal that takes its time over everything, and notes which outputs it has written.
pub(crate) type Slow = Wild<TakesTime>;

#[derive(Default)]
pub(crate) struct TakesTime {
    inner: MemoryJournal,
    pub(crate) written: Log,
}

impl Unruly for TakesTime {
    fn inner(&self) -> &MemoryJournal {
        &self.inner
    }

    async fn before(&self, _call: Call<'_>) {
        give_way().await;
    }

    async fn after(&self, call: Call<'_>) {
        if let Call::Write(batch) = call {
            let keys = batch.records.iter().map(|it| &it.key);
            for key in keys.filter(|it| it.kind == SlotKind::Output) {
                self.written.note(format!("{} is written", key.path));
            }
        }
        give_way().await;
    }
}

/// A journal whose leases have run out whenever somebody else claims the run.
#[derive(Clone, Default)]
pub(crate) struct Impatient {
    inner: Arc<MemoryJournal>,
    given: Arc<Mutex<Option<Lease>>>,
}

impl Journal for Impatient {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        if let Some(expired) = self.given.lock().unwrap().take() {
            self.inner.release(&expired, Released::Shutdown);
        }
        let claimed = self.inner.claim(run, ttl).await?;
        *self.given.lock().unwrap() = Some(claimed.lease.clone());
        Ok(claimed)
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        self.inner.renew(lease, ttl).await
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        self.inner.write(lease, batch).await
    }

    fn release(&self, lease: &Lease, how: Released) {
        self.inner.release(lease, how);
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        self.inner.answer(run, path, value).await
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        self.inner.read(run, slot).await
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        self.inner.runs(query).await
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        self.inner.request_cancel(run).await
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        self.inner.forget(what).await
    }
}

/// A journal that counts its batches.
pub(crate) type Counts = Wild<CountsBatches>;

#[derive(Default)]
pub(crate) struct CountsBatches {
    inner: MemoryJournal,
    pub(crate) batches: AtomicU32,
}

impl Unruly for CountsBatches {
    fn inner(&self) -> &MemoryJournal {
        &self.inner
    }

    async fn before(&self, call: Call<'_>) {
        if let Call::Write(_) = call {
            self.batches.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A journal that panics when a run is given back, and counts how often that was tried.
#[derive(Default)]
struct Clings {
    inner: MemoryJournal,
    asked: Log,
}

impl Unruly for Clings {
    fn inner(&self) -> &MemoryJournal {
        &self.inner
    }

    async fn before(&self, call: Call<'_>) {
        if let Call::Release = call {
            self.asked.note("release");
            panic!("the lease is stuck")
        }
    }
}

#[test]
fn a_journal_that_panics_when_a_run_is_given_back_takes_no_output_away() {
    let journal = Wild::<Clings>::default();
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
        "it panicked while it released the run: the lease is stuck"
    );
    assert_eq!(tree(&recorder), ["loom.workflow.run echo"]);
    assert_eq!(journal.0.asked.take(), ["release"], "it is tried once");
}

#[test]
fn a_run_that_panics_or_is_dropped_survives_such_a_journal_too() {
    let journal = Wild::<Clings>::default();
    let (_, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let error = block_on(session.run(&panic, "refund")).unwrap_err();
    assert_eq!(error.message(), "no refund today");
    assert_eq!(journal.0.asked.take(), ["release"]);
    let run = session.run(&forever, "go").now_or_never();
    assert!(run.is_none());
    assert_eq!(journal.0.asked.take(), ["release"]);
}

/// A journal that panics in the write it is told to.
#[derive(Default)]
struct PanicsInWrite {
    inner: MemoryJournal,
    nth: u32,
    writes: AtomicU32,
}

impl Unruly for PanicsInWrite {
    fn inner(&self) -> &MemoryJournal {
        &self.inner
    }

    async fn before(&self, call: Call<'_>) {
        if let Call::Write(_) = call
            && self.writes.fetch_add(1, Ordering::Relaxed) + 1 == self.nth
        {
            panic!("the disk is full")
        }
    }
}

#[test]
fn c08_a_journal_that_panics_breaks_the_run_whatever_wraps_the_step() {
    use loom_core::{RunContext, RunErrorKind, step};

    async fn pays(cx: RunContext, text: String) -> Result<String> {
        let paid = step(echo).retry(3).or_else(echo);
        let _swallowed = cx.step("pay", &paid, text.clone()).await;
        Ok(text)
    }
    // The run's own first batch, and that of its step.
    for (nth, lines) in [
        (1, &[][..]),
        (
            2,
            &[
                "loom.workflow.run pays ✗ failed",
                "  loom.workflow.step pay ✗ failed",
            ],
        ),
    ] {
        let journal = Wild(Arc::new(PanicsInWrite {
            nth,
            ..PanicsInWrite::default()
        }));
        let (recorder, session) = recorded_by(Loom::builder().journal(journal));
        let wrapped = step(pays).retry(3).or_else(echo);
        let error = block_on(session.run(&wrapped, "go")).unwrap_err();
        assert_eq!(error.kind(), RunErrorKind::Broken, "write {nth}");
        assert!(
            error.message().contains("the disk is full"),
            "write {nth}: {error}"
        );
        assert_eq!(tree(&recorder), lines, "write {nth}");
    }
}
