//! What the attacks on seats, executors, destructors, looms and budgets share: a loom whose record
//! is kept twice, the questions every record has to answer, and bodies to run.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures::task::noop_waker_ref;
use loomflow::audit::{Audit, AuditKey, Detail, Verdict};
use loomflow::{
    Branch, Effect, EffectKind, Happened, Loom, LoomBuilder, Recorder, Result, RunContext, Tokens,
};

/// A loom, and the two records of what happens in it.
pub(crate) struct Rig {
    pub(crate) recorder: Recorder,
    pub(crate) audit: Audit,
    pub(crate) loom: Loom,
}

/// A rig whose attackers sit in front of those who record.
pub(crate) fn rig(wire: impl FnOnce(LoomBuilder) -> LoomBuilder) -> Rig {
    let audit = Audit::in_memory(AuditKey::generate().unwrap())
        .detail(Detail::Full)
        .build()
        .unwrap();
    let recorder = Recorder::default();
    let loom = wire(Loom::builder())
        .install(audit.clone())
        .observe(recorder.clone())
        .build();
    Rig {
        recorder,
        audit,
        loom,
    }
}

pub(crate) fn plain() -> Rig {
    rig(|loom| loom)
}

impl Rig {
    /// `path ending`, in order of opening.
    pub(crate) fn endings(&self) -> Vec<String> {
        let spans = self.recorder.spans();
        let line = |span: &loomflow::RecordedSpan| {
            let ending = span.ending.map_or("open".to_owned(), |it| it.to_string());
            format!("{} {ending}", span.path)
        };
        spans.iter().map(line).collect()
    }

    /// For every opening there is one closing, below before above, and nothing after it; and the
    /// log says the same as the recorder.
    pub(crate) fn assert_whole(&self) {
        let (mut open, mut closed) = (BTreeMap::new(), BTreeMap::new());
        for event in self.recorder.events() {
            let path = event.path.clone();
            match event.what {
                Happened::Opened { .. } => {
                    assert!(!closed.contains_key(&event.span), "{path} opens twice");
                    if let Some(parent) = event.parent_span {
                        assert!(
                            !closed.contains_key(&parent),
                            "{path} opens below a closed one"
                        );
                    }
                    let twice = open.insert(event.span, (event.parent_span, event.effect, path));
                    assert!(twice.is_none(), "{twice:?} opens twice");
                }
                Happened::Closed { ending, .. } => {
                    let was = open.remove(&event.span);
                    let (_, effect, _) = was.unwrap_or_else(|| panic!("{path} closes unopened"));
                    for (parent, _, below) in open.values() {
                        assert_ne!(*parent, Some(event.span), "{below} is open below {path}");
                    }
                    closed.insert(event.span, (effect, ending.as_str()));
                }
                Happened::Settled { .. } => assert!(closed.contains_key(&event.span)),
                other => assert!(
                    open.contains_key(&event.span),
                    "{other:?} outside of {path}"
                ),
            }
        }
        assert_eq!(open.into_values().collect::<Vec<_>>(), [], "never closed");

        let report = self.audit.verify();
        assert_eq!(report.verdict, Verdict::Ok, "{:?}", report.findings);
        assert_eq!(report.open, []);
        let mut ended = BTreeMap::new();
        let mut opened = BTreeSet::new();
        for row in self.audit.rows() {
            let opening = row.action.ends_with("_started")
                || row.action == "tool_call"
                || row.action == "model_call";
            if opening {
                assert!(opened.insert(row.span), "{row:?} twice");
            }
            assert!(!ended.contains_key(&row.span), "{row:?} after the closing");
            if let (Some(end), false) = (row.end, row.action.starts_with("approval")) {
                ended.insert(row.span, end);
            }
        }
        for (span, (effect, ending)) in &closed {
            if matches!(effect, EffectKind::Turn | EffectKind::Model) {
                continue;
            }
            let row = ended.get(span).map(String::as_str);
            assert_eq!(row, Some(*ending), "the log differs from the events");
        }
    }
}

/// Runs a test that might hang: then it fails.
pub(crate) fn guarded<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(test)));
    });
    match wait.recv_timeout(Duration::from_secs(120)) {
        Ok(Ok(output)) => output,
        Ok(Err(panic)) => {
            // Whatever its destructor does, it does it to no one.
            std::mem::forget(panic);
            panic!("it panicked");
        }
        Err(_) => panic!("it hangs"),
    }
}

/// Polls once, and keeps no waker.
pub(crate) fn poke<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(noop_waker_ref()))
}

/// Polls at most so often.
pub(crate) fn spin<F: Future>(polls_max: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    (0..polls_max).find_map(|_| match poke(&mut future) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Is pending so often.
pub(crate) async fn yields(mut times: usize) {
    poll_fn(|task| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs on Tokio with a clock that stands still until all wait.
pub(crate) fn on_tokio<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) async fn slow(n: u64) -> Result<u64> {
    yields(2).await;
    Ok(n + 1)
}

pub(crate) async fn hangs(_: u64) -> Result<u64> {
    pending().await
}

pub(crate) async fn asks(cx: RunContext, n: u64) -> Result<u64> {
    let more: u64 = cx.ask("more", "How many more?").await?;
    Ok(n + more)
}

pub(crate) async fn spends(cx: RunContext, n: u64) -> Result<u64> {
    let call = Effect::new(EffectKind::Model, "m").reserving(500, 0);
    cx.perform(call, n, |cx, n| async move {
        cx.spend(Tokens::new(250, 250));
        Ok(n)
    })
    .await
}

pub(crate) async fn add_one(n: u64) -> Result<u64> {
    yields(1).await;
    Ok(n + 1)
}

pub(crate) async fn nested(cx: RunContext, n: u64) -> Result<u64> {
    let n = cx.step("one", &add_one, n).await?;
    let branch =
        |n| Branch::new(move |cx: RunContext| async move { cx.step("two", &add_one, n).await });
    Ok(cx.join(2, [branch(n), branch(n)]).await?.into_iter().sum())
}

/// What panics once more when its payload is dropped.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's destructor panics");
    }
}
