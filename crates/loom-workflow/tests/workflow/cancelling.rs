//! A workflow that is stopped from outside closes everything it opened, exactly once.

use std::time::Duration;

use futures::FutureExt;
use loom_core::{CancelReason, Result, RunContext, RunErrorKind};
use loom_workflow::Workflow;

use crate::recorded::{assert_each_closed_once, recorded, tree};

async fn first(text: String) -> Result<String> {
    Ok(text)
}

async fn forever(_: String) -> Result<String> {
    futures::future::pending().await
}

fn stuck() -> Workflow<String, String> {
    let inner = Workflow::chain("inner").then(forever).build();
    Workflow::chain("outer").then(first).then(inner).build()
}

/// The tree of that workflow's run, stopped for this reason.
fn stopped(why: &str) -> [String; 5] {
    [
        format!("loom.workflow.run outer ✗ cancelled ({why})"),
        "  loom.workflow.step first".to_owned(),
        format!("  loom.workflow.step inner ✗ cancelled ({why})"),
        format!("    loom.workflow.run inner ✗ cancelled ({why})"),
        format!("      loom.workflow.step forever ✗ cancelled ({why})"),
    ]
}

#[tokio::test]
async fn a_dropped_run_closes_all_spans() {
    let (recorder, session) = recorded();
    let workflow = stuck();
    assert!(session.run(&workflow, "hi").now_or_never().is_none());
    assert_eq!(tree(&recorder), stopped("dropped"));
}

#[tokio::test]
async fn a_handle_cancels_all_that_is_open_and_the_report_says_what_was_done() {
    let (recorder, session) = recorded();
    let workflow = stuck();
    let run = session.run(&workflow, "hi");
    let handle = run.handle();
    let (outcome, ()) = tokio::join!(run, async { handle.cancel() });
    let error = outcome.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(error.report().unwrap().visited, ["first"]);
    assert_eq!(tree(&recorder), stopped("requested"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cancels_all_that_is_open() {
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(5));
    let error = session.run(&stuck(), "hi").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(tree(&recorder), stopped("deadline"));
}

#[tokio::test]
async fn a_run_dropped_after_any_poll_closes_each_span_once() {
    async fn give_way(times: u32) -> Result<u32> {
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
        Ok(times)
    }
    async fn twice(cx: RunContext, times: u32) -> Result<u32> {
        let times: u32 = cx.step("once", &give_way, times).await?;
        cx.step("again", &give_way, times).await
    }
    let inner = Workflow::chain("inner").then(give_way).then(twice).build();
    let workflow = Workflow::chain("outer").then(twice).then(inner).build();
    let mut polls = 0;
    loop {
        let (recorder, session) = recorded();
        let mut run = Box::pin(session.run(&workflow, 2u32));
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
