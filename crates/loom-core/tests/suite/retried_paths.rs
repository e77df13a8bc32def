//! What a retried step opens keeps its path, and with it its record and its key, in every attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, Error, ErrorKind, IntoStep, MemoryJournal, Result, RunContext, Session, step,
};
use loom_testing::Recorder;

use crate::recorded::{recorded, tree};
use crate::steps::echo;

fn failed() -> Error {
    Error::new(ErrorKind::Failed, "not yet")
}

/// Opens a step `load`, a tool and `load` again; fails so often at the end.
fn loads(
    failures: u32,
) -> impl Fn(RunContext, String) -> BoxFuture<'static, Result<String>> + Send + Sync + 'static {
    let left = Arc::new(AtomicU32::new(failures));
    move |cx, text| {
        let left = left.clone();
        Box::pin(async move {
            cx.step("load", &echo, "x").await?;
            cx.perform(Effect::tool("look", "c1"), (), |cx, ()| async move {
                cx.step("inner", &echo, "x").await
            })
            .await?;
            cx.step("load", &echo, "x").await?;
            let before = left.load(Ordering::Relaxed);
            if before > 0 {
                left.store(before - 1, Ordering::Relaxed);
                return Err(failed());
            }
            Ok(text)
        })
    }
}

fn paths(recorder: &Recorder) -> Vec<String> {
    recorder.spans().into_iter().map(|it| it.path).collect()
}

fn run<M>(session: &Session, step: &impl IntoStep<String, M, Out = String>) {
    block_on(session.run(step, "go")).unwrap();
}

const NONE: Duration = Duration::ZERO;

#[test]
fn each_attempt_opens_the_same_paths() {
    let (recorder, session) = recorded();
    run(&session, &step(loads(2)).retry(3).backoff(NONE, NONE));
    let attempt = [
        "function/load",
        "function/tool:look[c1]",
        "function/tool:look[c1]/inner",
        "function/load#2",
    ];
    let mut expected = vec!["function"];
    (0..3).for_each(|_| expected.extend(attempt));
    assert_eq!(paths(&recorder), expected);
    assert_eq!(tree(&recorder).len(), 13);
}

#[test]
fn what_was_opened_before_a_retried_part_keeps_its_path_to_itself() {
    async fn load(cx: RunContext, text: String) -> Result<String> {
        cx.step("load", &echo, text).await?;
        Err(failed())
    }
    let (recorder, session) = recorded();
    run(
        &session,
        &step(load).or_else(step(loads(2)).retry(3).backoff(NONE, NONE)),
    );
    let attempt = [
        "load/load#2",
        "load/tool:look[c1]",
        "load/tool:look[c1]/inner",
        "load/load#3",
    ];
    let mut expected = vec!["load", "load/load"];
    (0..3).for_each(|_| expected.extend(attempt));
    assert_eq!(paths(&recorder), expected);
}

#[test]
fn what_was_opened_before_a_retried_part_keeps_its_record_to_itself() {
    async fn first(cx: RunContext, text: String) -> Result<String> {
        let body = |text: String| echo(format!("first {text}"));
        cx.step("load", &body, text).await?;
        Err(failed())
    }
    let attempts = AtomicU32::new(0);
    let second = move |cx: RunContext, text: String| {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        async move {
            if attempt == 0 {
                return Err(failed());
            }
            let body = |text: String| echo(format!("second {text}"));
            cx.step("load", &body, text).await
        }
    };
    let journal = loom_core::Loom::builder().journal(MemoryJournal::default());
    let (_, session) = crate::recorded::recorded_by(journal);
    let both = step(first).or_else(step(second).retry(2).backoff(NONE, NONE));
    let outcome = block_on(session.run(&both, "go")).unwrap();
    assert_eq!(outcome.output, "second go");
}

#[test]
fn a_timeout_within_a_retry_lets_each_attempt_open_the_same_paths() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let attempts = AtomicU32::new(0);
    let slow_once = move |cx: RunContext, text: String| {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        async move {
            let body = move |text: String| async move {
                if attempt == 0 {
                    futures::future::pending::<()>().await;
                }
                Ok::<_, Error>(text)
            };
            cx.step("load", &body, text).await
        }
    };
    let (recorder, session) = recorded();
    let limited = step(slow_once)
        .timeout(Duration::from_secs(1))
        .retry(2)
        .backoff(NONE, NONE);
    runtime.block_on(session.run(&limited, "go")).unwrap();
    assert_eq!(
        paths(&recorder),
        ["function", "function/load", "function/load"]
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run function",
            "  loom.workflow.step load ✗ cancelled (timed_out)",
            "  loom.workflow.step load",
        ]
    );
}
