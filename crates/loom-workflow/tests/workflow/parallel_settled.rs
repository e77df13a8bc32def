//! Settled branches: each one's own result is collected, and nothing that ends the tree is.

use std::time::Duration;

use loom_core::{
    Error, ErrorKind, Limits, Loom, MemoryJournal, Result, RunContext, RunErrorKind, Step,
};
use loom_testing::Recorder;
use loom_workflow::{Settled, Settling, Workflow, branch};
use serde_json::json;
use tokio::time::sleep;

use crate::recorded::{recorded, tree};

async fn works(n: u64) -> Result<u64> {
    sleep(Duration::from_secs(2)).await;
    Ok(n)
}

async fn breaks(_: u64) -> Result<u64> {
    Err(Error::new(ErrorKind::Failed, "the bank says no"))
}

async fn bursts(_: u64) -> Result<String> {
    sleep(Duration::from_secs(1)).await;
    panic!("the bank burst")
}

fn failed<T>(kind: &str, message: &str) -> Settled<T> {
    Settled::Failed {
        kind: kind.to_owned(),
        message: message.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_tuple_s_branches_all_come_to_their_own_end() {
    let (recorder, session) = recorded();
    let branches = (breaks, works, bursts).settle();
    let workflow = Workflow::chain("all").parallel(branches).build();
    let outcome = session.run(&workflow, 7u64).await.unwrap();
    let expected = (
        failed("failed", "all/breaks: the bank says no"),
        Settled::Done(7),
        failed("panicked", "all/bursts: the bank burst"),
    );
    assert_eq!(outcome.visited, ["works"]);
    assert_eq!(outcome.output, expected);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all",
            "  loom.workflow.step breaks ✗ failed",
            "  loom.workflow.step works",
            "  loom.workflow.step bursts ✗ failed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_s_branches_all_come_to_their_own_end_in_order() {
    let (recorder, session) = recorded();
    let steps: Vec<Step<u64, u64>> = (0..20)
        .map(|i| match i % 2 {
            0 => branch(works),
            _ => branch(breaks),
        })
        .collect();
    let workflow = Workflow::chain("all").parallel(steps.settle()).build();
    let outcome = session.run(&workflow, 7u64).await.unwrap();
    assert_eq!(outcome.output.len(), 20);
    assert_eq!(outcome.output[18], Settled::Done(7));
    let last = failed("failed", "all/breaks_10[19]: the bank says no");
    assert_eq!(outcome.output[19], last);
    assert_eq!(outcome.visited.len(), 10);
    assert_eq!(tree(&recorder).len(), 21);
}

#[tokio::test(start_paused = true)]
async fn what_was_settled_is_handed_on() {
    async fn first_done(results: Vec<Settled<u64>>) -> Result<Option<u64>> {
        Ok(results.into_iter().find_map(Settled::done))
    }
    let (recorder, session) = recorded();
    let steps = vec![branch(breaks), branch(works)].settle();
    let workflow = Workflow::chain("all").parallel(steps).then(first_done);
    let outcome = session.run(&workflow.build(), 7u64).await.unwrap();
    assert_eq!(outcome.output, Some(7));
    let message = "all/breaks[0]: the bank says no";
    assert_eq!(
        recorder.spans()[3].input,
        Some(json!([{"failed": {"kind": "failed", "message": message}}, {"done": 7}]))
    );
}

/// A branch that fails with this kind.
fn failing(kind: ErrorKind) -> Step<u64, u64> {
    branch(move |_: u64| async move { Err::<u64, _>(Error::new(kind, "it ended")) })
}

#[tokio::test]
async fn only_kinds_that_concern_the_branch_alone_are_collected() {
    let table = [
        (ErrorKind::Failed, Some("failed")),
        (ErrorKind::Upstream, Some("upstream")),
        (ErrorKind::Timeout, Some("timeout")),
        (ErrorKind::Invalid, Some("invalid")),
        (ErrorKind::Denied, Some("denied")),
        (ErrorKind::Panicked, Some("panicked")),
        (ErrorKind::LimitReached, Some("limit_reached")),
        // Merely called so: nothing stops.
        (ErrorKind::Stopped, Some("failed")),
    ];
    for (kind, collected) in table {
        let tuple = Workflow::chain("all").parallel((failing(kind), failing(kind)).settle());
        let list = Workflow::chain("all").parallel(vec![failing(kind); 2].settle());
        let (_, session) = recorded();
        let results = [
            session
                .run(&tuple.build(), 7u64)
                .await
                .map(|it| it.output.0),
            session
                .run(&list.build(), 7u64)
                .await
                .map(|it| it.output[0].clone()),
        ];
        for (result, path) in results.into_iter().zip(["all/step_1", "all/step_1[0]"]) {
            match (result, collected) {
                (Ok(settled), Some(word)) => {
                    let of_node = match kind {
                        ErrorKind::LimitReached => "step_1: ",
                        _ => "",
                    };
                    let message = format!("{path}: {of_node}it ended");
                    assert_eq!(settled, failed(word, &message));
                }
                (Err(error), None) => assert_eq!(error.error().kind(), kind),
                (result, _) => panic!("{kind:?} gave {result:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_tree_is_not_collected() {
    async fn deep(cx: RunContext, n: u64) -> Result<u64> {
        cx.step("deeper", &works, n).await
    }
    let recorder = Recorder::default();
    let limits = Limits::default().with_effects_max(4);
    let loom = Loom::builder().observe(recorder.clone()).limits(limits);
    let workflow = Workflow::chain("all").parallel((deep, deep).settle());
    let session = loom.build().session("alice");
    let error = session.run(&workflow.build(), 7u64).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all ✗ interrupted",
            "  loom.workflow.step deep ✗ cancelled (limit_reached)",
            "    loom.workflow.step deeper ✗ cancelled (limit_reached)",
            "  loom.workflow.step deep_2 ✗ interrupted",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_settled_branch_pauses_the_run_and_the_others_finish() {
    async fn asks(cx: RunContext, n: u64) -> Result<u64> {
        cx.ask("more", format!("More than {n}?")).await
    }
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .observe(recorder.clone())
        .journal(MemoryJournal::default());
    let session = loom.build().session("alice");
    let workflow = Workflow::chain("all").parallel((asks, works, breaks).settle());
    let workflow = workflow.build();
    let paused = session.run(&workflow, 7u64).await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all ✗ paused",
            "  loom.workflow.step asks ✗ paused",
            "  loom.workflow.step works",
            "  loom.workflow.step breaks ✗ failed",
        ]
    );

    let run_id = paused.report().unwrap().run_id.clone();
    let path = &paused.questions()[0].path;
    session.answer(&run_id, path, 9u64).await.unwrap();
    let resumed = session.resume(&run_id, &workflow).await;
    let no = failed("failed", "all/breaks: the bank says no");
    let expected = (Settled::Done(9), Settled::Done(7), no);
    assert_eq!(resumed.unwrap().output, expected);
}
