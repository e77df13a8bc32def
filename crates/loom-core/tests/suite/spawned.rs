//! A step that was taken to another task closes before its parent, however the parent ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use loom_core::{
    CancelReason, Error, ErrorKind, Happened, Info, Kind, Result, RunContext, RunErrorKind,
    Runnable, Step,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::recorded::{recorded, story, tree};
use crate::steps::{echo, forever, give_way};

/// A step that waits for a step which it spawned.
async fn spawns_and_waits(cx: RunContext, text: String) -> Result<String> {
    let task = tokio::spawn(async move { cx.step("child", &forever, text).await });
    task.await.map_err(Error::from_any)?
}

/// The child is below two parents, which all close.
async fn nested(cx: RunContext, text: String) -> Result<String> {
    cx.step("parent", &spawns_and_waits, text).await
}

fn closed_as(why: &str) -> [String; 3] {
    [
        format!("loom.workflow.run nested ✗ cancelled ({why})"),
        format!("  loom.workflow.step parent ✗ cancelled ({why})"),
        format!("    loom.workflow.step child ✗ cancelled ({why})"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_step_in_another_task_closes_when_its_run_is_cancelled() {
    let (recorder, session) = recorded();
    let run = session.run(&nested, "go");
    let handle = run.handle();
    let cancels = async {
        give_way().await;
        give_way().await;
        handle.cancel();
    };
    let (outcome, ()) = futures::join!(run, cancels);
    assert_eq!(
        outcome.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(tree(&recorder), closed_as("requested"));
}

#[tokio::test(start_paused = true)]
async fn a_step_in_another_task_closes_at_its_runs_deadline() {
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(1));
    let error = session.run(&nested, "go").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(tree(&recorder), closed_as("deadline"));
}

#[tokio::test(start_paused = true)]
async fn a_step_in_another_task_closes_when_its_run_is_dropped() {
    let (recorder, session) = recorded();
    let mut run = Box::pin(session.run(&nested, "go"));
    assert!(run.as_mut().now_or_never().is_none());
    give_way().await;
    drop(run);
    assert_eq!(tree(&recorder), closed_as("dropped"));
}

/// How a step ends.
type Ends = fn(String) -> Result<String>;

/// A step that returns, or fails, while a step that it spawned goes on until it is told.
struct LeavesBehind {
    go_on: Arc<Notify>,
    task: Mutex<Option<JoinHandle<Result<String>>>>,
    result: Ends,
}

impl Runnable<String> for LeavesBehind {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let (cx, go_on) = (cx.clone(), self.go_on.clone());
        let child = move |text: String| {
            let go_on = go_on.clone();
            async move {
                go_on.notified().await;
                Ok::<_, Error>(text)
            }
        };
        let task = tokio::spawn(async move { cx.step("child", &child, "late").await });
        give_way().await;
        *self.task.lock().unwrap() = Some(task);
        (self.result)(text)
    }
}

/// Runs it, and another step after it.
struct Around(Arc<LeavesBehind>);

impl Runnable<String> for Around {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let out = cx.step("parent", &*self.0, text).await;
        cx.step("after", &echo, "x").await?;
        out
    }

    fn info(&self) -> Info {
        Info::new("around", Kind::Function)
    }
}

/// The story of such a run, and what the step that was left behind gave in the end.
async fn story_of(result: Ends) -> (Vec<String>, Result<String>) {
    let (recorder, session) = recorded();
    let parent = Arc::new(LeavesBehind {
        go_on: Arc::default(),
        task: Mutex::default(),
        result,
    });
    let _either = session.run(&Around(parent.clone()), "go").await;
    let before = story(&recorder);
    // The body may go on for as long as it likes; nobody hears of it.
    parent.go_on.notify_one();
    let task = parent.task.lock().unwrap().take().unwrap();
    let late = task.await.unwrap();
    assert_eq!(story(&recorder), before);
    (before, late)
}

#[tokio::test(start_paused = true)]
async fn a_step_in_another_task_closes_before_its_parent_returns() {
    let (story, late) = story_of(Ok).await;
    assert_eq!(
        story,
        [
            "open around",
            "open around/parent",
            "open around/parent/child",
            "close around/parent/child cancelled (dropped)",
            "close around/parent completed",
            "open around/after",
            "close around/after completed",
            "close around completed",
            "settled around",
        ]
    );
    assert_eq!(
        late.unwrap_err().to_string(),
        "around/parent/child: what it belongs to has closed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_in_another_task_closes_before_its_parent_fails() {
    let fails = |text: String| Err(Error::new(ErrorKind::Failed, text));
    let (story, late) = story_of(fails).await;
    assert_eq!(
        story[3..5],
        [
            "close around/parent/child cancelled (dropped)",
            "close around/parent failed"
        ]
    );
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Stopped);
}

/// Never ends, and sends when it is dropped.
fn tells_its_drop(dropped: &Arc<Notify>) -> Step<String, String> {
    struct Guard(Arc<Notify>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let dropped = dropped.clone();
    Step::new(move |text: String| {
        let guard = Guard(dropped.clone());
        async move {
            let _guard = guard;
            forever(text).await
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_step_in_another_task_is_woken_when_it_closes_from_above_drops_its_body_and_stops() {
    let ways: [Ends; 2] = [Ok, |text| Err(Error::new(ErrorKind::Failed, text))];
    for result in ways {
        let (dropped, task) = (Arc::new(Notify::new()), Arc::new(Mutex::new(None)));
        let (child, left) = (tells_its_drop(&dropped), task.clone());
        let parent = move |cx: RunContext, text: String| {
            let (child, left) = (child.clone(), left.clone());
            async move {
                let child = async move { cx.step("child", &child, "x").await };
                *left.lock().unwrap() = Some(tokio::spawn(child));
                give_way().await;
                result(text)
            }
        };
        let root = move |cx: RunContext, text: String| {
            let (parent, dropped, task) = (parent.clone(), dropped.clone(), task.clone());
            async move {
                let _either = cx.step("parent", &parent, text.clone()).await;
                // Both happen while the run goes on: nobody else wakes the task.
                dropped.notified().await;
                let child = task.lock().unwrap().take().unwrap();
                let stopped = child.await.map_err(Error::from_any)?.unwrap_err();
                assert_eq!(stopped.kind(), ErrorKind::Stopped);
                Ok::<_, Error>(stopped.to_string())
            }
        };
        let (recorder, session) = recorded();
        let outcome = session.run(&root, "go").await.unwrap();
        assert_eq!(
            outcome.output,
            "function/parent/child: what it belongs to has closed"
        );
        assert_eq!(
            tree(&recorder)[2],
            "    loom.workflow.step child ✗ cancelled (dropped)"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_close_on_other_threads_still_close_once_and_before_their_parent() {
    /// Goes on until it is refused.
    async fn busy(cx: RunContext, _: ()) -> Result<()> {
        loop {
            cx.step("inner", &echo, "x").await?;
            tokio::task::yield_now().await;
        }
    }
    async fn spawns_many(cx: RunContext, tasks: u32) -> Result<()> {
        for _ in 0..tasks {
            let cx = cx.clone();
            drop(tokio::spawn(
                async move { cx.step("busy", &busy, ()).await },
            ));
            tokio::task::yield_now().await;
        }
        Ok(())
    }
    for _ in 0..200 {
        let (recorder, session) = recorded();
        session.run(&spawns_many, 8u32).await.unwrap();
        assert_eq!(tree(&recorder)[0], "loom.workflow.run spawns_many");
        let closed = |it: &&loom_core::OwnedEvent| matches!(it.what, Happened::Closed { .. });
        let events = recorder.events();
        let closings = events.iter().filter(closed).count();
        assert_eq!(closings, recorder.spans().len());
    }
}
