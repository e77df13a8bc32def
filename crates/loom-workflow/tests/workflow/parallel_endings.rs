//! Branches that are stopped from outside, and branches that wait for an answer.

use std::time::Duration;

use futures::FutureExt;
use loom_core::{CancelReason, Loom, MemoryJournal, Result, RunContext, RunErrorKind, step};
use loom_testing::Recorder;
use loom_workflow::{Settling, Workflow, branch};
use tokio::time::sleep;

use crate::recorded::{assert_each_closed_once, recorded, tree};

async fn quick(text: String) -> Result<String> {
    Ok(text)
}

async fn forever(_: String) -> Result<String> {
    futures::future::pending().await
}

fn stuck() -> Workflow<String, (String, String, (String, String))> {
    let inner = Workflow::chain("inner").parallel((forever, quick)).build();
    Workflow::chain("outer")
        .parallel((quick, forever, inner))
        .build()
}

/// The tree of that workflow's run, stopped for this reason.
fn stopped(why: &str) -> [String; 7] {
    [
        format!("loom.workflow.run outer ✗ cancelled ({why})"),
        "  loom.workflow.step quick".to_owned(),
        format!("  loom.workflow.step forever ✗ cancelled ({why})"),
        format!("  loom.workflow.step inner ✗ cancelled ({why})"),
        format!("    loom.workflow.run inner ✗ cancelled ({why})"),
        format!("      loom.workflow.step forever ✗ cancelled ({why})"),
        "      loom.workflow.step quick".to_owned(),
    ]
}

#[tokio::test]
async fn a_dropped_run_closes_all_branches() {
    let (recorder, session) = recorded();
    assert!(session.run(&stuck(), "hi").now_or_never().is_none());
    assert_eq!(tree(&recorder), stopped("dropped"));
}

#[tokio::test]
async fn a_handle_cancels_all_branches() {
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
    assert_eq!(error.report().unwrap().visited, ["quick"]);
    assert_eq!(tree(&recorder), stopped("requested"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cancels_all_branches() {
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(5));
    session.run(&stuck(), "hi").await.unwrap_err();
    assert_eq!(tree(&recorder), stopped("deadline"));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_branches_fails_their_step_and_cancels_them() {
    let (recorder, session) = recorded();
    let bounded = step(stuck()).timeout(Duration::from_secs(3));
    let workflow = Workflow::chain("bounded").then(bounded).build();
    let error = session.run(&workflow, "hi").await.unwrap_err();
    assert_eq!(error.to_string(), "bounded/outer: timed out after 3s");
    let mut expected = vec![
        "loom.workflow.run bounded ✗ failed".to_owned(),
        "  loom.workflow.step outer ✗ failed".to_owned(),
    ];
    expected.extend(stopped("timed_out").map(|line| format!("    {line}")));
    assert_eq!(tree(&recorder), expected);
}

#[tokio::test]
async fn siblings_of_a_branch_that_sees_the_cancellation_first_close_for_its_reason() {
    async fn ends_the_run(cx: RunContext, text: String) -> Result<String> {
        cx.handle().cancel();
        cx.step("more", &quick, text).await
    }
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("both").parallel((forever, ends_the_run));
    let error = session.run(&workflow.build(), "hi").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run both ✗ cancelled (requested)",
            "  loom.workflow.step forever ✗ cancelled (requested)",
            "  loom.workflow.step ends_the_run ✗ cancelled (requested)",
        ]
    );
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
    let list = Workflow::chain("list").parallel(vec![branch(twice), branch(give_way)]);
    let settled = Workflow::chain("settled").parallel((give_way, twice).settle());
    let workflow = Workflow::chain("outer")
        .parallel((twice, list.build(), settled.build()))
        .build();
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

#[tokio::test(start_paused = true)]
async fn branches_beside_one_that_asks_go_on_and_all_questions_are_in_the_error() {
    async fn asks(cx: RunContext, text: String) -> Result<String> {
        cx.ask("sure", format!("Really {text}?")).await
    }
    async fn asks_later(cx: RunContext, text: String) -> Result<String> {
        sleep(Duration::from_secs(1)).await;
        cx.ask("certain", format!("Certainly {text}?")).await
    }
    async fn ends_later(text: String) -> Result<String> {
        sleep(Duration::from_secs(2)).await;
        Ok(text)
    }
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .observe(recorder.clone())
        .journal(MemoryJournal::default());
    let session = loom.build().session("alice");
    let workflow = Workflow::chain("all").parallel((asks, ends_later, asks_later));
    let workflow = workflow.build();
    let paused = session.run(&workflow, "pay").await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    let asked: Vec<_> = paused.questions().iter().map(|it| &*it.path).collect();
    assert_eq!(asked, ["all/asks/sure", "all/asks_later/certain"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all ✗ paused",
            "  loom.workflow.step asks ✗ paused",
            "  loom.workflow.step ends_later",
            "  loom.workflow.step asks_later ✗ paused",
        ]
    );

    let run_id = paused.report().unwrap().run_id.clone();
    for (path, answer) in asked.iter().zip(["yes", "of course"]) {
        let answer = answer.to_owned();
        session.answer(&run_id, path, answer).await.unwrap();
    }
    recorder.clear();
    let resumed = session.resume(&run_id, &workflow).await;
    let outcome = resumed.unwrap();
    let (asks, ends, later) = outcome.output.clone();
    assert_eq!([asks, ends, later], ["yes", "pay", "of course"]);
    assert_eq!(outcome.visited, ["asks", "ends_later", "asks_later"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all",
            "  loom.workflow.step asks",
            "  loom.workflow.step ends_later ↻",
            "  loom.workflow.step asks_later",
        ]
    );
}
