//! A run that takes longer than its deadline is cancelled, which is a failure for whatever runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{panic, thread};

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    CancelReason, ErrorKind, Loom, MemoryJournal, Result, RunContext, RunErrorKind, step,
};
use tokio::time::sleep;

use crate::recorded::{recorded, story, tree};
use crate::steps::{echo, forever};

#[tokio::test(start_paused = true)]
async fn nothing_opens_after_the_deadline_even_before_the_run_gives_way() {
    async fn busy(cx: RunContext, text: String) -> Result<String> {
        // Time passes, as it does while a body computes, and nobody else is polled.
        assert!(
            tokio::time::advance(Duration::from_secs(6))
                .now_or_never()
                .is_none()
        );
        cx.step("late", &echo, text).await
    }
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(5));
    let error = session.run(&busy, "go").await.unwrap_err();
    assert_eq!(error.to_string(), "the run was cancelled (deadline)");
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run busy ✗ cancelled (deadline)"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_within_its_deadline_completes() {
    async fn slow(text: String) -> Result<String> {
        sleep(Duration::from_secs(4)).await;
        Ok(text)
    }
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(5));
    assert_eq!(session.run(&slow, "go").await.unwrap().output, "go");
    assert_eq!(tree(&recorder), ["loom.workflow.run slow"]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_as_long_as_there_is_one_never_passes() {
    async fn long(text: String) -> Result<String> {
        sleep(Duration::from_secs(86_400)).await;
        Ok(text)
    }
    let (_, session) = recorded();
    let session = session.deadline(Duration::MAX);
    assert_eq!(session.run(&long, "go").await.unwrap().output, "go");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_already_opens_nothing() {
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::ZERO);
    let error = session.run(&echo, "go").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(story(&recorder), Vec::<String>::new());
}

#[test]
fn a_deadline_outside_of_a_tokio_runtime_with_time_is_invalid_and_names_it() {
    let without_time = tokio::runtime::Builder::new_current_thread();
    let without_time = { without_time }.build().unwrap();
    let (recorder, session) = recorded();
    let second = Duration::from_secs(1);
    let hurried = session.clone().deadline(second);
    for error in [
        block_on(hurried.run(&echo, "go")).unwrap_err(),
        block_on(session.run(&echo, "go").deadline(second)).unwrap_err(),
        without_time.block_on(hurried.run(&echo, "go")).unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.error().kind()),
            (RunErrorKind::Failed, ErrorKind::Invalid)
        );
        let message = error.message();
        assert!(message.contains("a Tokio runtime with time"), "{message}");
        assert!(error.report().is_none());
    }
    assert_eq!(story(&recorder), Vec::<String>::new());
}

/// How many panics this thread reports meanwhile.
fn panics_in(body: impl FnOnce()) -> usize {
    let here = thread::current().id();
    let seen = Arc::new(AtomicUsize::new(0));
    let (before, counted) = (Arc::new(panic::take_hook()), seen.clone());
    let restored = before.clone();
    panic::set_hook(Box::new(move |info| match thread::current().id() == here {
        true => _ = counted.fetch_add(1, Ordering::Relaxed),
        false => before(info),
    }));
    body();
    panic::set_hook(Box::new(move |info| restored(info)));
    seen.load(Ordering::Relaxed)
}

#[test]
fn a_runtime_without_time_is_asked_for_its_timer_once_and_only_for_a_journal() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.unwrap();
    let journaled = || Loom::builder().journal(MemoryJournal::default());
    for (loom, reported) in [(Loom::builder(), 0), (journaled(), 1)] {
        let session = loom.build().session("alice");
        let panics = panics_in(|| {
            for _ in 0..3 {
                let outcome = runtime.block_on(session.run(&echo, "go"));
                assert_eq!(outcome.unwrap().output, "go");
            }
        });
        assert_eq!(panics, reported);
    }
}

/// Runs something of another loom, which never ends, for as long as that has.
async fn elsewhere(text: String) -> Result<String> {
    let hurried = Loom::builder().build().session("alice");
    let hurried = hurried.deadline(Duration::from_secs(1));
    let outcome = hurried.run(&forever, text).await?;
    Ok(outcome.output)
}

#[tokio::test(start_paused = true)]
async fn another_run_s_deadline_is_an_ordinary_failure_of_the_step_it_ran_in() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        cx.step("elsewhere", &elsewhere, text).await
    }
    let (recorder, session) = recorded();
    let error = session.run(&root, "go").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.error().kind()),
        (RunErrorKind::Failed, ErrorKind::Failed)
    );
    assert!(!error.error().is_retryable());
    assert_eq!(
        error.to_string(),
        "root/elsewhere: the run was cancelled (deadline)"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root ✗ failed",
            "  loom.workflow.step elsewhere ✗ failed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn another_run_s_deadline_is_handled_by_a_fallback() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let careful = step(elsewhere).or_else(echo);
        cx.step("elsewhere", &careful, text).await
    }
    let (recorder, session) = recorded();
    assert_eq!(session.run(&root, "go").await.unwrap().output, "go");
    assert_eq!(
        story(&recorder),
        [
            "open root",
            "open root/elsewhere",
            "note root/elsewhere fallback",
            "close root/elsewhere completed",
            "close root completed",
            "settled root",
        ]
    );
}
