//! A list of items whose step fails, is stopped from outside, or waits for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use loom_core::{CancelReason, Error, ErrorKind, MemoryJournal, Result, RunContext, RunErrorKind};
use loom_workflow::Workflow;
use tokio::time::sleep;

use crate::recorded::{assert_each_closed_once, journaled, recorded, tree};

/// 0 fails after a second, all others run for ever.
async fn fails_or_hangs(n: u64) -> Result<u64> {
    sleep(Duration::from_secs(1)).await;
    match n {
        0 => Err(Error::new(ErrorKind::Failed, "the bank says no")),
        _ => futures::future::pending().await,
    }
}

fn hanging() -> Workflow<Vec<u64>, Vec<u64>> {
    Workflow::chain("all").each(3, fails_or_hangs).build()
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_cancels_what_runs_and_begins_nothing_more() {
    let (recorder, session) = recorded();
    let error = session.run(&hanging(), vec![1u64, 0, 2, 3, 4]).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "all/fails_or_hangs[1]: the bank says no"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all ✗ failed",
            "  loom.workflow.step fails_or_hangs ✗ cancelled (sibling_failed)",
            "  loom.workflow.step fails_or_hangs ✗ failed",
            "  loom.workflow.step fails_or_hangs ✗ cancelled (sibling_failed)",
        ]
    );
}

/// The tree of that workflow's run, stopped for this reason.
fn stopped(why: &str) -> Vec<String> {
    let step = format!("  loom.workflow.step fails_or_hangs ✗ cancelled ({why})");
    let run = format!("loom.workflow.run all ✗ cancelled ({why})");
    vec![run, step.clone(), step.clone(), step]
}

#[tokio::test]
async fn a_dropped_run_closes_all_items() {
    let (recorder, session) = recorded();
    let run = session.run(&hanging(), vec![1u64; 9]).now_or_never();
    assert!(run.is_none());
    assert_eq!(tree(&recorder), stopped("dropped"));
}

#[tokio::test]
async fn a_handle_cancels_all_items() {
    let (recorder, session) = recorded();
    let workflow = hanging();
    let run = session.run(&workflow, vec![1u64; 9]);
    let handle = run.handle();
    let (outcome, ()) = tokio::join!(run, async { handle.cancel() });
    assert_eq!(
        outcome.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(tree(&recorder), stopped("requested"));
}

#[tokio::test]
async fn a_run_dropped_after_any_poll_closes_each_span_once() {
    async fn give_way(times: u32) -> Result<u32> {
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
        Ok(times)
    }
    let workflow = Workflow::chain("all")
        .each(2, give_way)
        .each_settled(2, give_way)
        .build();
    let mut polls = 0;
    loop {
        let (recorder, session) = recorded();
        let mut run = Box::pin(session.run(&workflow, vec![2u32, 0, 1, 3]));
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

#[tokio::test(start_paused = true)]
async fn an_item_that_asks_lets_those_that_run_end_and_a_resume_repeats_none_of_them() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let pay = move |cx: RunContext, n: u64| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            if n == 0 {
                cx.ask::<bool>("sure", "Pay nothing?").await?;
            }
            sleep(Duration::from_secs(n)).await;
            Ok::<_, Error>(10 * n)
        }
    };
    let workflow = Workflow::chain("all").each(2, pay).build();
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = journaled(&journal);
    let run = session.run(&workflow, vec![1u64, 0, 2, 3]).await;
    let paused = run.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    assert_eq!(paused.questions()[0].path, "all/step_1[1]/sure");
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all ✗ paused",
            "  loom.workflow.step step_1",
            "  loom.workflow.step step_1 ✗ paused",
        ]
    );

    let run_id = &paused.report().unwrap().run_id;
    let (recorder, session) = journaled(&journal);
    let answered = session.answer(run_id, "all/step_1[1]/sure", true).await;
    answered.unwrap();
    let outcome = session.resume(run_id, &workflow).await;
    assert_eq!(outcome.unwrap().output, [10, 0, 20, 30]);
    assert_eq!(runs.load(Ordering::Relaxed), 5);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all",
            "  loom.workflow.step step_1 ↻",
            "  loom.workflow.step step_1",
            "  loom.workflow.step step_1",
            "  loom.workflow.step step_1",
        ]
    );
}
