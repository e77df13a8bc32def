//! A run that is cancelled closes all that is open, with the reason, and opens nothing more.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{CancelReason, Effect, EffectKind, Happened, Result, RunContext, RunErrorKind};
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, story, tree};
use crate::steps::{echo, forever};

async fn stuck(cx: RunContext, text: String) -> Result<String> {
    let text = cx.step("before", &echo, text).await?;
    let run = Effect::new(EffectKind::Agent, "agent");
    cx.perform(run, (), |cx, ()| async move {
        let (left, right) = futures::join!(
            cx.step("left", &forever, "l"),
            cx.step("right", &forever, "r")
        );
        Ok(left? + &right? + &text)
    })
    .await
}

fn stuck_and_stopped(why: &str) -> [String; 5] {
    [
        format!("loom.workflow.run stuck ✗ cancelled ({why})"),
        "  loom.workflow.step before".to_owned(),
        format!("  loom.run agent ✗ cancelled ({why})"),
        format!("    loom.workflow.step left ✗ cancelled ({why})"),
        format!("    loom.workflow.step right ✗ cancelled ({why})"),
    ]
}

const REQUESTED: RunErrorKind = RunErrorKind::Cancelled(CancelReason::Requested);

#[test]
fn a_run_that_is_cancelled_before_it_starts_opens_nothing() {
    let (recorder, session) = recorded();
    let run = session.run(&stuck, "go");
    run.handle().cancel();
    let error = block_on(run).unwrap_err();
    assert_eq!(error.kind(), REQUESTED);
    assert_eq!(error.to_string(), "the run was cancelled (requested)");
    assert_eq!(error.report().unwrap().visited, Vec::<String>::new());
    assert_eq!(story(&recorder), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_handle_cancels_a_run_that_waits() {
    let (recorder, session) = recorded();
    let run = session.run(&stuck, "go");
    let handle = run.handle();
    let (outcome, ()) = futures::join!(run, async {
        sleep(Duration::from_secs(60)).await;
        handle.clone().cancel();
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), REQUESTED);
    assert_eq!(error.report().unwrap().visited, ["before"]);
    assert_eq!(error.report().unwrap().run_id, *handle.run_id());
    assert_eq!(tree(&recorder), stuck_and_stopped("requested"));
}

#[test]
fn a_handle_wakes_a_run_from_another_thread() {
    let (recorder, session) = recorded();
    let (running, is_running) = std::sync::mpsc::channel();
    let step = move |_: String| {
        running.send(()).unwrap();
        forever(String::new())
    };
    let run = session.run(&step, "go");
    let handle = run.handle();
    let canceller = std::thread::spawn(move || {
        is_running.recv().unwrap();
        handle.cancel();
    });
    assert_eq!(block_on(run).unwrap_err().kind(), REQUESTED);
    canceller.join().unwrap();
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run function ✗ cancelled (requested)"]
    );
}

#[test]
fn a_run_that_cancels_itself_opens_nothing_more() {
    async fn stops_itself(cx: RunContext, text: String) -> Result<String> {
        assert_eq!(cx.handle().run_id(), cx.root_run_id());
        cx.handle().cancel();
        assert!(cx.is_stopping());
        let _ = cx.step("late", &echo, text).await;
        unreachable!("the refusal gives way, and the body is dropped")
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&stops_itself, "go")).unwrap_err();
    assert_eq!(error.kind(), REQUESTED);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run stops_itself ✗ cancelled (requested)"]
    );
}

#[test]
fn a_run_that_cancels_itself_and_waits_needs_nobody_to_wake_it() {
    async fn stops_and_waits(cx: RunContext, text: String) -> Result<String> {
        cx.handle().cancel();
        forever(text).await
    }
    let (recorder, session) = recorded();
    let polled_once = session.run(&stops_and_waits, "go").now_or_never();
    let error = polled_once.expect("it ends in its first poll").unwrap_err();
    assert_eq!(error.kind(), REQUESTED);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run stops_and_waits ✗ cancelled (requested)"]
    );
}

#[test]
fn a_nested_effect_that_cancels_the_run_ends_all_that_is_beside_it() {
    async fn beside(cx: RunContext, text: String) -> Result<String> {
        let cancel = |cx: RunContext, text: String| async move {
            cx.handle().cancel();
            forever(text).await
        };
        let (left, right) = futures::join!(
            cx.step("waits", &forever, "l"),
            cx.step("cancels", &cancel, "r")
        );
        Ok(left? + &right? + &text)
    }
    let (recorder, session) = recorded();
    block_on(session.run(&beside, "go")).unwrap_err();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run beside ✗ cancelled (requested)",
            "  loom.workflow.step waits ✗ cancelled (requested)",
            "  loom.workflow.step cancels ✗ cancelled (requested)",
        ]
    );
}

#[test]
fn a_handle_of_a_run_that_is_over_does_nothing() {
    let (recorder, session) = recorded();
    let mut run = session.run(&echo, "go");
    let outcome = (&mut run).now_or_never().unwrap().unwrap();
    run.handle().cancel();
    assert_eq!(outcome.output, "go");
    assert_eq!(
        story(&recorder),
        ["open echo", "close echo completed", "settled echo"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cancels_each_run_of_the_session_anew() {
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(5));
    for _ in 0..2 {
        recorder.clear();
        let started = Instant::now();
        let error = session.run(&stuck, "go").await.unwrap_err();
        assert_eq!(started.elapsed().as_secs(), 5);
        assert_eq!(
            error.kind(),
            RunErrorKind::Cancelled(CancelReason::Deadline)
        );
        assert_eq!(error.to_string(), "the run was cancelled (deadline)");
        assert_eq!(error.report().unwrap().visited, ["before"]);
        assert_eq!(tree(&recorder), stuck_and_stopped("deadline"));
    }
}

#[test]
fn ten_thousand_runs_that_wait_are_all_cancelled_and_each_closes_once() {
    let (recorder, session) = recorded();
    let mut runs: Vec<_> = (0..10_000).map(|_| session.run(&forever, "go")).collect();
    for run in &mut runs {
        assert!(run.now_or_never().is_none());
        run.handle().cancel();
    }
    let outcomes = block_on(futures::future::join_all(runs));
    assert!(
        outcomes
            .iter()
            .all(|it| it.as_ref().unwrap_err().kind() == REQUESTED)
    );
    let said = recorder.events().into_iter().map(|it| match it.what {
        Happened::Opened { .. } => "opened".to_owned(),
        Happened::Closed { ending, .. } => ending.to_string(),
        other => serde_json::to_value(other).unwrap()["event"].to_string(),
    });
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    said.for_each(|it| *counts.entry(it).or_default() += 1);
    let each_once = ["opened", "cancelled (requested)", "\"settled\""];
    assert_eq!(counts, each_once.map(|it| (it.to_owned(), 10_000)).into());
}

#[test]
fn what_is_dropped_with_a_reason_closes_with_it_and_the_rest_goes_on() {
    async fn drops(cx: RunContext, text: String) -> Result<String> {
        for why in [
            CancelReason::Requested,
            CancelReason::Deadline,
            CancelReason::TimedOut,
            CancelReason::SiblingFailed,
            CancelReason::LimitReached,
            CancelReason::Paused,
            CancelReason::Dropped,
            CancelReason::ProcessDied,
        ] {
            let outer = |cx: RunContext, text: String| async move {
                cx.step("inner", &forever, text).await
            };
            let mut outer = Box::pin(cx.step(why.as_str(), &outer, "x"));
            assert!(outer.as_mut().now_or_never().is_none());
            cx.cancel_with(why, outer);
        }
        cx.step("after", &echo, text).await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&drops, "go")).unwrap();
    let mut expected = vec!["loom.workflow.run drops".to_owned()];
    for why in [
        "requested",
        "deadline",
        "timed_out",
        "sibling_failed",
        "limit_reached",
        "paused",
        "dropped",
        "process_died",
    ] {
        expected.push(format!("  loom.workflow.step {why} ✗ cancelled ({why})"));
        expected.push(format!("    loom.workflow.step inner ✗ cancelled ({why})"));
    }
    expected.push("  loom.workflow.step after".to_owned());
    assert_eq!(tree(&recorder), expected);
}

#[test]
fn a_body_that_cancels_its_run_and_returns_is_cancelled_all_the_same() {
    async fn cancels(cx: RunContext, text: String) -> Result<String> {
        cx.handle().cancel();
        Ok(text)
    }
    async fn root(cx: RunContext, text: String) -> Result<String> {
        cx.step("cancels", &cancels, text).await
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(error.kind(), REQUESTED);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root ✗ cancelled (requested)",
            "  loom.workflow.step cancels",
        ]
    );
}

#[test]
fn a_body_that_swallows_what_the_door_says_of_the_end_changes_nothing() {
    async fn swallows(cx: RunContext, text: String) -> Result<String> {
        cx.handle().cancel();
        let late = cx.step("late", &echo, text.clone()).now_or_never();
        assert!(late.is_none(), "the refusal gives way");
        Ok(text)
    }
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let swallowed = cx.step("swallows", &swallows, text).await;
        Ok(swallowed.unwrap_or_else(|stopped| stopped.to_string()))
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(error.kind(), REQUESTED);
    assert_eq!(error.to_string(), "the run was cancelled (requested)");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root ✗ cancelled (requested)",
            "  loom.workflow.step swallows",
        ]
    );
}
