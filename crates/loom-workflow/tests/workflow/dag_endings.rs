//! A dag of which a node fails, which is stopped from outside, or which waits for an answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use loom_core::{
    CancelReason, Error, ErrorKind, Limits, Loom, MemoryJournal, Result, RunContext, RunErrorKind,
    Session, Step,
};
use loom_testing::Recorder;
use loom_workflow::{Dag, Settled, Workflow, branch};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::recorded::{assert_each_closed_once, journaled, recorded, tree};

/// A run that isn't ended by the failure would last for ever; so it ends by its deadline.
fn in_a_minute() -> (Recorder, Session) {
    let (recorder, session) = recorded();
    (recorder, session.deadline(Duration::from_secs(60)))
}

async fn quick(n: u64) -> Result<u64> {
    Ok(n)
}

async fn forever(_: u64) -> Result<u64> {
    futures::future::pending().await
}

async fn slow(cx: RunContext, n: u64) -> Result<u64> {
    cx.step("wait", &forever, n).await
}

async fn breaks(_: u64) -> Result<u64> {
    sleep(Duration::from_secs(1)).await;
    Err(Error::new(ErrorKind::Failed, "the bank says no"))
}

async fn sum(all: Vec<u64>) -> Result<u64> {
    Ok(all.into_iter().sum())
}

/// `first`, then `slow` and a node beside it, then both together.
fn beside_slow(name: &'static str, step: Step<u64, u64>) -> Workflow<u64, u64> {
    let (mut dag, n) = Dag::<u64>::new("pay");
    let first = dag.node("first", n, quick);
    let slow = dag.node("slow", first, slow);
    let beside = dag.node(name, first, step);
    let after = dag.node("after", beside, quick);
    let all = dag.node("sum", vec![slow, after], sum);
    dag.output(all).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_cancels_what_runs_and_begins_nothing_more() {
    let (recorder, session) = in_a_minute();
    let workflow = beside_slow("breaks", branch(breaks));
    let error = session.run(&workflow, 7u64).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Failed);
    assert_eq!(error.to_string(), "pay/breaks: the bank says no");
    assert_eq!(error.report().unwrap().visited, ["first"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run pay ✗ failed",
            "  loom.workflow.step first",
            "  loom.workflow.step slow ✗ cancelled (sibling_failed)",
            "    loom.workflow.step wait ✗ cancelled (sibling_failed)",
            "  loom.workflow.step breaks ✗ failed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_tree_ends_it_from_a_settled_node_too() {
    async fn deep(cx: RunContext, n: u64) -> Result<u64> {
        cx.step("deeper", &quick, n).await
    }
    async fn first_of((one, _): (u64, Settled<u64>)) -> Result<u64> {
        Ok(one)
    }
    // The run, `slow`, its step, and `deep`.
    let limits = Limits::default().with_effects_max(4);
    let (recorder, session) = in_a_minute();
    let session = session.limits(limits);
    let (mut dag, n) = Dag::<u64>::new("pay");
    let slow = dag.node("slow", n, slow);
    let deep = dag.settled("deep", n, deep);
    let both = dag.node("both", (slow, deep), first_of);
    let workflow = dag.output(both).unwrap();
    let error = session.run(&workflow, 7u64).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.to_string(), "pay/deep: effects_max 4 reached");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run pay ✗ interrupted",
            "  loom.workflow.step slow ✗ cancelled (limit_reached)",
            "    loom.workflow.step wait ✗ cancelled (limit_reached)",
            "  loom.workflow.step deep ✗ interrupted",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_tree_closes_the_siblings_for_its_reason() {
    let recorder = Recorder::default();
    // The run, `first`, `slow`, its step, and the node beside it.
    let limits = Limits::default().with_effects_max(5);
    let loom = Loom::builder().observe(recorder.clone()).limits(limits);
    let session = loom.build().session("alice");
    let workflow = beside_slow("beside", branch(quick));
    let error = session.run(&workflow, 7u64).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.to_string(), "pay: effects_max 5 reached");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run pay ✗ interrupted",
            "  loom.workflow.step first",
            "  loom.workflow.step slow ✗ cancelled (limit_reached)",
            "    loom.workflow.step wait ✗ cancelled (limit_reached)",
            "  loom.workflow.step beside",
        ]
    );
}

/// The tree of a run that hangs, stopped for this reason.
fn stopped(why: &str) -> [String; 5] {
    [
        format!("loom.workflow.run pay ✗ cancelled ({why})"),
        "  loom.workflow.step first".to_owned(),
        format!("  loom.workflow.step slow ✗ cancelled ({why})"),
        format!("    loom.workflow.step wait ✗ cancelled ({why})"),
        format!("  loom.workflow.step hangs ✗ cancelled ({why})"),
    ]
}

#[tokio::test]
async fn a_dropped_run_closes_all_nodes() {
    let (recorder, session) = recorded();
    let workflow = beside_slow("hangs", branch(forever));
    assert!(session.run(&workflow, 7u64).now_or_never().is_none());
    assert_eq!(tree(&recorder), stopped("dropped"));
}

#[tokio::test]
async fn a_handle_cancels_all_nodes() {
    let (recorder, session) = recorded();
    let workflow = beside_slow("hangs", branch(forever));
    let run = session.run(&workflow, 7u64);
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
async fn a_deadline_cancels_all_nodes() {
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(5));
    let workflow = beside_slow("hangs", branch(forever));
    session.run(&workflow, 7u64).await.unwrap_err();
    assert_eq!(tree(&recorder), stopped("deadline"));
}

#[tokio::test]
async fn a_run_dropped_after_any_poll_closes_each_span_once() {
    async fn give_way(times: u64) -> Result<u64> {
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
        Ok(times)
    }
    async fn twice(cx: RunContext, times: u64) -> Result<u64> {
        let times: u64 = cx.step("once", &give_way, times).await?;
        cx.step("again", &give_way, times).await
    }
    let (mut dag, n) = Dag::<u64>::new("ways");
    dag.concurrency_max(2);
    let first = dag.node("first", n, twice);
    let all = ["a", "b", "c"].map(|name| dag.node(name, first, twice));
    let last = dag.node("last", all, sum);
    let workflow = dag.output(last).unwrap();
    let mut polls = 0;
    loop {
        let (recorder, session) = recorded();
        let mut run = Box::pin(session.run(&workflow, 2u64));
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

#[tokio::test]
async fn a_value_whose_clone_panics_fails_the_run_and_poisons_nothing() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Brittle;

    impl Clone for Brittle {
        fn clone(&self) -> Self {
            panic!("don't touch")
        }
    }
    async fn touch(_: Brittle) -> Result<u64> {
        Ok(1)
    }
    let (recorder, session) = recorded();
    let (mut dag, it) = Dag::<Brittle>::new("brittle");
    let both = ["a", "b"].map(|name| dag.node(name, it, touch));
    let workflow = dag.output(both).unwrap();
    for _ in 0..2 {
        let error = session.run(&workflow, Brittle).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Panicked);
        assert_eq!(error.to_string(), "brittle: don't touch");
    }
    assert_eq!(tree(&recorder), ["loom.workflow.run brittle ✗ failed"; 2]);
}

/// A step that notes its name each time it runs, and waits so many seconds.
fn noted(ran: &Arc<Mutex<Vec<&'static str>>>, name: &'static str, secs: u64) -> Step<u64, u64> {
    let ran = ran.clone();
    branch(move |n: u64| {
        ran.lock().unwrap().push(name);
        async move {
            sleep(Duration::from_secs(secs)).await;
            Ok::<_, Error>(n + 1)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_node_that_asks_lets_the_others_end_and_a_resume_repeats_none_of_them() {
    async fn asks(cx: RunContext, n: u64) -> Result<u64> {
        let more: u64 = cx.ask("more", "How many more?").await?;
        Ok(n + more)
    }
    let ran = Arc::default();
    let (mut dag, n) = Dag::<u64>::new("pay");
    let first = dag.node("first", n, noted(&ran, "first", 0));
    let asked = dag.node("asks", first, asks);
    let slow = dag.node("slow", first, noted(&ran, "slow", 9));
    let after = dag.node("after", slow, noted(&ran, "after", 0));
    let all = dag.node("sum", [asked, after], sum);
    let workflow = dag.output(all).unwrap();

    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = journaled(&journal);
    let paused = session.run(&workflow, 1u64).await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    assert_eq!(paused.questions().len(), 1);
    assert_eq!(paused.report().unwrap().visited, ["first", "slow"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run pay ✗ paused",
            "  loom.workflow.step first",
            "  loom.workflow.step asks ✗ paused",
            "  loom.workflow.step slow",
        ]
    );

    let run_id = &paused.report().unwrap().run_id;
    let (recorder, session) = journaled(&journal);
    let question = &paused.questions()[0].path;
    assert_eq!(question, "pay/asks/more");
    session.answer(run_id, question, 10u64).await.unwrap();
    let outcome = session.resume(run_id, &workflow).await.unwrap();
    assert_eq!(outcome.output, 12 + 4);
    assert_eq!(*ran.lock().unwrap(), ["first", "slow", "after"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run pay",
            "  loom.workflow.step first ↻",
            "  loom.workflow.step asks",
            "  loom.workflow.step slow ↻",
            "  loom.workflow.step after",
            "  loom.workflow.step sum",
        ]
    );
}
