//! A step that is retried is one span with a note for each further attempt, and waits in between.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{Ready, ready};
use loom_core::{
    Attributes, CancelReason, Error, ErrorKind, Happened, IntoStep, Result, RunContext, RunError,
    RunErrorKind, key, step,
};
use loom_testing::Recorder;
use tokio::time::Instant;

use crate::recorded::{recorded, story, tree};
use crate::steps::fail;

const NONE: Duration = Duration::ZERO;

/// A step that fails so often with such an error, and counts its attempts.
fn flaky(
    failures: u32,
    error: impl Fn() -> Error + Send + Sync + 'static,
) -> (
    Arc<AtomicU32>,
    impl Fn(String) -> Ready<Result<String>> + Send + Sync + 'static,
) {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let step = move |text: String| match counted.fetch_add(1, Ordering::Relaxed) {
        before if before < failures => ready(Err(error())),
        _ => ready(Ok(text)),
    };
    (attempts, step)
}

fn failed() -> Error {
    Error::new(ErrorKind::Failed, "not yet")
}

/// The notes of a record with their facts.
fn notes(recorder: &Recorder) -> Vec<(&'static str, Attributes)> {
    let noted = |it: loom_core::OwnedEvent| match it.what {
        Happened::Noted { note, attributes } => Some((note, attributes)),
        _ => None,
    };
    recorder.events().into_iter().filter_map(noted).collect()
}

/// How often the step was tried in all, and how it came out.
fn tried<M: 'static>(
    attempts: &AtomicU32,
    step: &impl IntoStep<String, M, Out = String>,
) -> (u32, Result<String, RunError>) {
    let (recorder, session) = recorded();
    let result = block_on(session.run(step, "go")).map(|it| it.output);
    assert_eq!(tree(&recorder).len(), 1, "all attempts are one span");
    (attempts.load(Ordering::Relaxed), result)
}

#[test]
fn it_is_tried_so_often_in_all() {
    for (attempts_max, failures, tried_times, succeeds) in [
        (3, 0, 1, true),
        (3, 2, 3, true),
        (3, 3, 3, false),
        (1, 1, 1, false),
    ] {
        let (attempts, flaky) = flaky(failures, failed);
        let retried = step(flaky).retry(attempts_max).backoff(NONE, NONE);
        let (times, result) = tried(&attempts, &retried);
        assert_eq!((times, result.is_ok()), (tried_times, succeeds));
    }
}

#[test]
fn each_further_attempt_is_noted_with_why() {
    let (_, flaky) = flaky(2, failed);
    let (recorder, session) = recorded();
    let retried = step(flaky).named("flaky").retry(3).backoff(NONE, NONE);
    block_on(session.run(&retried, "go")).unwrap();
    assert_eq!(
        story(&recorder),
        [
            "open flaky",
            "note flaky retry",
            "note flaky retry",
            "close flaky completed",
            "settled flaky",
        ]
    );
    let facts = |attempt: u32| {
        Attributes::new()
            .with(key::ERROR_KIND, "failed")
            .with(key::WAIT_MS, 0u32)
            .with(key::ATTEMPT, attempt)
    };
    assert_eq!(notes(&recorder), [("retry", facts(2)), ("retry", facts(3))]);
}

#[test]
fn the_kind_of_the_error_says_whether_it_is_tried_again() {
    let kinds: [(ErrorKind, fn() -> Error); 6] = [
        (ErrorKind::Failed, || Error::new(ErrorKind::Failed, "x")),
        (ErrorKind::Timeout, || Error::new(ErrorKind::Timeout, "x")),
        (ErrorKind::Upstream, || {
            Error::new(ErrorKind::Upstream, "x").retryable(true)
        }),
        (ErrorKind::Upstream, || Error::new(ErrorKind::Upstream, "x")),
        (ErrorKind::Invalid, || Error::invalid("x")),
        (ErrorKind::Denied, || Error::new(ErrorKind::Denied, "x")),
    ];
    let never: [(ErrorKind, fn() -> Error); 3] = [
        (ErrorKind::Panicked, || Error::new(ErrorKind::Panicked, "x")),
        (ErrorKind::LimitReached, || {
            Error::new(ErrorKind::LimitReached, "x")
        }),
        (ErrorKind::Stopped, || Error::new(ErrorKind::Stopped, "x")),
    ];
    for (i, (kind, error)) in kinds.into_iter().chain(never).enumerate() {
        let (attempts, flaky) = flaky(1, error);
        let (times, result) = tried(&attempts, &step(flaky).retry(2).backoff(NONE, NONE));
        let again = i < 3;
        assert_eq!(
            (times, result.is_ok()),
            (1 + u32::from(again), again),
            "{kind:?}"
        );
    }
}

#[test]
fn a_rule_of_ones_own_replaces_that() {
    let errors: [fn() -> Error; 2] = [
        || Error::invalid("x"),
        // Made by anything but the door it has no power.
        || Error::new(ErrorKind::Stopped, "x"),
    ];
    for error in errors {
        let (attempts, flaky) = flaky(1, error);
        let always = step(flaky).retry(9).backoff(NONE, NONE).retry_if(|_| true);
        assert_eq!(tried(&attempts, &always).0, 2);
    }
    let (attempts, failing) = flaky(1, failed);
    let never = step(failing)
        .retry(9)
        .backoff(NONE, NONE)
        .retry_if(|_| false);
    assert_eq!(tried(&attempts, &never).0, 1);
    let (attempts, failing) = flaky(9, failed);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = asked.clone();
    let by_message = step(failing)
        .retry(3)
        .backoff(NONE, NONE)
        .retry_if(move |error| {
            asks.lock().unwrap().push(error.to_string());
            true
        });
    assert_eq!(tried(&attempts, &by_message).0, 3);
    assert_eq!(*asked.lock().unwrap(), ["not yet"; 2], "not of the last");
}

#[test]
fn a_limit_of_the_tree_is_never_tried_again() {
    use loom_core::{Effect, Limits, Loom};

    async fn calls(cx: RunContext, text: String) -> Result<String> {
        let look = Effect::tool("look", "c1");
        cx.perform(look, (), |_, ()| async { Ok(()) }).await?;
        Ok(text)
    }
    let limits = Limits::default().with_tool_calls_max(0);
    let (recorder, session) = crate::recorded::recorded_by(Loom::builder().limits(limits));
    let always = step(calls).retry(9).backoff(NONE, NONE).retry_if(|_| true);
    let error = block_on(session.run(&always, "go")).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        story(&recorder),
        [
            "open calls",
            "note calls limit_reached",
            "close calls interrupted",
            "settled calls"
        ]
    );
}

/// The waits before each further attempt of a run, in milliseconds: as noted, and as waited.
async fn waits(attempts: u32, initial: Duration, max: Duration) -> (Vec<u64>, u128) {
    let (recorder, session) = recorded();
    let started = Instant::now();
    let retried = step(fail).retry(attempts).backoff(initial, max);
    session.run(&retried, "go").await.unwrap_err();
    let noted = notes(&recorder)
        .into_iter()
        .map(|(_, facts)| u64::try_from(facts.int(key::WAIT_MS).unwrap()).unwrap());
    (noted.collect(), started.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_the_longest_and_are_cut_by_a_random_share() {
    let (initial, max) = (Duration::from_millis(1000), Duration::from_millis(5000));
    let longest = [1000, 2000, 4000, 5000, 5000];
    let (mut short, mut long, mut seen) = ([0; 5], [0; 5], std::collections::BTreeSet::new());
    for _ in 0..200 {
        let (noted, waited) = waits(6, initial, max).await;
        assert_eq!(noted.len(), 5);
        for (i, wait) in noted.iter().enumerate() {
            assert!(*wait < longest[i], "attempt {}: {wait}", i + 2);
            short[i] += u32::from(*wait < longest[i] / 4);
            long[i] += u32::from(*wait >= longest[i] / 4 * 3);
        }
        // Timers are as fine as a millisecond, and a wait is noted in whole ones.
        let sum: u64 = noted.iter().sum();
        assert!(
            (u128::from(sum)..=u128::from(sum) + 10).contains(&waited),
            "{noted:?} {waited}"
        );
        seen.insert(noted);
    }
    // A quarter of 200 each; fewer than 20 would be a wonder.
    assert!(
        short.iter().chain(&long).all(|it| *it >= 20),
        "{short:?} {long:?}"
    );
    assert!(seen.len() > 190, "runs don't wait alike");
}

#[tokio::test(start_paused = true)]
async fn without_a_back_off_of_its_own_it_waits_at_most_200_ms_and_then_twice_as_long() {
    let (recorder, session) = recorded();
    session.run(&step(fail).retry(12), "go").await.unwrap_err();
    let facts = notes(&recorder);
    assert_eq!(facts.len(), 11);
    for (i, (_, facts)) in facts.iter().enumerate() {
        let longest = (200_i64 << i).min(30_000);
        assert!((0..longest).contains(&facts.int(key::WAIT_MS).unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_once_when_the_run_is_cancelled() {
    let (recorder, session) = recorded();
    let hour = Duration::from_secs(3600);
    let session = session.deadline(Duration::from_millis(1));
    let started = Instant::now();
    let retried = step(fail).retry(9).backoff(1000 * hour, 1000 * hour);
    let error = session.run(&retried, "go").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert!(started.elapsed() < hour);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run fail ✗ cancelled (deadline)"]
    );
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_there_are_are_survived() {
    let (noted, _) = waits(3, Duration::from_millis(1), Duration::MAX).await;
    assert_eq!(noted.len(), 2);
    let (_, session) = recorded();
    let retried = step(fail).retry(2).backoff(Duration::MAX, Duration::MAX);
    let session = session.deadline(Duration::from_secs(1));
    let error = session.run(&retried, "go").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
}

#[test]
fn a_wait_without_a_timer_is_refused() {
    let refused = |error: RunError| {
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.message(),
            "the back-off of `.retry(..)` needs a Tokio runtime with time: run this inside one, or without it; broken"
        );
    };
    let (_, session) = recorded();
    let waits = step(fail)
        .retry(2)
        .backoff(Duration::from_secs(1), Duration::from_secs(1));
    refused(block_on(session.run(&waits, "go")).unwrap_err());
    let timeless = tokio::runtime::Builder::new_current_thread().build();
    let run = session.run(&waits, "go").into_future();
    refused(timeless.unwrap().block_on(run).unwrap_err());
}
