//! A time limit around a retry bounds all attempts and the waits; one within it bounds each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use loom_core::{CancelReason, ErrorKind, Result, RunContext, RunErrorKind, step};
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, story, tree};
use crate::steps::{fail, forever};

const SECOND: Duration = Duration::from_secs(1);
const NONE: Duration = Duration::ZERO;

async fn slow(cx: RunContext, text: String) -> Result<String> {
    cx.step("waits", &forever, text).await
}

#[tokio::test(start_paused = true)]
async fn a_limit_within_a_retry_bounds_each_attempt() {
    let (recorder, session) = recorded();
    let started = Instant::now();
    let each = step(slow).timeout(SECOND).retry(3).backoff(NONE, NONE);
    let error = session.run(&each, "go").await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 3);
    assert_eq!(error.to_string(), "slow: timed out after 1s");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run slow ✗ failed",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_around_a_retry_bounds_all_attempts() {
    let (recorder, session) = recorded();
    let started = Instant::now();
    let all = step(slow)
        .timeout(SECOND)
        .retry(1000)
        .backoff(NONE, NONE)
        .timeout(SECOND * 5 / 2);
    let error = session.run(&all, "go").await.unwrap_err();
    assert_eq!(started.elapsed().as_millis(), 2500);
    assert_eq!(error.to_string(), "slow: timed out after 2.5s");
    assert_eq!(tree(&recorder).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_limit_around_a_retry_bounds_its_waits_too() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let fails = move |text: String| {
        counted.fetch_add(1, Ordering::Relaxed);
        fail(text)
    };
    let (recorder, session) = recorded();
    let started = Instant::now();
    let year = 365 * 86_400 * SECOND;
    let waits = step(fails).retry(9).backoff(year, year).timeout(SECOND);
    let error = session.run(&waits, "go").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Timeout);
    assert_eq!(started.elapsed().as_secs(), 1);
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "note function retry",
            "close function failed",
            "settled function"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_run_is_no_timeout_that_is_retried() {
    let (recorder, session) = recorded();
    let session = session.deadline(SECOND * 3 / 2);
    let each = step(slow).timeout(SECOND).retry(9).backoff(NONE, NONE);
    let error = session.run(&each, "go").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run slow ✗ cancelled (deadline)",
            "  loom.workflow.step waits ✗ cancelled (timed_out)",
            "  loom.workflow.step waits ✗ cancelled (deadline)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn limits_as_long_as_there_are_are_kept() {
    async fn quick(text: String) -> Result<String> {
        sleep(Duration::from_millis(10)).await;
        Ok(text)
    }
    let (_, session) = recorded();
    let endless = step(quick).timeout(Duration::MAX);
    assert_eq!(session.run(&endless, "go").await.unwrap().output, "go");
    let short = step(quick).timeout(Duration::from_nanos(1));
    let error = session.run(&short, "go").await.unwrap_err();
    assert_eq!(error.message(), "timed out after 1ns");
}
