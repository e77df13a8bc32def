//! Journals as the driver calls them, and journals behind an `Arc`.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::poll::{caught, caught_now};

use super::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, Page, Released,
    Renewed, RunQuery, SlotKey,
};

impl<J: Journal> Journal for Arc<J> {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        (**self).claim(run, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        (**self).renew(lease, ttl).await
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        (**self).write(lease, batch).await
    }

    fn release(&self, lease: &Lease, how: Released) {
        (**self).release(lease, how);
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        (**self).answer(run, path, value).await
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        (**self).read(run, slot).await
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        (**self).runs(query).await
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        (**self).request_cancel(run).await
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        (**self).forget(what).await
    }
}

/// The object-safe twin of [`Journal`]. A store that panics is a broken store: each call returns
/// the panic as an error.
pub(crate) trait DynJournal: Send + Sync {
    fn claim<'a>(&'a self, run: &'a JournalRun, ttl: Duration) -> Called<'a, Claimed>;
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Called<'a, Renewed, Lost>;
    fn write<'a>(&'a self, lease: &'a Lease, batch: &'a Batch) -> Called<'a, (), Lost>;
    fn release(&self, lease: &Lease, how: Released) -> Result<(), String>;
    fn answer<'a>(
        &'a self,
        run: &'a JournalRun,
        path: &'a str,
        value: Value,
    ) -> Called<'a, Answered>;
    fn read<'a>(&'a self, run: &'a JournalRun, slot: &'a SlotKey) -> Called<'a, Option<Value>>;
    fn runs<'a>(&'a self, query: &'a RunQuery<'_>) -> Called<'a, Page<FoundRun>>;
    fn request_cancel<'a>(&'a self, run: &'a JournalRun) -> Called<'a, bool>;
    fn forget<'a>(&'a self, what: &'a Forget) -> Called<'a, u64>;
}

pub(crate) type Called<'a, T, E = Error> = BoxFuture<'a, Result<T, E>>;

impl<J: Journal> DynJournal for J {
    fn claim<'a>(&'a self, run: &'a JournalRun, ttl: Duration) -> Called<'a, Claimed> {
        called("claim", move || Journal::claim(self, run, ttl))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Called<'a, Renewed, Lost> {
        called("renew", move || Journal::renew(self, lease, ttl))
    }

    fn write<'a>(&'a self, lease: &'a Lease, batch: &'a Batch) -> Called<'a, (), Lost> {
        called("write", || Journal::write(self, lease, batch))
    }

    fn release(&self, lease: &Lease, how: Released) -> Result<(), String> {
        caught_now(|| Journal::release(self, lease, how))
    }

    fn answer<'a>(
        &'a self,
        run: &'a JournalRun,
        path: &'a str,
        value: Value,
    ) -> Called<'a, Answered> {
        called("answer", || Journal::answer(self, run, path, value))
    }

    fn read<'a>(&'a self, run: &'a JournalRun, slot: &'a SlotKey) -> Called<'a, Option<Value>> {
        called("read", || Journal::read(self, run, slot))
    }

    fn runs<'a>(&'a self, query: &'a RunQuery<'_>) -> Called<'a, Page<FoundRun>> {
        called("runs", || Journal::runs(self, query))
    }

    fn request_cancel<'a>(&'a self, run: &'a JournalRun) -> Called<'a, bool> {
        called("request_cancel", || Journal::request_cancel(self, run))
    }

    fn forget<'a>(&'a self, what: &'a Forget) -> Called<'a, u64> {
        called("forget", || Journal::forget(self, what))
    }
}

fn called<'a, T, E, F>(what: &'static str, call: impl FnOnce() -> F + Send + 'a) -> Called<'a, T, E>
where
    E: From<Error>,
    F: Future<Output = Result<T, E>> + Send,
{
    Box::pin(async move {
        caught(async { call().await })
            .await
            .unwrap_or_else(|panic| {
                let message = format!("the journal panicked in `{what}`: {panic}");
                Err(Error::new(ErrorKind::Failed, message).into())
            })
    })
}
#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::super::{MemoryJournal, Record, RunHead, SlotKind};
    use super::{
        Answered, Arc, Batch, Duration, DynJournal, Forget, JournalRun, Released, Renewed,
        RunQuery, SlotKey,
    };
    use crate::ids::{RunId, SessionId};
    use crate::scope::Scope;

    const TTL: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn the_object_safe_twin_does_the_same() {
        let journal: Arc<dyn DynJournal> = Arc::new(MemoryJournal::default());
        let run = JournalRun {
            scope: Scope::new(None, SessionId::new("conv").unwrap()),
            root: RunId::new("r").unwrap(),
        };
        let load = Record {
            key: SlotKey::new(SlotKind::Output, "load"),
            value: json!(7).into(),
        };
        let lease = journal.claim(&run, TTL).await.unwrap().lease;
        let batch = Batch {
            head: RunHead::new(run.root.clone(), "refund", SystemTime::UNIX_EPOCH),
            records: vec![load.clone()],
        };
        journal.write(&lease, &batch).await.unwrap();
        let read = journal.read(&run, &load.key).await.unwrap();
        assert_eq!(read, Some(json!(7)));
        let answered = journal.answer(&run, "load", json!(1)).await.unwrap();
        assert_eq!(answered, Answered::NotAsked);
        assert!(journal.request_cancel(&run).await.unwrap());
        let renewed = journal.renew(&lease, TTL).await.unwrap();
        assert_eq!(renewed, Renewed::new(true));
        journal.release(&lease, Released::Shutdown).unwrap();
        let page = journal.runs(&RunQuery::of(&run.scope)).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
        assert_eq!(journal.forget(&Forget::Run(run)).await.unwrap(), 1);
    }
}
