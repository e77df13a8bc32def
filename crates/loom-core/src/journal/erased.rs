//! The object-safe twin of `Journal`, and journals behind an `Arc`.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::error::Result;

use super::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, Page, Released,
    Renewed, RunQuery, SlotKey,
};

impl<J: Journal> Journal for Arc<J> {
    fn claim(
        &self,
        run: &JournalRun,
        ttl: Duration,
    ) -> impl Future<Output = Result<Claimed>> + Send {
        (**self).claim(run, ttl)
    }

    fn renew(
        &self,
        lease: &Lease,
        ttl: Duration,
    ) -> impl Future<Output = Result<Renewed, Lost>> + Send {
        (**self).renew(lease, ttl)
    }

    fn write(&self, lease: &Lease, batch: &Batch) -> impl Future<Output = Result<(), Lost>> + Send {
        (**self).write(lease, batch)
    }

    fn release(&self, lease: &Lease, how: Released) {
        (**self).release(lease, how);
    }

    fn answer(
        &self,
        run: &JournalRun,
        path: &str,
        value: Value,
    ) -> impl Future<Output = Result<Answered>> + Send {
        (**self).answer(run, path, value)
    }

    fn read(
        &self,
        run: &JournalRun,
        slot: &SlotKey,
    ) -> impl Future<Output = Result<Option<Value>>> + Send {
        (**self).read(run, slot)
    }

    fn runs(&self, query: &RunQuery<'_>) -> impl Future<Output = Result<Page<FoundRun>>> + Send {
        (**self).runs(query)
    }

    fn request_cancel(&self, run: &JournalRun) -> impl Future<Output = Result<bool>> + Send {
        (**self).request_cancel(run)
    }

    fn forget(&self, what: &Forget) -> impl Future<Output = Result<u64>> + Send {
        (**self).forget(what)
    }
}

/// The object-safe twin of [`Journal`].
pub(crate) trait DynJournal: Send + Sync {
    fn claim<'a>(&'a self, run: &'a JournalRun, ttl: Duration) -> BoxFuture<'a, Result<Claimed>>;
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration)
    -> BoxFuture<'a, Result<Renewed, Lost>>;
    fn write<'a>(&'a self, lease: &'a Lease, batch: &'a Batch) -> BoxFuture<'a, Result<(), Lost>>;
    fn release(&self, lease: &Lease, how: Released);
    fn answer<'a>(
        &'a self,
        run: &'a JournalRun,
        path: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<Answered>>;
    fn read<'a>(
        &'a self,
        run: &'a JournalRun,
        slot: &'a SlotKey,
    ) -> BoxFuture<'a, Result<Option<Value>>>;
    fn runs<'a>(&'a self, query: &'a RunQuery<'_>) -> BoxFuture<'a, Result<Page<FoundRun>>>;
    fn request_cancel<'a>(&'a self, run: &'a JournalRun) -> BoxFuture<'a, Result<bool>>;
    fn forget<'a>(&'a self, what: &'a Forget) -> BoxFuture<'a, Result<u64>>;
}

impl<J: Journal> DynJournal for J {
    fn claim<'a>(&'a self, run: &'a JournalRun, ttl: Duration) -> BoxFuture<'a, Result<Claimed>> {
        Box::pin(Journal::claim(self, run, ttl))
    }

    fn renew<'a>(
        &'a self,
        lease: &'a Lease,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Renewed, Lost>> {
        Box::pin(Journal::renew(self, lease, ttl))
    }

    fn write<'a>(&'a self, lease: &'a Lease, batch: &'a Batch) -> BoxFuture<'a, Result<(), Lost>> {
        Box::pin(Journal::write(self, lease, batch))
    }

    fn release(&self, lease: &Lease, how: Released) {
        Journal::release(self, lease, how);
    }

    fn answer<'a>(
        &'a self,
        run: &'a JournalRun,
        path: &'a str,
        value: Value,
    ) -> BoxFuture<'a, Result<Answered>> {
        Box::pin(Journal::answer(self, run, path, value))
    }

    fn read<'a>(
        &'a self,
        run: &'a JournalRun,
        slot: &'a SlotKey,
    ) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(Journal::read(self, run, slot))
    }

    fn runs<'a>(&'a self, query: &'a RunQuery<'_>) -> BoxFuture<'a, Result<Page<FoundRun>>> {
        Box::pin(Journal::runs(self, query))
    }

    fn request_cancel<'a>(&'a self, run: &'a JournalRun) -> BoxFuture<'a, Result<bool>> {
        Box::pin(Journal::request_cancel(self, run))
    }

    fn forget<'a>(&'a self, what: &'a Forget) -> BoxFuture<'a, Result<u64>> {
        Box::pin(Journal::forget(self, what))
    }
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
        journal.release(&lease, Released::Shutdown);
        let page = journal.runs(&RunQuery::of(&run.scope)).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
        assert_eq!(journal.forget(&Forget::Run(run)).await.unwrap(), 1);
    }
}
