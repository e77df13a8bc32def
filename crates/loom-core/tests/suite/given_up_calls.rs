//! An approved call that was given up may have happened: whoever resumes the run is asked whether it
//! did, and an approval lets nothing happen twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join};
use loom_core::{
    Branch, CancelReason, Error, ErrorKind, Loom, MemoryJournal, Resolution, Result, RunContext,
    RunErrorKind, Session, Tool, ToolOutput, step,
};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::journaled::{Log, answer_all, asked, run_id};
use crate::steps::give_way;
use crate::unruly_journals::{Call, Unruly, Wild};

const ASKED: &str = "function/tool:erase[c1]#ask:permissions";
const UNFINISHED: &str = "function/tool:erase[c1]#unfinished";

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

/// What is asked after the first question was granted; the attempt that makes the call ends in this
/// way.
macro_rules! asked_after_one_call {
    ($log:expr, $session:expr, $step:expr, $ends:pat) => {{
        let paused = $session.run(&$step, ()).await.unwrap_err();
        assert_eq!(asked(&paused), [ASKED]);
        answer_all(&$session, &paused, true).await;
        let run = run_id(&paused);
        let given_up = $session.resume(&run, &$step).await.unwrap_err();
        assert!(matches!(given_up.kind(), $ends), "{given_up}");
        assert_eq!($log.take(), ["erase"]);
        for _ in 0..2 {
            let paused = $session.resume(&run, &$step).await.unwrap_err();
            assert_eq!(asked(&paused), [UNFINISHED], "{paused}");
        }
        let again = $session.answer(&run, UNFINISHED, Resolution::RunAgain);
        again.await.unwrap();
        for _ in 0..2 {
            let paused = $session.resume(&run, &$step).await.unwrap_err();
            assert_eq!(asked(&paused), [format!("{ASKED}#round:2")], "{paused}");
            assert_eq!($log.take(), Vec::<String>::new());
        }
    }};
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_a_time_limit_cut_off_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let limited = step(erases(&log)).timeout(Duration::from_secs(1));
    asked_after_one_call!(log, session, limited, RunErrorKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_the_deadline_cut_off_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let session = session.deadline(Duration::from_secs(1));
    asked_after_one_call!(
        log,
        session,
        erases(&log),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
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
    asked_after_one_call!(
        log,
        session,
        cancelled,
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_a_failing_sibling_cut_off_is_asked_about_anew() {
    let (session, log) = (desk(&Arc::default()), Log::default());
    let tool = erase(&log, &Arc::default());
    let calls = log.clone();
    let joins = move |cx: RunContext, ()| {
        let (tool, calls) = (tool.clone(), calls.clone());
        async move {
            let (tool, calls) = (&tool, &calls);
            let fails = async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                match calls.len() {
                    0 => Ok(String::new()),
                    _ => Err(Error::new(ErrorKind::Failed, "broken")),
                }
            };
            let both = [
                Branch::of_one_effect(|cx| async move { call(tool, &cx).await }),
                Branch::new(|_| fails),
            ];
            Ok::<_, Error>(cx.join(2, both).await?.concat())
        }
    };
    asked_after_one_call!(log, session, joins, RunErrorKind::Failed);
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
    asked_after_one_call!(log, session, leaves, RunErrorKind::Failed);
}

/// A journal that notes what is written to a run that was given back.
struct Watched {
    kept: MemoryJournal,
    given_back: AtomicBool,
    late: Log,
}

impl Unruly for Watched {
    fn inner(&self) -> &MemoryJournal {
        &self.kept
    }

    async fn before(&self, call: Call<'_>) {
        match call {
            Call::Claim => self.given_back.store(false, Ordering::SeqCst),
            Call::Release => self.given_back.store(true, Ordering::SeqCst),
            Call::Write(batch) if self.given_back.load(Ordering::SeqCst) => {
                self.late.note(format!("{batch:?}"));
            }
            _ => (),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_left_behind_writes_nothing_after_its_run_was_given_back() {
    let (log, late) = (Log::default(), Log::default());
    let loom = Loom::builder().journal(Wild(Arc::new(Watched {
        kept: MemoryJournal::default(),
        given_back: AtomicBool::new(false),
        late: late.clone(),
    })));
    let session = loom.build().session("alice").id("desk");
    let (go_on, left) = (Arc::new(Notify::new()), Left::default());
    let leaves = leaves(erase(&log, &go_on), &left);
    let paused = session.run(&leaves, ()).await.unwrap_err();
    answer_all(&session, &paused, true).await;
    let resumed = session.resume(&run_id(&paused), &leaves).await;
    assert_eq!(resumed.unwrap_err().error().kind(), ErrorKind::Failed);
    assert_eq!(log.take(), ["erase"]);

    go_on.notify_waiters();
    let task = left.lock().unwrap().take().unwrap();
    let error = task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert_eq!(late.take(), Vec::<String>::new());
}
