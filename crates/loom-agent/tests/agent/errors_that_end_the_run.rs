//! What ends the run while tools are under way: no model is told, and what ran beside them closes.

use std::time::Duration;

use loom_agent::Reply;
use loom_core::{
    CancelReason, Error, ErrorKind, Limits, RunContext, RunErrorKind, Session, Tokens, Tool, key,
};
use loom_testing::Recorder;
use serde_json::json;

use crate::recorded::{recorded, tree};
use crate::script::caller;

/// A session whose runs may have this many effects. A run that isn't ended by the limit would last
/// for ever; so it ends by its deadline.
fn limited(effects_max: u64) -> (Recorder, Session) {
    let (recorder, session) = recorded();
    let limits = Limits::default().with_effects_max(effects_max);
    (
        recorder,
        session.limits(limits).deadline(Duration::from_secs(60)),
    )
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

async fn nothing(_: ()) -> Result<(), Error> {
    Ok(())
}

/// A tool that wants to do one thing more after a second, whatever becomes of it.
fn one_thing_more() -> Tool {
    Tool::new("act", "Acts.", |cx: RunContext, _: ()| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = cx.step("more", &nothing, ()).await;
        Ok::<_, Error>(())
    })
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_tree_ends_the_run_and_its_siblings() {
    // The run, its turn, the model, three tools, and the steps of two.
    let (recorder, session) = limited(8);
    let (agent, shown) = caller(calls(), [slow(), one_thing_more()]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert_eq!(
        error.to_string(),
        "agent/turn:0/tool:act[c2]: effects_max 8 reached"
    );
    assert_eq!(shown.conversations().len(), 1);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ interrupted",
            "  loom.turn 0 ✗ interrupted",
            "    loom.model.stream scripted",
            "    loom.tool slow ✗ cancelled (limit_reached)",
            "      loom.workflow.step wait ✗ cancelled (limit_reached)",
            "    loom.tool act ✗ interrupted",
            "    loom.tool slow ✗ cancelled (limit_reached)",
            "      loom.workflow.step wait ✗ cancelled (limit_reached)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn calls_that_had_not_begun_leave_no_span() {
    let (recorder, session) = limited(4);
    let input = || json!({"input": null});
    let calls = Reply::call("act", input()).and_call("slow", input());
    let (agent, _) = caller(calls, [slow().sequential(), one_thing_more()]);
    session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ interrupted",
            "  loom.turn 0 ✗ interrupted",
            "    loom.model.stream scripted",
            "    loom.tool act ✗ interrupted",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_finished_before_is_kept_in_the_record_as_completed() {
    let (recorder, session) = limited(5);
    let quick = Tool::new("quick", "Ends at once.", |_: ()| async {
        Ok::<_, Error>(())
    });
    let input = || json!({"input": null});
    let calls = Reply::call("quick", input()).and_call("act", input());
    let (agent, _) = caller(calls, [quick, one_thing_more()]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.report().unwrap().usage.tool_calls, 2);
    assert_eq!(
        tree(&recorder)[3..],
        ["    loom.tool quick", "    loom.tool act ✗ interrupted"]
    );
}

/// A tool that ends its run in this way and then wants to do one thing more.
fn ending_the_run(end: fn(&RunContext)) -> Tool {
    Tool::new("act", "Acts.", move |cx: RunContext, _: ()| async move {
        end(&cx);
        cx.step("more", &nothing, ()).await
    })
}

#[tokio::test]
async fn siblings_of_a_call_that_sees_the_cancellation_first_close_for_its_reason() {
    let table: [(fn(&RunContext), _, _); 2] = [
        (
            |cx| cx.handle().cancel(),
            CancelReason::Requested,
            "requested",
        ),
        // Nobody but the call itself may see that time is up.
        (
            |_| std::thread::sleep(Duration::from_millis(350)),
            CancelReason::Deadline,
            "deadline",
        ),
    ];
    for (end, reason, why) in table {
        let (recorder, session) = recorded();
        let session = session.deadline(Duration::from_millis(300));
        let (agent, shown) = caller(calls(), [slow(), ending_the_run(end)]);
        let error = session.run(&agent, "Act.").await.unwrap_err();
        assert_eq!(error.kind(), RunErrorKind::Cancelled(reason));
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
    let (recorder, session) = limited(8);
    let calls = calls().with_tokens(Tokens::new(100, 20));
    let (agent, _) = caller(calls, [slow(), one_thing_more()]);
    let error = session.run(&agent, "Act.").await.unwrap_err();
    assert_eq!(error.report().unwrap().usage.input_tokens, Some(100));
    let run = &recorder.spans()[0];
    assert_eq!(run.line(), "loom.run agent ✗ interrupted");
    assert_eq!(
        [key::TURNS, key::INPUT_TOKENS, key::OUTPUT_TOKENS].map(|it| run.attributes.int(it)),
        [Some(1), Some(100), Some(20)]
    );
}
