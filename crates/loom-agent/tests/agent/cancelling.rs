//! A run that is stopped from outside closes everything it opened, exactly once.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use loom_agent::{Agent, Model, Reply, Request};
use loom_core::{CancelReason, Error, Result, RunContext, RunErrorKind, Tool};
use serde_json::json;
use tokio::sync::Notify;

use crate::recorded::{assert_each_closed_once, recorded, tree};
use crate::script::caller;

/// An agent with two tools that never end, and what tells that both run.
fn stuck() -> (Agent, Arc<Notify>) {
    let running = Arc::new(Notify::new());
    let told = running.clone();
    let first = Tool::new("first", "Never ends.", |_: ()| async {
        futures::future::pending::<Result<()>>().await
    });
    let second = Tool::new("second", "Never ends.", move |_: ()| {
        let told = told.clone();
        async move {
            told.notify_one();
            futures::future::pending::<Result<()>>().await
        }
    });
    let input = || json!({"input": null});
    let calls = Reply::call("first", input()).and_call("second", input());
    (caller(calls, [first, second]).0, running)
}

/// The tree of that agent's run, stopped for this reason.
fn stopped(why: &str) -> [String; 5] {
    [
        format!("loom.run agent ✗ cancelled ({why})"),
        format!("  loom.turn 0 ✗ cancelled ({why})"),
        "    loom.model.stream scripted".to_owned(),
        format!("    loom.tool first ✗ cancelled ({why})"),
        format!("    loom.tool second ✗ cancelled ({why})"),
    ]
}

#[tokio::test]
async fn a_run_dropped_while_tools_run_closes_all_spans() {
    let (recorder, session) = recorded();
    let (agent, running) = stuck();
    tokio::select! {
        _ = session.run(&agent, "?") => panic!("the run ended"),
        () = running.notified() => (),
    }
    assert_eq!(tree(&recorder), stopped("dropped"));
}

#[tokio::test]
async fn a_handle_cancels_while_tools_run() {
    let (recorder, session) = recorded();
    let (agent, running) = stuck();
    let run = session.run(&agent, "?");
    let handle = run.handle();
    let (outcome, ()) = tokio::join!(run, async {
        running.notified().await;
        handle.cancel();
    });
    let error = outcome.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(error.report().unwrap().usage.tool_calls, 2);
    assert_eq!(tree(&recorder), stopped("requested"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cancels_while_tools_run() {
    let (recorder, session) = recorded();
    let (agent, _) = stuck();
    let session = session.deadline(Duration::from_secs(5));
    let error = session.run(&agent, "?").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(tree(&recorder), stopped("deadline"));
}

/// A model that never replies.
struct Silent;

impl Model for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    async fn stream(&self, cx: &RunContext, _request: &Request<'_>) -> Result<Reply> {
        cx.delta("Well, ");
        futures::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_hangs_is_cancelled_and_what_it_streamed_is_kept() {
    let (recorder, session) = recorded();
    let agent = Agent::builder("Wait.").model(Silent).build().unwrap();
    let session = session.deadline(Duration::from_secs(5));
    let error = session.run(&agent, "?").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ cancelled (deadline)",
            "  loom.turn 0 ✗ cancelled (deadline)",
            "    loom.model.stream silent ✗ cancelled (deadline)",
        ]
    );
    assert_eq!(recorder.spans()[2].streamed, "Well, ");
}

#[tokio::test]
async fn a_run_dropped_after_any_poll_closes_each_span_once() {
    /// A tool that gives way three times, below a step of its own.
    fn yielding() -> Tool {
        async fn give_way(times: u32) -> Result<u32, Error> {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
            Ok(times)
        }
        Tool::new(
            "yield",
            "Gives way.",
            |cx: RunContext, times: u32| async move { cx.step("give_way", &give_way, times).await },
        )
    }
    let mut polls = 0;
    loop {
        let (recorder, session) = recorded();
        let calls = Reply::call("yield", json!({"input": 1}))
            .and_call("yield", json!({"input": 4}))
            .and_call("yield", json!({"input": 2}));
        let (agent, _) = caller(calls, [yielding()]);
        let mut run = Box::pin(session.run(&agent, "?"));
        let mut over = false;
        for _ in 0..polls {
            over = run.as_mut().now_or_never().is_some();
            tokio::task::yield_now().await;
        }
        drop(run);
        assert_each_closed_once(&recorder);
        if over {
            break;
        }
        polls += 1;
    }
    assert!(polls > 3, "the run took {polls} polls");
}
