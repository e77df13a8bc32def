//! `Journal`: what makes a run resumable.

mod types;
mod head;
mod query;
mod erased;
mod memory;
pub(crate) mod record;
mod run_journal;
mod known;

use std::time::Duration;

use serde_json::Value;

use crate::error::Result;

pub(crate) use erased::DynJournal;
pub use head::{RunHead, RunStatus};
pub use memory::MemoryJournal;
pub use query::{Forget, FoundRun, Page, RunQuery, Whose};
pub(crate) use run_journal::RunJournal;
pub use types::{
    Answered, Batch, Claimed, JournalRun, Lease, Lost, Record, Released, Renewed, SlotKey, SlotKind,
};

/// Keeps what runs recorded, so that they can be resumed, also by another process.
///
/// A store of JSON values under (partition, run, slot) and of one [`RunHead`] for each run. What a
/// value means is the driver's business; a store returns it to the byte. It decides three races:
///
/// - Of several workers that claim a run one wins. The others get `Invalid` until the lease is
///   released or lapses; then the next claim has a higher token, and nothing more is written under
///   a lower one.
/// - Of several answers to a question the first stays.
/// - Of a pause and an answer that arrives meanwhile, one is refused: a batch that pauses the run
///   is written only while nothing it waits for is known.
///
/// Each method is one step: nobody sees half of it, and one that returns an error changed nothing.
/// A future that is dropped may have done its work or not.
///
/// Leases lapse in every store that outlives its processes. A lapsed lease that no other worker
/// has claimed may still be renewed and written under, or be refused with [`Lost::TakenOver`].
///
/// `check_journal` of loom-testing checks that a store keeps to all of this.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use loom_core::{
///     Batch, Journal, JournalRun, Lost, MemoryJournal, Record, Released, RunHead, RunId, Scope,
///     SessionId, SlotKey, SlotKind,
/// };
/// use serde_json::json;
///
/// # futures::executor::block_on(async {
/// let journal = MemoryJournal::default();
/// let run = JournalRun { scope: Scope::new(None, SessionId::new("s")?), root: RunId::new("r")? };
/// let ttl = Duration::from_secs(30);
///
/// let claimed = journal.claim(&run, ttl).await?;
/// assert_eq!(claimed.head, None, "a new run");
/// assert!(journal.claim(&run, ttl).await.is_err(), "it is being worked on");
///
/// let load = SlotKey::new(SlotKind::Output, "load");
/// let head = RunHead::new(run.root.clone(), "refund", SystemTime::now());
/// let batch = Batch { head, records: vec![Record { key: load.clone(), value: json!(7).into() }] };
/// journal.write(&claimed.lease, &batch).await.unwrap();
/// assert_eq!(journal.read(&run, &load).await?, Some(json!(7)));
///
/// journal.release(&claimed.lease, Released::Shutdown);
/// let resumed = journal.claim(&run, ttl).await?;
/// assert_eq!(resumed.records, batch.records);
/// assert!(matches!(journal.renew(&claimed.lease, ttl).await, Err(Lost::TakenOver)));
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a journal",
    note = "implement `Journal`: `claim`, `renew`, `write`, `release`, `answer`, `read`, `runs`, \
            `request_cancel` and `forget`"
)]
pub trait Journal: Send + Sync + 'static {
    /// Takes a run to work on it for `ttl`, and hands over everything that is stored of it.
    ///
    /// The run may be unknown: then it is a new one. The lease's token is higher than that of every
    /// claim of this run before, also if the run was forgotten in between.
    ///
    /// # Errors
    /// `Invalid` while another worker holds the run; `Failed` for a store that doesn't work.
    fn claim(
        &self,
        run: &JournalRun,
        ttl: Duration,
    ) -> impl Future<Output = Result<Claimed>> + Send;

    /// Extends a lease to `ttl` from now, and brings a cancellation that was requested elsewhere.
    ///
    /// # Errors
    /// [`Lost::TakenOver`] if the lease is over; [`Lost::Store`] for a store that doesn't work.
    fn renew(
        &self,
        lease: &Lease,
        ttl: Duration,
    ) -> impl Future<Output = Result<Renewed, Lost>> + Send;

    /// Writes a head and its records, all or nothing. Doesn't extend the lease.
    ///
    /// A head that ends, fails or cancels the run settles a cancellation that was requested.
    ///
    /// # Errors
    /// The first of these that applies:
    /// - [`Lost::TakenOver`] if the lease is over;
    /// - [`Lost::Store`] with an `Invalid` error if the head's revision isn't higher than that of
    ///   the stored head, if there is one;
    /// - [`Lost::Answered`] if the head's status is [`RunStatus::Paused`] and an answer is stored
    ///   for one of the paths it waits for, or the time it is due has come;
    /// - [`Lost::Store`] for a store that doesn't work.
    fn write(&self, lease: &Lease, batch: &Batch) -> impl Future<Output = Result<(), Lost>> + Send;

    /// Releases a lease, as far as that is possible without waiting: if it fails, the lease lapses.
    /// Does nothing if the lease is over.
    fn release(&self, lease: &Lease, how: Released);

    /// Writes the answer to the question at this path, if the run waits for it and none is stored,
    /// and removes the path from the head's `waiting`. Needs no lease.
    ///
    /// # Errors
    /// `Failed` for a store that doesn't work.
    fn answer(
        &self,
        run: &JournalRun,
        path: &str,
        value: Value,
    ) -> impl Future<Output = Result<Answered>> + Send;

    /// Returns one record, if it exists: for people and pages.
    ///
    /// # Errors
    /// `Failed` for a store that doesn't work, or holds what it can't read.
    fn read(
        &self,
        run: &JournalRun,
        slot: &SlotKey,
    ) -> impl Future<Output = Result<Option<Value>>> + Send;

    /// Lists runs in the order in which they were first written.
    ///
    /// A run that matches throughout is on exactly one page, whatever is written or forgotten while
    /// the pages are read. A page may have fewer runs than the query asks for, or none, and still
    /// not be the last.
    ///
    /// # Errors
    /// `Invalid` for a `max` of zero or an `after` that no page had; `Failed` for a store that
    /// doesn't work, or holds what it can't read.
    fn runs(&self, query: &RunQuery<'_>) -> impl Future<Output = Result<Page<FoundRun>>> + Send;

    /// Requests that a run be cancelled: its worker finds out with the next renewal, and the next
    /// claim finds it in the head. Returns `false` for an unknown or finished run.
    ///
    /// # Errors
    /// `Failed` for a store that doesn't work.
    fn request_cancel(&self, run: &JournalRun) -> impl Future<Output = Result<bool>> + Send;

    /// Forgets runs with all their records, and returns how many they were.
    ///
    /// # Errors
    /// `Invalid` if a worker holds one of them, which the message names: nothing is forgotten then.
    /// `Failed` for a store that doesn't work.
    fn forget(&self, what: &Forget) -> impl Future<Output = Result<u64>> + Send;
}
