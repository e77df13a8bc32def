//! `Journal`: what makes a run resumable.

mod memory;
mod record;
mod run_journal;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::error::Result;
use crate::ids::RunId;
use crate::scope::Scope;

pub use memory::MemoryJournal;
pub(crate) use record::{AnswerRecord, FailureRecord, OutputRecord, RunRecord, Status};
pub(crate) use run_journal::{Answer, Held, RunJournal};

/// Which root run a record belongs to: a run is found only in its own partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JournalRun {
    /// Whose run it is.
    pub scope: Scope,
    /// The root run's id.
    pub root: RunId,
}

/// Which record of a run. A store keeps what it is given under any slot, also under one that came
/// after it was written (by its `Debug` form, for example), and refuses none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slot<'a> {
    /// The run itself: its input, how far it came, what it used.
    Run,
    /// The output of the effect at this path.
    Output(&'a str),
    /// A question that was asked at this path.
    Question(&'a str),
    /// The answer to the question at this path.
    Answer(&'a str),
    /// What the run's definition was when it began, to tell whether it changed.
    Definition,
}

/// The right to write a run's records. Whoever claims a run later gets a higher token, and what
/// is written under a lower one is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: JournalRun,
    /// Rises with every claim.
    pub token: u64,
}

/// Keeps what runs recorded, so that they can be resumed, also by another process.
///
/// A store of JSON values under (partition, run, slot). It decides two races: of several workers
/// that claim a run one wins, and of several answers to a question the first stays.
///
/// ```
/// use loom_core::{Journal, JournalRun, MemoryJournal, RunId, Scope, SessionId, Slot};
/// use serde_json::json;
///
/// # futures::executor::block_on(async {
/// let journal = MemoryJournal::default();
/// let run = JournalRun { scope: Scope::new(None, SessionId::new("s")?), root: RunId::new("r")? };
/// let lease = journal.claim(&run).await?;
/// journal.put(&lease, Slot::Output("load"), json!(7)).await?;
/// assert_eq!(journal.get(&run, Slot::Output("load")).await?, Some(json!(7)));
/// assert!(journal.claim(&run).await.is_err(), "somebody works on it");
/// journal.release(&lease);
/// assert!(journal.claim(&run).await.is_ok());
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a journal",
    note = "implement `Journal`: `claim`, `release`, `get`, `put`, `answer` and `runs`"
)]
pub trait Journal: Send + Sync + 'static {
    /// Takes a run to work on it, until the lease is released or, in a store that outlives its
    /// processes, has run out.
    ///
    /// # Errors
    /// `Invalid` while somebody else holds it; `Internal` for a store that doesn't work.
    fn claim(&self, run: &JournalRun) -> impl Future<Output = Result<Lease>> + Send;

    /// Gives a run back. Does nothing if it was claimed by somebody else since. Called once for a
    /// lease; if it panics, the run's outcome says that the journal isn't settled.
    fn release(&self, lease: &Lease);

    /// A record, if there is one.
    ///
    /// # Errors
    /// `Internal` for a store that doesn't work, or holds what it can't read.
    fn get(
        &self,
        run: &JournalRun,
        slot: Slot<'_>,
    ) -> impl Future<Output = Result<Option<Value>>> + Send;

    /// Writes a record, in place of an earlier one; keeps the lease alive.
    ///
    /// # Errors
    /// `Internal` if the run was claimed by somebody else since, or the store doesn't work.
    fn put(
        &self,
        lease: &Lease,
        slot: Slot<'_>,
        value: Value,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Writes the answer to the question at this path unless there is one: whether it was
    /// written. Needs no lease.
    ///
    /// # Errors
    /// `Internal` for a store that doesn't work.
    fn answer(
        &self,
        run: &JournalRun,
        path: &str,
        value: Value,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// All runs of a partition with their [`Slot::Run`] records, oldest first.
    ///
    /// # Errors
    /// `Internal` for a store that doesn't work.
    fn runs(&self, scope: &Scope) -> impl Future<Output = Result<Vec<(RunId, Value)>>> + Send;
}

impl<J: Journal> Journal for Arc<J> {
    fn claim(&self, run: &JournalRun) -> impl Future<Output = Result<Lease>> + Send {
        (**self).claim(run)
    }

    fn release(&self, lease: &Lease) {
        (**self).release(lease);
    }

    fn get(
        &self,
        run: &JournalRun,
        slot: Slot<'_>,
    ) -> impl Future<Output = Result<Option<Value>>> + Send {
        (**self).get(run, slot)
    }

    fn put(
        &self,
        lease: &Lease,
        slot: Slot<'_>,
        value: Value,
    ) -> impl Future<Output = Result<()>> + Send {
        (**self).put(lease, slot, value)
    }

    fn answer(
        &self,
        run: &JournalRun,
        path: &str,
        value: Value,
    ) -> impl Future<Output = Result<bool>> + Send {
        (**self).answer(run, path, value)
    }

    fn runs(&self, scope: &Scope) -> impl Future<Output = Result<Vec<(RunId, Value)>>> + Send {
        (**self).runs(scope)
    }
}

/// The object-safe twin of [`Journal`].
pub(crate) trait DynJournal: Send + Sync {
    fn claim<'a>(&'a self, run: &'a JournalRun) -> BoxFuture<'a, Result<Lease>>;
    fn release(&self, lease: &Lease);
    fn get<'a>(
        &'a self,
        run: &'a JournalRun,
        slot: Slot<'a>,
    ) -> BoxFuture<'a, Result<Option<Value>>>;
    fn put<'a>(
        &'a self,
        lease: &'a Lease,
        slot: Slot<'a>,
        value: Value,
    ) -> BoxFuture<'a, Result<()>>;
    fn answer<'a>(
        &'a self,
        run: &'a JournalRun,
        path: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<bool>>;
    fn runs<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<(RunId, Value)>>>;
}

impl<J: Journal> DynJournal for J {
    fn claim<'a>(&'a self, run: &'a JournalRun) -> BoxFuture<'a, Result<Lease>> {
        Box::pin(Journal::claim(self, run))
    }

    fn release(&self, lease: &Lease) {
        Journal::release(self, lease);
    }

    fn get<'a>(
        &'a self,
        run: &'a JournalRun,
        slot: Slot<'a>,
    ) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(Journal::get(self, run, slot))
    }

    fn put<'a>(
        &'a self,
        lease: &'a Lease,
        slot: Slot<'a>,
        value: Value,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(Journal::put(self, lease, slot, value))
    }

    fn answer<'a>(
        &'a self,
        run: &'a JournalRun,
        path: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(Journal::answer(self, run, path, value))
    }

    fn runs<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<(RunId, Value)>>> {
        Box::pin(Journal::runs(self, scope))
    }
}
