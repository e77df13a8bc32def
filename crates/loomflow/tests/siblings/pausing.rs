//! A question asked in a workflow inside an agent's tool inside a workflow: the whole run waits,
//! and goes on in another process.

use loomflow::{ErrorKind, RunErrorKind, RunId};

use crate::support::{Done, desk};
use crate::watched::{Durable, Process};

const QUESTION: &str = "support/clerk/clerk/turn:0/tool:refund[c1]/refund/approve/sure";

/// Runs the desk until it waits; its process and the run's id.
async fn paused(durable: &Durable, done: &Done) -> (Process, RunId) {
    let process = durable.process();
    let error = process.session.run(&desk(done), "please").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Paused);
    let asked: Vec<_> = error
        .questions()
        .iter()
        .map(|it| (&*it.path, &*it.name, &*it.body))
        .collect();
    let body = "Refund INV-1, authorized?";
    assert_eq!(asked, [(QUESTION, "sure", body)]);
    let report = error.report().unwrap();
    assert_eq!(report.visited, ["gate"]);
    assert_eq!(report.usage.model_calls, 1);
    (process, report.run_id.clone())
}

#[tokio::test]
async fn a_question_closes_all_that_is_open_as_paused() {
    let (durable, done) = (Durable::new(), Done::default());
    let (process, run_id) = paused(&durable, &done).await;
    assert_eq!(
        process.tree(),
        [
            "loom.workflow.run support ✗ paused",
            "  loom.workflow.step gate",
            "  loom.workflow.step clerk ✗ paused",
            "    loom.run clerk ✗ paused",
            "      loom.turn 0 ✗ paused",
            "        loom.model.stream offline",
            "        loom.tool refund ✗ paused",
            "          loom.workflow.run refund ✗ paused",
            "            loom.workflow.step authorize",
            "            loom.workflow.step approve ✗ paused",
        ]
    );
    let asked: Vec<_> = process.recorder.spans().pop().unwrap().asked;
    assert_eq!(asked, ["sure"]);

    let scope = process.session.scope().unwrap();
    let waiting = durable.process().loom.paused(&scope).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].run_id, run_id);
    assert_eq!(waiting[0].questions[0].path, QUESTION);
}

#[tokio::test]
async fn an_answered_run_goes_on_in_another_process_and_does_nothing_twice() {
    let (durable, done) = (Durable::new(), Done::default());
    let (first, run_id) = paused(&durable, &done).await;
    let second = durable.process();
    let session = &second.session;
    session.answer(&run_id, QUESTION, true).await.unwrap();
    let resumed = session.resume(&run_id, &desk(&done)).await;
    let outcome = resumed.unwrap();

    assert_eq!(outcome.output, "INV-1, authorized, paid");
    assert_eq!(outcome.visited, ["gate", "clerk", "log_completion"]);
    assert_eq!(outcome.run_id, run_id);
    assert_eq!(outcome.usage.model_calls, 2);
    assert_eq!(done.asked_models.get(), 2);
    assert_eq!((done.authorized.get(), done.paid.get()), (1, 1));
    assert_eq!(
        second.tree(),
        [
            "loom.workflow.run support",
            "  loom.workflow.step gate ↻",
            "  loom.workflow.step clerk",
            "    loom.run clerk",
            "      loom.turn 0",
            "        loom.model.stream offline ↻",
            "        loom.tool refund",
            "          loom.workflow.run refund",
            "            loom.workflow.step authorize ↻",
            "            loom.workflow.step approve",
            "            loom.workflow.step execute",
            "      loom.turn 1",
            "        loom.model.stream offline",
            "  loom.workflow.step log_completion",
        ]
    );

    let (before, after) = (first.recorder.spans(), second.recorder.spans());
    assert_eq!(after[0].trace, before[0].trace);
    assert_eq!(after[0].notes, ["resumed"]);
    // Every effect that was begun has the same path and the same run again, in a span of its own.
    for span in &before {
        let again = after.iter().find(|it| it.path == span.path).unwrap();
        assert_eq!((&again.run, &again.name), (&span.run, &span.name));
        assert_ne!(again.span, span.span);
    }
    let scope = session.scope().unwrap();
    assert_eq!(second.loom.paused(&scope).await.unwrap(), []);
}

#[tokio::test]
async fn the_log_tells_of_both_attempts_and_is_whole() {
    let (durable, done) = (Durable::new(), Done::default());
    let (_, run_id) = paused(&durable, &done).await;
    let told = durable.told();
    assert_eq!(
        told,
        [
            "workflow_started support",
            "step_started gate",
            "step_completed gate",
            "step_started clerk",
            "run_started clerk",
            "tool_call refund",
            "workflow_started refund",
            "step_started authorize",
            "step_completed authorize",
            "step_started approve",
            "approval_requested approve",
            "step_paused approve",
            "workflow_paused refund",
            "tool_paused refund",
            "run_paused clerk",
            "step_paused clerk",
            "workflow_paused support",
        ]
    );
    let session = durable.process().session;
    session.answer(&run_id, QUESTION, true).await.unwrap();
    let resumed = session.resume(&run_id, &desk(&done)).await;
    resumed.unwrap();
    assert_eq!(
        durable.told()[told.len()..],
        [
            "workflow_started support",
            "resumed support",
            "again: step_started gate",
            "again: step_completed gate",
            "step_started clerk",
            "run_started clerk",
            "tool_call refund",
            "workflow_started refund",
            "again: step_started authorize",
            "again: step_completed authorize",
            "step_started approve",
            "approval_granted approve",
            "step_completed approve",
            "step_started execute",
            "step_completed execute",
            "workflow_completed refund",
            "tool_result refund",
            "run_completed clerk",
            "step_completed clerk",
            "step_started log_completion",
            "step_completed log_completion",
            "workflow_completed support",
        ]
    );
}

#[tokio::test]
async fn an_answer_that_is_no_is_told_to_the_model() {
    let (durable, done) = (Durable::new(), Done::default());
    let (_, run_id) = paused(&durable, &done).await;
    let process = durable.process();
    let session = &process.session;
    session.answer(&run_id, QUESTION, false).await.unwrap();
    let resumed = session.resume(&run_id, &desk(&done)).await;
    assert_eq!(resumed.unwrap().output, "denied: not without a receipt");
    assert_eq!((done.asked_models.get(), done.paid.get()), (2, 0));
    assert_eq!(
        process.tree()[6..11],
        [
            "        loom.tool refund ✗ denied",
            "          loom.workflow.run refund ✗ denied",
            "            loom.workflow.step authorize ↻",
            "            loom.workflow.step approve ✗ denied",
            "      loom.turn 1",
        ]
    );
    durable.told();
}

#[tokio::test]
async fn without_an_answer_a_resumed_run_waits_for_the_same_one_again() {
    let (durable, done) = (Durable::new(), Done::default());
    let (first, run_id) = paused(&durable, &done).await;
    let second = durable.process();
    let resumed = second.session.resume(&run_id, &desk(&done)).await;
    let error = resumed.unwrap_err();
    assert_eq!(error.questions()[0].path, QUESTION);
    assert_eq!((done.asked_models.get(), done.authorized.get()), (1, 1));
    let unmarked = |lines: Vec<String>| lines.join("\n").replace(" ↻", "");
    assert_eq!(unmarked(second.tree()), unmarked(first.tree()));
    durable.told();
}

#[tokio::test]
async fn nobody_else_can_answer_or_resume_the_run() {
    let (durable, done) = (Durable::new(), Done::default());
    let (_, run_id) = paused(&durable, &done).await;
    let process = durable.process();
    let strangers = [
        process.loom.session("bob").id("conv_42"),
        process.loom.session("alice").id("conv_43"),
        process.loom.anonymous().id("conv_42"),
    ];
    for stranger in strangers {
        let answered = stranger.answer(&run_id, QUESTION, true).await;
        assert_eq!(answered.unwrap_err().kind(), ErrorKind::Invalid);
        let resumed = stranger.resume(&run_id, &desk(&done)).await;
        assert_eq!(resumed.unwrap_err().error().kind(), ErrorKind::Invalid);
    }
    assert_eq!((done.asked_models.get(), done.paid.get()), (1, 0));
    assert_eq!(process.recorder.events(), []);
}

#[tokio::test]
async fn a_paused_run_keeps_what_it_used_of_its_limits() {
    let (durable, done) = (Durable::new(), Done::default());
    let limits = loomflow::Limits::default().with_model_calls_max(1);
    let limited = || durable.wired(|loom| loom.journal(durable.journal.clone()).limits(limits));
    let error = limited().session.run(&desk(&done), "please").await;
    let run_id = error.unwrap_err().report().unwrap().run_id.clone();
    let process = limited();
    let session = &process.session;
    session.answer(&run_id, QUESTION, true).await.unwrap();
    let resumed = session.resume(&run_id, &desk(&done)).await;
    let error = resumed.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        error.to_string(),
        "support/clerk/clerk/turn:1: model_calls_max 1 reached"
    );
    // The reply of the first attempt took the one call there was, and was used again for nothing.
    assert_eq!((done.asked_models.get(), done.paid.get()), (1, 1));
    assert_eq!(error.report().unwrap().usage.model_calls, 1);
}

#[tokio::test]
async fn a_tool_call_that_waited_and_went_on_is_one_call() {
    let (durable, done) = (Durable::new(), Done::default());
    let limits = loomflow::Limits::default().with_tool_calls_max(1);
    let limited = || durable.wired(|loom| loom.journal(durable.journal.clone()).limits(limits));
    let error = limited().session.run(&desk(&done), "please").await;
    let run_id = error.unwrap_err().report().unwrap().run_id.clone();
    let session = limited().session;
    session.answer(&run_id, QUESTION, true).await.unwrap();
    let resumed = session.resume(&run_id, &desk(&done)).await;
    let outcome = resumed.unwrap();
    assert_eq!(outcome.output, "INV-1, authorized, paid");
    assert_eq!(outcome.usage.tool_calls, 1);
}
