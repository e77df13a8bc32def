//! An approved call that was given up has been made: whoever resumes the run is asked anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join};
use loom_core::{
    Branch, Error, ErrorKind, Journal, JournalRun, Lease, Loom, MemoryJournal, Result, RunContext,
    RunId, Scope, Session, Slot, Tool, ToolOutput, step,
};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::journaled::{Log, answer_all, asked, run_id};
use crate::steps::give_way;

const ASKED: &str = "function/tool:erase[c1]#ask:permissions";

/// A destructive tool that notes its calls and then waits until it is told.
fn erase(log: &Log, go_on: &Arc<Notify>) -> Tool {
    let (log, go_on) = (log.clone(), go_on.clone());
    let body = move |text: String| {
        log.note("erase");
        let go_on = go_on.clone();
        async move {
            go_on.notified().await;
            Ok::<_, Error>(text)
        }
    };
    Tool::new("erase", "Erases.", body).destructive()
}

async fn call(tool: &Tool, cx: &RunContext) -> Result<String> {
    let output = tool.call(cx, "c1", json!({"input": "logs"})).await;
    output.map(ToolOutput::into_text)
}

type Erased = BoxFuture<'static, Result<String>>;

fn erases(log: &Log) -> impl Fn(RunContext, ()) -> Erased + Send + Sync + 'static {
    let tool = erase(log, &Arc::default());
    move |cx, ()| {
        let tool = tool.clone();
        async move { call(&tool, &cx).await }.boxed()
    }
}

fn desk(journal: &Arc<MemoryJournal>) -> Session {
    let loom = Loom::builder().journal(journal.clone()).build();
    loom.session("alice").id("desk")
}

/// What is asked in two attempts after the first question was granted; the first makes the call and
/// ends in this way.
macro_rules! asked_after_one_call {
    ($log:expr, $session:expr, $step:expr, $kind:ident) => {{
        let paused = $session.run(&$step, ()).await.unwrap_err();
        assert_eq!(asked(&paused), [ASKED]);
        answer_all(&$session, &paused, true).await;
        let run = run_id(&paused);
        let given_up = $session.resume::<(), _, _>(&run, &$step).await;
        assert_eq!(given_up.unwrap_err().kind(), ErrorKind::$kind);
        assert_eq!($log.take(), ["erase"]);
        for _ in 0..2 {
            let paused = $session.resume::<(), _, _>(&run, &$step).await.unwrap_err();
            assert_eq!(asked(&paused), [format!("{ASKED}#round:2")], "{paused}");
            assert_eq!($log.take(), Vec::<String>::new());
        }
    }};
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_a_time_limit_cut_off_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let limited = step(erases(&log)).timeout(Duration::from_secs(1));
    asked_after_one_call!(log, session, limited, Timeout);
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_the_deadline_cut_off_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let session = session.deadline(Duration::from_secs(1));
    asked_after_one_call!(log, session, erases(&log), Cancelled);
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_its_runs_handle_cancelled_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let tool = erase(&log, &Arc::default());
    let calls = log.clone();
    let cancelled = move |cx: RunContext, ()| {
        let (tool, calls) = (tool.clone(), calls.clone());
        async move {
            let cancels = async {
                give_way().await;
                if calls.len() > 0 {
                    cx.handle().cancel();
                }
            };
            join(call(&tool, &cx), cancels).await.0
        }
    };
    asked_after_one_call!(log, session, cancelled, Cancelled);
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_a_failing_sibling_cut_off_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let tool = erase(&log, &Arc::default());
    let calls = log.clone();
    let joins = move |cx: RunContext, ()| {
        let (tool, calls) = (tool.clone(), calls.clone());
        async move {
            let (tool, cx, calls) = (&tool, &cx, &calls);
            let fails = async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                match calls.len() {
                    0 => Ok(String::new()),
                    _ => Err(Error::new(ErrorKind::Failed, "broken")),
                }
            };
            let both = [Branch::new(call(tool, cx)), Branch::new(fails)];
            Ok::<_, Error>(cx.join(2, both).await?.concat())
        }
    };
    asked_after_one_call!(log, session, joins, Failed);
}

type Left = Arc<Mutex<Option<JoinHandle<Result<String>>>>>;

/// A run that fails while the call it made goes on in another task.
fn leaves(tool: Tool, left: &Left) -> impl Fn(RunContext, ()) -> Erased + Send + Sync + 'static {
    let left = left.clone();
    move |cx, ()| {
        let (tool, left) = (tool.clone(), left.clone());
        async move {
            let task = tokio::spawn(async move { call(&tool, &cx).await });
            for _ in 0..20 {
                give_way().await;
            }
            if task.is_finished() {
                return task.await.map_err(Error::from_any)?;
            }
            *left.lock().unwrap() = Some(task);
            Err(Error::new(ErrorKind::Failed, "broken"))
        }
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_was_left_behind_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let leaves = leaves(erase(&log, &Arc::default()), &Left::default());
    asked_after_one_call!(log, session, leaves, Failed);
}

/// A journal that notes what is written to a run that was given back.
struct Watched {
    kept: MemoryJournal,
    given_back: AtomicBool,
    late: Log,
}

impl Journal for Watched {
    async fn claim(&self, run: &JournalRun) -> Result<Lease> {
        self.given_back.store(false, Ordering::SeqCst);
        self.kept.claim(run).await
    }

    fn release(&self, lease: &Lease) {
        self.given_back.store(true, Ordering::SeqCst);
        self.kept.release(lease);
    }

    async fn get(&self, run: &JournalRun, slot: Slot<'_>) -> Result<Option<Value>> {
        self.kept.get(run, slot).await
    }

    async fn put(&self, lease: &Lease, slot: Slot<'_>, value: Value) -> Result<()> {
        if self.given_back.load(Ordering::SeqCst) {
            self.late.note(format!("{slot:?}"));
        }
        self.kept.put(lease, slot, value).await
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<bool> {
        self.kept.answer(run, path, value).await
    }

    async fn runs(&self, scope: &Scope) -> Result<Vec<(RunId, Value)>> {
        self.kept.runs(scope).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_left_behind_writes_nothing_after_its_run_was_given_back() {
    let (log, late) = (Log::default(), Log::default());
    let loom = Loom::builder().journal(Watched {
        kept: MemoryJournal::default(),
        given_back: AtomicBool::new(false),
        late: late.clone(),
    });
    let session = loom.build().session("alice").id("desk");
    let (go_on, left) = (Arc::new(Notify::new()), Left::default());
    let leaves = leaves(erase(&log, &go_on), &left);
    let paused = session.run(&leaves, ()).await.unwrap_err();
    answer_all(&session, &paused, true).await;
    let resumed = session.resume::<(), _, _>(&run_id(&paused), &leaves).await;
    assert_eq!(resumed.unwrap_err().kind(), ErrorKind::Failed);
    assert_eq!(log.take(), ["erase"]);

    go_on.notify_waiters();
    let task = left.lock().unwrap().take().unwrap();
    let error = task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert_eq!(late.take(), Vec::<String>::new());
}
