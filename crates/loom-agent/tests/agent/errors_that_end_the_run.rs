//! Errors of tools that no model is told: they end the run, and what ran beside them closes.

use std::time::Duration;

use loom_agent::Reply;
use loom_core::{CancelReason, Error, ErrorKind, Recorder, RunContext, Session, Tokens, Tool, key};
use serde_json::json;

use crate::recorded::{recorded, tree};
use crate::script::caller;

/// A run that isn't ended by the error would last for ever; so it ends by its deadline.
fn in_a_minute() -> (Recorder, Session) {
    let (recorder, session) = recorded();
    (recorder, session.deadline(Duration::from_secs(60)))
}

fn calls() -> Reply {
    let input = || json!({"input": null});
    Reply::call("slow", input())
        .and_call("act", input())
        .and_call("slow", input())
}

/// A tool that is still in a step of its own when the other one fails.
fn slow() -> Tool {
    async fn pending(_: ()) -> Result<(), Error> {
        futures::future::pending().await
    }
    Tool::new("slow", "Never ends.", |cx: RunContext, _: ()| async move {
        cx.step("wait", &pending, ()).await
    })
}

fn failing_after_a_second(error: impl Fn() -> Error + Send + Sync + 'static) -> Tool {
    Tool::new("act", "Acts.", move |_: ()| {
        let error = error();
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err::<(), _>(error)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_internal_error_ends_the_run_and_its_siblings() {
    let (recorder, session) = in_a_minute();
    let act = failing_after_a_second(|| Error::new(ErrorKind::Internal, "the log is full"));
    let (agent, shown) = caller(calls(), [slow(), act]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(
        error.to_string(),
        "agent/turn:0/tool:act[c2]: the log is full"
    );
    assert_eq!(shown.conversations().len(), 1);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ failed",
            "  loom.turn 0 ✗ failed",
            "    loom.model.stream scripted",
            "    loom.tool slow ✗ cancelled (sibling_failed)",
            "      loom.workflow.step wait ✗ cancelled (sibling_failed)",
            "    loom.tool act ✗ failed",
            "    loom.tool slow ✗ cancelled (sibling_failed)",
            "      loom.workflow.step wait ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_ends_the_run_and_its_siblings() {
    let (recorder, session) = in_a_minute();
    let act = failing_after_a_second(|| Error::cancelled(CancelReason::Dropped, "it is over"));
    let (agent, shown) = caller(calls(), [slow(), act]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(shown.conversations().len(), 1);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ cancelled (dropped)",
            "  loom.turn 0 ✗ cancelled (dropped)",
            "    loom.model.stream scripted",
            "    loom.tool slow ✗ cancelled (sibling_failed)",
            "      loom.workflow.step wait ✗ cancelled (sibling_failed)",
            "    loom.tool act ✗ cancelled (dropped)",
            "    loom.tool slow ✗ cancelled (sibling_failed)",
            "      loom.workflow.step wait ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_without_a_question_ends_the_run_and_leaves_no_call_without_a_result() {
    let (_, session) = in_a_minute();
    let act = failing_after_a_second(|| Error::new(ErrorKind::Paused, "I wait for rain"));
    let call = Reply::call("act", json!({"input": null}));
    let (agent, shown) = caller(call, [act]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Paused);
    assert_eq!(shown.conversations().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_that_had_not_begun_leave_no_span() {
    let (recorder, session) = in_a_minute();
    let act = failing_after_a_second(|| Error::new(ErrorKind::Internal, "the log is full"));
    let input = || json!({"input": null});
    let calls = Reply::call("act", input()).and_call("slow", input());
    let (agent, _) = caller(calls, [slow().sequential(), act]);
    session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ failed",
            "  loom.turn 0 ✗ failed",
            "    loom.model.stream scripted",
            "    loom.tool act ✗ failed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_finished_before_is_kept_in_the_record_as_completed() {
    let (recorder, session) = in_a_minute();
    let act = failing_after_a_second(|| Error::new(ErrorKind::Internal, "the log is full"));
    let quick = Tool::new("quick", "Ends at once.", |_: ()| async {
        Ok::<_, Error>(())
    });
    let input = || json!({"input": null});
    let calls = Reply::call("quick", input()).and_call("act", input());
    let (agent, _) = caller(calls, [quick, act]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.run().unwrap().usage.tool_calls, 2);
    assert_eq!(
        tree(&recorder)[3..],
        ["    loom.tool quick", "    loom.tool act ✗ failed"]
    );
}

/// A tool that ends its run in this way and then wants to do one thing more.
fn ending_the_run(end: fn(&RunContext)) -> Tool {
    async fn nothing(_: ()) -> Result<(), Error> {
        Ok(())
    }
    Tool::new("act", "Acts.", move |cx: RunContext, _: ()| async move {
        end(&cx);
        cx.step("more", &nothing, ()).await
    })
}

#[tokio::test]
async fn siblings_of_a_call_that_sees_the_cancellation_first_close_for_its_reason() {
    let table: [(fn(&RunContext), _); 2] = [
        (|cx| cx.handle().cancel(), "requested"),
        // Nobody but the call itself may see that time is up.
        (
            |_| std::thread::sleep(Duration::from_millis(350)),
            "deadline",
        ),
    ];
    for (end, why) in table {
        let (recorder, session) = recorded();
        let session = session.deadline(Duration::from_millis(300));
        let (agent, shown) = caller(calls(), [slow(), ending_the_run(end)]);
        let error = session.run(&agent, "Act.").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(error.path(), Some("agent/turn:0/tool:act[c2]"));
        assert_eq!(shown.conversations().len(), 1);
        assert_eq!(
            tree(&recorder),
            [
                format!("loom.run agent ✗ cancelled ({why})"),
                format!("  loom.turn 0 ✗ cancelled ({why})"),
                "    loom.model.stream scripted".to_owned(),
                format!("    loom.tool slow ✗ cancelled ({why})"),
                format!("      loom.workflow.step wait ✗ cancelled ({why})"),
                format!("    loom.tool act ✗ cancelled ({why})"),
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_tool_ended_in_its_first_turn_still_says_what_it_took() {
    let (recorder, session) = in_a_minute();
    let act = failing_after_a_second(|| Error::new(ErrorKind::Internal, "the log is full"));
    let calls = calls().with_tokens(Tokens::new(100, 20));
    let (agent, _) = caller(calls, [slow(), act]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.run().unwrap().usage.input_tokens, Some(100));
    let run = &recorder.spans()[0];
    assert_eq!(run.line(), "loom.run agent ✗ failed");
    assert_eq!(
        [key::TURNS, key::INPUT_TOKENS, key::OUTPUT_TOKENS].map(|it| run.attributes.int(it)),
        [Some(1), Some(100), Some(20)]
    );
}
