//! What several attacks need: a store that misbehaves on order, and short ways to say common things.

use std::future::pending;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Ready, ready};
use loomflow::journal::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, MemoryJournal,
    Page, Released, Renewed, RunQuery, SlotKey,
};
use loomflow::{
    Effect, EffectKind, Ending, Error, ErrorKind, FnModel, Happened, Loom, OwnedEvent, Recorder,
    Reply, Request, Result, RunContext, RunError, RunId, Safety, Session, ToolCall,
};
use serde_json::Value;

/// A method of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Claim,
    Renew,
    Write,
    Release,
    Answer,
    Read,
    Runs,
    RequestCancel,
    Forget,
}

/// What a store does instead of its work, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Pass,
    Panic,
    Fail,
    Hang,
    TakenOver,
    /// Does its work, then says that it failed.
    DoThenFail,
    /// Does its work, then never says so.
    DoThenHang,
    Slow(Duration),
}

type Plan = dyn Fn(Method, usize, Option<&Batch>) -> Act + Send + Sync;

/// A store that keeps to its trait but where its plan says otherwise. Clones share what is stored
/// and the plan; the plan is told the method and the how manieth call of it this is, from 0.
#[derive(Clone)]
pub(crate) struct Hostile {
    pub(crate) store: Arc<MemoryJournal>,
    plan: Arc<Mutex<Arc<Plan>>>,
    counts: Arc<Mutex<Vec<(Method, usize)>>>,
}

impl Hostile {
    pub(crate) fn new(
        plan: impl Fn(Method, usize, Option<&Batch>) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self {
            store: Arc::new(MemoryJournal::default()),
            plan: Arc::new(Mutex::new(Arc::new(plan))),
            counts: Arc::default(),
        }
    }

    pub(crate) fn honest() -> Self {
        Self::new(|_, _, _| Act::Pass)
    }

    /// Misbehaves in the `n`th call of a method.
    pub(crate) fn at(method: Method, n: usize, act: Act) -> Self {
        Self::new(move |it, k, _| {
            if it == method && k == n {
                act
            } else {
                Act::Pass
            }
        })
    }

    /// Replaces the plan; counts begin anew.
    pub(crate) fn replan(
        &self,
        plan: impl Fn(Method, usize, Option<&Batch>) -> Act + Send + Sync + 'static,
    ) {
        *self.plan.lock().unwrap() = Arc::new(plan);
        self.counts.lock().unwrap().clear();
    }

    pub(crate) fn count(&self, method: Method) -> usize {
        let counts = self.counts.lock().unwrap();
        counts.iter().find(|it| it.0 == method).map_or(0, |it| it.1)
    }

    fn act(&self, method: Method, batch: Option<&Batch>) -> Act {
        let k = {
            let mut counts = self.counts.lock().unwrap();
            let at = counts
                .iter()
                .position(|it| it.0 == method)
                .unwrap_or_else(|| {
                    counts.push((method, 0));
                    counts.len() - 1
                });
            counts[at].1 += 1;
            counts[at].1 - 1
        };
        let plan = self.plan.lock().unwrap().clone();
        plan(method, k, batch)
    }

    async fn misbehave<T>(
        &self,
        method: Method,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.act(method, None) {
            Act::Pass => work.await,
            Act::Panic => panic!("the store panics"),
            Act::Fail | Act::TakenOver => Err(broken()),
            Act::Hang => pending().await,
            Act::DoThenFail => work.await.and(Err(broken())),
            Act::DoThenHang => {
                work.await?;
                pending().await
            }
            Act::Slow(time) => {
                tokio::time::sleep(time).await;
                work.await
            }
        }
    }

    async fn lose<T>(
        &self,
        act: Act,
        work: impl Future<Output = Result<T, Lost>>,
    ) -> Result<T, Lost> {
        match act {
            Act::Pass => work.await,
            Act::Panic => panic!("the store panics"),
            Act::Fail => Err(Lost::Store(broken())),
            Act::TakenOver => Err(Lost::TakenOver),
            Act::Hang => pending().await,
            Act::DoThenFail => work.await.and(Err(Lost::Store(broken()))),
            Act::DoThenHang => {
                work.await?;
                pending().await
            }
            Act::Slow(time) => {
                tokio::time::sleep(time).await;
                work.await
            }
        }
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Failed, "the disk is gone")
}

impl Journal for Hostile {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        self.misbehave(Method::Claim, self.store.claim(run, ttl))
            .await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        let act = self.act(Method::Renew, None);
        self.lose(act, self.store.renew(lease, ttl)).await
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        let act = self.act(Method::Write, Some(batch));
        self.lose(act, self.store.write(lease, batch)).await
    }

    fn release(&self, lease: &Lease, how: Released) {
        match self.act(Method::Release, None) {
            Act::Panic => panic!("the store panics"),
            Act::Pass => self.store.release(lease, how),
            _ => (),
        }
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        self.misbehave(Method::Answer, self.store.answer(run, path, value))
            .await
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        self.misbehave(Method::Read, self.store.read(run, slot))
            .await
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        self.misbehave(Method::Runs, self.store.runs(query)).await
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        self.misbehave(Method::RequestCancel, self.store.request_cancel(run))
            .await
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        self.misbehave(Method::Forget, self.store.forget(what))
            .await
    }
}

/// Counts effects.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn up(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Says whether it was dropped.
#[derive(Clone, Default)]
pub(crate) struct Dropped(Arc<AtomicBool>);

pub(crate) struct SetOnDrop(Dropped);

impl Dropped {
    pub(crate) fn guard(&self) -> SetOnDrop {
        SetOnDrop(self.clone())
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) async fn sleep(n: u64) {
    tokio::time::sleep(ms(n)).await;
}

pub(crate) fn run_id(error: &RunError) -> RunId {
    error.report().expect("it began").run_id.clone()
}

pub(crate) fn paths(error: &RunError) -> Vec<String> {
    error.questions().iter().map(|it| it.path.clone()).collect()
}

/// Asserts that every opened span closed once, that nothing is said of a span after its closing,
/// and that nothing follows a root's settling; returns the endings by path, in order.
pub(crate) fn check_record(events: &[OwnedEvent]) -> Vec<(String, Ending)> {
    let mut open = std::collections::HashSet::new();
    let mut closed = std::collections::HashSet::new();
    let mut endings = Vec::new();
    for event in events {
        match &event.what {
            Happened::Opened { .. } => {
                assert!(open.insert(event.span), "opened twice: {event:?}");
            }
            Happened::Closed { ending, .. } => {
                assert!(open.remove(&event.span), "closed, but not open: {event:?}");
                closed.insert(event.span);
                endings.push((event.path.clone(), *ending));
            }
            Happened::Settled { .. } => (),
            _ => assert!(
                open.contains(&event.span),
                "said of what isn't open: {event:?}"
            ),
        }
        if !matches!(event.what, Happened::Settled { .. }) {
            let parent = event.parent_span;
            assert!(
                parent.is_none_or(|it| !closed.contains(&it))
                    || matches!(event.what, Happened::Closed { .. }),
                "below what has closed: {event:?}"
            );
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    endings
}

/// A model that calls these tools first, and then replies with their results in order.
pub(crate) fn calls_then_results(
    calls: Vec<ToolCall>,
) -> FnModel<impl Fn(&Request<'_>) -> Result<Reply> + Send + Sync + 'static> {
    FnModel::new("fn", move |request: &Request<'_>| {
        let results = request.tool_results();
        if results.is_empty() {
            let mut reply = Reply::text("");
            reply.calls = calls.clone();
            return Ok(reply);
        }
        let texts: Vec<_> = results.iter().map(|it| it.text.clone()).collect();
        Ok(Reply::text(texts.join("|")))
    })
}

pub(crate) fn call(id: &'static str, name: &'static str, arguments: Value) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: Arc::new(arguments),
    }
}

/// A session whose runs are kept in this store, and what they say.
pub(crate) fn over_journal(store: &Hostile) -> (Session, Recorder) {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .journal(store.clone())
        .observe(recorder.clone())
        .build();
    (loom.session("alice").id("s"), recorder)
}

/// Gives back its input, and is counted.
fn counting(
    counter: &Counter,
) -> impl Fn(u64) -> Ready<Result<u64>> + Clone + Send + Sync + 'static {
    let counter = counter.clone();
    move |n: u64| {
        counter.up();
        ready(Ok(n))
    }
}

pub(crate) async fn fallback(_: u64) -> Result<u64> {
    Ok(999)
}

/// Two steps, one after the other, that are counted.
pub(crate) fn two_steps(
    ran: Counter,
) -> impl Fn(RunContext, u64) -> BoxFuture<'static, Result<u64>> + Clone + Send + Sync + 'static {
    move |cx: RunContext, n: u64| {
        let count = counting(&ran);
        async move {
            let n = cx.step("a", &count, n).await?;
            cx.step("b", &count, n + 1).await
        }
        .boxed()
    }
}

/// A step that isn't idempotent, in the middle of others, with its effects counted.
pub(crate) fn once_between(
    paid: &Counter,
) -> impl Fn(RunContext, u64) -> BoxFuture<'static, Result<u64>> + Clone + Send + Sync + 'static {
    let paid = paid.clone();
    move |cx: RunContext, n: u64| {
        let paid = paid.clone();
        async move {
            let n = cx.step("before", &counting(&Counter::default()), n).await?;
            let charge = Effect::new(EffectKind::Step, "charge").with_safety(Safety::NotIdempotent);
            let charged = cx.perform_step(charge, &counting(&paid), n + 1).await?;
            cx.step("after", &counting(&Counter::default()), charged)
                .await
        }
        .boxed()
    }
}
