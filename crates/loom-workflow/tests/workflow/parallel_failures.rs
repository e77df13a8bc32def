//! The first branch that fails ends the others, whatever it fails with and however deep.

use std::time::Duration;

use loom_core::{Error, ErrorKind, Limits, Loom, Result, RunContext, RunErrorKind, Session, step};
use loom_testing::Recorder;
use loom_workflow::{Workflow, branch};
use tokio::time::sleep;

use crate::recorded::{recorded, tree};

/// A run that isn't ended by the failure would last for ever; so it ends by its deadline.
fn in_a_minute() -> (Recorder, Session) {
    let (recorder, session) = recorded();
    (recorder, session.deadline(Duration::from_secs(60)))
}

async fn quick(text: String) -> Result<String> {
    Ok(text)
}

async fn slow(cx: RunContext, text: String) -> Result<String> {
    async fn forever(_: String) -> Result<String> {
        futures::future::pending().await
    }
    cx.step("wait", &forever, text).await
}

async fn breaks(_: String) -> Result<u64> {
    sleep(Duration::from_secs(1)).await;
    Err(Error::new(ErrorKind::Failed, "the bank says no"))
}

async fn bursts(_: String) -> Result<u64> {
    sleep(Duration::from_secs(1)).await;
    panic!("the bank burst")
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_of_a_tuple_cancels_what_still_runs() {
    let (recorder, session) = in_a_minute();
    let inner = Workflow::chain("inner").then(quick).then(slow).build();
    let workflow = Workflow::chain("both")
        .parallel((quick, slow, breaks, inner))
        .map(|_| "never".to_owned())
        .then(quick)
        .build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Failed);
    assert_eq!(error.to_string(), "both/breaks: the bank says no");
    assert_eq!(error.report().unwrap().visited, ["quick"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run both ✗ failed",
            "  loom.workflow.step quick",
            "  loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "    loom.workflow.step wait ✗ cancelled (sibling_failed)",
            "  loom.workflow.step breaks ✗ failed",
            "  loom.workflow.step inner ✗ cancelled (sibling_failed)",
            "    loom.workflow.run inner ✗ cancelled (sibling_failed)",
            "      loom.workflow.step quick",
            "      loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "        loom.workflow.step wait ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_of_a_list_cancels_what_runs_and_begins_nothing_more() {
    let (recorder, session) = in_a_minute();
    let breaks = || branch(step(breaks).map(|n: u64| n.to_string()));
    let mut steps = vec![breaks()];
    // Seven run beside it, the last two wait for a place.
    steps.extend((0..9).map(|_| branch(step(slow).named("slow"))));
    let workflow = Workflow::chain("poll").parallel(steps).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.to_string(), "poll/breaks[0]: the bank says no");
    let mut expected = vec![
        "loom.workflow.run poll ✗ failed".to_owned(),
        "  loom.workflow.step breaks ✗ failed".to_owned(),
    ];
    for n in 1..=7 {
        let name = if n == 1 {
            "slow".to_owned()
        } else {
            format!("slow_{n}")
        };
        let cancelled = "✗ cancelled (sibling_failed)";
        expected.push(format!("  loom.workflow.step {name} {cancelled}"));
        expected.push(format!("    loom.workflow.step wait {cancelled}"));
    }
    assert_eq!(tree(&recorder), expected);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_branch_fails_it_and_cancels_the_others() {
    let (recorder, session) = in_a_minute();
    let workflow = Workflow::chain("both").parallel((slow, bursts)).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(error.to_string(), "both/bursts: the bank burst");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run both ✗ failed",
            "  loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "    loom.workflow.step wait ✗ cancelled (sibling_failed)",
            "  loom.workflow.step bursts ✗ failed",
        ]
    );
    // Nothing is poisoned.
    let workflow = Workflow::chain("both").parallel((quick, quick)).build();
    assert!(session.run(&workflow, "hi").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_a_nested_pair_cancels_its_own_sibling_first_and_then_the_outer_one() {
    let (recorder, session) = in_a_minute();
    let pair = Workflow::chain("pair").parallel((breaks, slow)).build();
    let workflow = Workflow::chain("outer").parallel((slow, pair)).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "outer/pair/pair/breaks: the bank says no"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run outer ✗ failed",
            "  loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "    loom.workflow.step wait ✗ cancelled (sibling_failed)",
            "  loom.workflow.step pair ✗ failed",
            "    loom.workflow.run pair ✗ failed",
            "      loom.workflow.step breaks ✗ failed",
            "      loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "        loom.workflow.step wait ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_that_fail_at_once_the_first_in_order_is_the_error() {
    let (recorder, session) = in_a_minute();
    let workflow = Workflow::chain("both").parallel((bursts, breaks)).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.to_string(), "both/bursts: the bank burst");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run both ✗ failed",
            "  loom.workflow.step bursts ✗ failed",
            "  loom.workflow.step breaks ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fallback_takes_over_from_branches_that_failed() {
    let (recorder, session) = in_a_minute();
    let pair = Workflow::chain("pair").parallel((breaks, slow)).build();
    let pair = step(pair).map(|(n, _): (u64, String)| n.to_string());
    let workflow = Workflow::chain("outer").then(pair.or_else(quick)).build();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(outcome.output, "hi");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run outer",
            "  loom.workflow.step pair",
            "    loom.workflow.run pair ✗ failed",
            "      loom.workflow.step breaks ✗ failed",
            "      loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "        loom.workflow.step wait ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_tree_closes_the_siblings_for_its_reason() {
    let recorder = Recorder::default();
    // The run, its three branches and one step below each of the first two.
    let limits = Limits::default().with_effects_max(6);
    let loom = Loom::builder().observe(recorder.clone()).limits(limits);
    let session = loom
        .build()
        .session("alice")
        .deadline(Duration::from_secs(60));
    let workflow = Workflow::chain("all").parallel((slow, slow, slow)).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.to_string(), "all/slow_3: effects_max 6 reached");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all ✗ interrupted",
            "  loom.workflow.step slow ✗ cancelled (limit_reached)",
            "    loom.workflow.step wait ✗ cancelled (limit_reached)",
            "  loom.workflow.step slow_2 ✗ cancelled (limit_reached)",
            "    loom.workflow.step wait ✗ cancelled (limit_reached)",
            "  loom.workflow.step slow_3 ✗ interrupted",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_calls_itself_stopped_fails_and_cancels_the_others_as_siblings() {
    async fn gives_up(_: String) -> Result<String> {
        Err(Error::new(ErrorKind::Stopped, "somebody let go"))
    }
    let (recorder, session) = in_a_minute();
    let workflow = Workflow::chain("both").parallel((slow, gives_up)).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Failed);
    assert_eq!(error.to_string(), "both/gives_up: somebody let go");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run both ✗ failed",
            "  loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "    loom.workflow.step wait ✗ cancelled (sibling_failed)",
            "  loom.workflow.step gives_up ✗ failed",
        ]
    );
}
