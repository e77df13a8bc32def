//! A step with a time limit fails when it takes longer; what is open in it is cancelled.

use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{CancelReason, ErrorKind, IntoStep, Result, RunContext, RunErrorKind, step};
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, tree};
use crate::steps::{echo, forever};

const SECOND: Duration = Duration::from_secs(1);

async fn slow(cx: RunContext, text: String) -> Result<String> {
    cx.step("waits", &forever, text).await
}

#[tokio::test(start_paused = true)]
async fn a_root_that_takes_too_long_fails_and_what_it_opened_is_cancelled() {
    let (recorder, session) = recorded();
    let started = Instant::now();
    let error = session
        .run(&step(slow).timeout(SECOND), "go")
        .await
        .unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 1);
    assert_eq!(error.error().kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "slow: timed out after 1s");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run slow ✗ failed",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_within_its_limit_completes() {
    async fn quick(text: String) -> Result<String> {
        sleep(SECOND / 2).await;
        Ok(text)
    }
    let (recorder, session) = recorded();
    let outcome = session
        .run(&step(quick).timeout(SECOND), "go")
        .await
        .unwrap();
    assert_eq!(outcome.output, "go");
    assert_eq!(tree(&recorder), ["loom.workflow.run quick"]);
}

#[tokio::test(start_paused = true)]
async fn the_run_goes_on_after_a_step_that_took_too_long() {
    async fn patient(cx: RunContext, text: String) -> Result<String> {
        let error = cx
            .step("limited", &step(slow).timeout(SECOND), text)
            .await
            .unwrap_err();
        cx.step("instead", &echo, error.to_string()).await
    }
    let (recorder, session) = recorded();
    let outcome = session.run(&patient, "go").await.unwrap();
    assert_eq!(outcome.output, "patient/limited: timed out after 1s");
    assert_eq!(outcome.visited, ["instead"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run patient",
            "  loom.workflow.step limited ✗ failed",
            "    loom.workflow.step waits ✗ cancelled (timed_out)",
            "  loom.workflow.step instead",
        ]
    );
}

/// Runs a limited step in a limited step; gives the error and the tree.
async fn nested(outer: Duration, inner: Duration) -> (String, Vec<String>) {
    let root = move |cx: RunContext, text: String| async move {
        let middle = move |cx: RunContext, text: String| async move {
            cx.step("inner", &step(slow).timeout(inner), text).await
        };
        cx.step("outer", &step(middle).timeout(outer), text).await
    };
    let (recorder, session) = recorded();
    let error = session.run(&root, "go").await.unwrap_err();
    (error.to_string(), tree(&recorder))
}

#[tokio::test(start_paused = true)]
async fn the_inner_limit_fails_the_inner_step_and_the_outer_passes_its_error_on() {
    let (error, tree) = nested(2 * SECOND, SECOND).await;
    assert_eq!(error, "function/outer/inner: timed out after 1s");
    assert_eq!(
        tree,
        [
            "loom.workflow.run function ✗ failed",
            "  loom.workflow.step outer ✗ failed",
            "    loom.workflow.step inner ✗ failed",
            "      loom.workflow.step waits ✗ cancelled (timed_out)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_outer_limit_cancels_the_inner_step_with_all_below() {
    let (error, tree) = nested(SECOND, 2 * SECOND).await;
    assert_eq!(error, "function/outer: timed out after 1s");
    assert_eq!(
        tree,
        [
            "loom.workflow.run function ✗ failed",
            "  loom.workflow.step outer ✗ failed",
            "    loom.workflow.step inner ✗ cancelled (timed_out)",
            "      loom.workflow.step waits ✗ cancelled (timed_out)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_limits_around_one_step_the_shorter_counts() {
    for twice in [
        step(slow).timeout(SECOND).timeout(9 * SECOND),
        step(slow).timeout(9 * SECOND).timeout(SECOND),
    ] {
        let (recorder, session) = recorded();
        let error = session.run(&twice, "go").await.unwrap_err();
        assert_eq!(error.to_string(), "slow: timed out after 1s");
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run slow ✗ failed",
                "  loom.workflow.step waits ✗ cancelled (timed_out)",
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_after_a_timeout_in_the_same_effect_has_its_own_reason() {
    async fn same_effect(cx: RunContext, text: String) -> Result<String> {
        let limited = step(slow).timeout(SECOND);
        limited.run_step(&cx, text.clone()).await.unwrap_err();
        let mut later = Box::pin(cx.step("later", &forever, text.clone()));
        assert!(later.as_mut().now_or_never().is_none());
        drop(later);
        Ok(text)
    }
    let (recorder, session) = recorded();
    session.run(&same_effect, "go").await.unwrap();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run same_effect",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
            "  loom.workflow.step later ✗ cancelled (dropped)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_within_a_time_limit_is_told_from_it() {
    let (recorder, session) = recorded();
    let session = session.deadline(SECOND);
    let error = session
        .run(&step(slow).timeout(2 * SECOND), "go")
        .await
        .unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run slow ✗ cancelled (deadline)",
            "  loom.workflow.step waits ✗ cancelled (deadline)",
        ]
    );
}

#[test]
fn a_time_limit_without_a_timer_is_refused_before_the_step_runs() {
    let refused = |error: loom_core::RunError| {
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.message(),
            "`.timeout(..)` needs a Tokio runtime with time: run this inside one, or without it"
        );
    };
    let limited = step(slow).timeout(SECOND);
    let (recorder, session) = recorded();
    refused(block_on(session.run(&limited, "go")).unwrap_err());
    assert_eq!(tree(&recorder), ["loom.workflow.run slow ✗ failed"]);
    let timeless = tokio::runtime::Builder::new_current_thread().build();
    refused(
        timeless
            .unwrap()
            .block_on(session.run(&limited, "go").into_future())
            .unwrap_err(),
    );
}
