//! An agent as a step that is tried again: one step, two agent runs, and with a journal nothing
//! that was recorded is done again.

use std::collections::VecDeque;
use std::sync::Mutex;

use loomflow::{
    Agent, Error, ErrorKind, FnModel, Model, Name, Reply, Request, RunErrorKind, Workflow, step,
};

use crate::support::{Count, Done, counting, gate, refund_call};
use crate::watched::{Durable, Process};

/// A model that fails this often in its second turn, and counts how often it was asked.
fn shaky(done: &Done, failures: usize) -> impl Model + use<> {
    let asked = done.asked_models.clone();
    let overloaded = || Error::new(ErrorKind::Upstream, "overloaded").retryable(true);
    let errors: VecDeque<Error> = std::iter::repeat_with(overloaded).take(failures).collect();
    let errors = Mutex::new(errors);
    FnModel::new("shaky", move |request: &Request<'_>| {
        asked.add();
        match request.tool_results() {
            [] => Ok(refund_call()),
            [result, ..] => match errors.lock().unwrap().pop_front() {
                Some(error) => Err(error),
                None => Ok(Reply::text(result.text.clone())),
            },
        }
    })
}

/// The gate, and a clerk who is tried this often.
fn desk(done: &Done, failures: usize, attempts: u32) -> Workflow<String, String> {
    let refund = Workflow::chain("refund")
        .then_fn("execute", counting("paid", &done.paid))
        .build();
    let clerk = Agent::builder("Help.").named("clerk");
    let clerk = clerk.model(shaky(done, failures)).tool(refund.as_tool());
    let clerk = step(clerk.build().unwrap())
        .retry(attempts)
        .repeating_effects();
    Workflow::chain::<String>("support")
        .then(gate)
        .then(clerk)
        .build()
}

fn counts(done: &Done) -> [u32; 2] {
    [&done.asked_models, &done.paid].map(Count::get)
}

/// The lines of a clerk's run that fails in its second turn, or doesn't.
fn clerk_lines(fails: bool) -> Vec<String> {
    let mark = if fails { " ✗ failed" } else { "" };
    let lines = [
        format!("    loom.run clerk{mark}"),
        "      loom.turn 0".to_owned(),
        "        loom.model.stream shaky".to_owned(),
        "        loom.tool refund".to_owned(),
        "          loom.workflow.run refund".to_owned(),
        "            loom.workflow.step execute".to_owned(),
        format!("      loom.turn 1{mark}"),
        format!("        loom.model.stream shaky{mark}"),
    ];
    lines.into()
}

/// The same of a run that uses its first turn's record.
fn clerk_lines_again(fails: bool) -> Vec<String> {
    let mut lines = clerk_lines(fails);
    lines[1].push_str(" ↻");
    lines.drain(2..6);
    lines
}

fn under_the_step(clerks: &[Vec<String>]) -> Vec<String> {
    let root = [
        "loom.workflow.run support",
        "  loom.workflow.step gate",
        "  loom.workflow.step clerk",
    ];
    let root = root.map(str::to_owned).into_iter();
    root.chain(clerks.concat()).collect()
}

fn check_notes_and_paths(process: &Process) {
    let spans = process.recorder.spans();
    assert_eq!(spans[2].notes, ["retry"]);
    let is_run = |name: &Name| *name == "clerk";
    let runs: Vec<_> = spans.iter().filter(|it| is_run(&it.name)).collect();
    let paths: Vec<&str> = runs.iter().map(|it| it.path.as_str()).collect();
    let run = "support/clerk/clerk";
    // Each attempt has the paths of the first, so that it finds the first one's records.
    assert_eq!(paths, ["support/clerk", run, run]);
    assert_ne!(runs[1].span, runs[2].span);
}

#[tokio::test(start_paused = true)]
async fn an_agent_tried_again_is_one_step_and_two_runs() {
    let (durable, done) = (Durable::new(), Done::default());
    let process = durable.wired(|loom| loom);
    let outcome = process.session.run(&desk(&done, 1, 2), "please").await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.output, "INV-1, paid");
    assert_eq!(outcome.visited, ["gate", "clerk"]);
    // Without a journal everything is done again.
    assert_eq!(counts(&done), [4, 2]);
    assert_eq!(
        process.tree(),
        under_the_step(&[clerk_lines(true), clerk_lines(false)])
    );
    check_notes_and_paths(&process);
}

#[tokio::test(start_paused = true)]
async fn with_a_journal_the_second_run_uses_what_the_first_recorded() {
    let (durable, done) = (Durable::new(), Done::default());
    let process = durable.process();
    let outcome = process.session.run(&desk(&done, 1, 2), "please").await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.output, "INV-1, paid");
    assert_eq!(counts(&done), [3, 1]);
    assert_eq!(outcome.usage.model_calls, 3);
    assert_eq!(
        process.tree(),
        under_the_step(&[clerk_lines(true), clerk_lines_again(false)])
    );
    check_notes_and_paths(&process);
    let told = durable.told();
    let from = told.iter().position(|it| it == "run_failed clerk").unwrap();
    assert_eq!(
        told[from..],
        [
            "run_failed clerk",
            "retry clerk",
            "run_started clerk",
            "run_completed clerk",
            "step_completed clerk",
            "workflow_completed support",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_attempts_are_used_up_can_be_resumed() {
    let (durable, done) = (Durable::new(), Done::default());
    let first = durable.process();
    let desk = desk(&done, 3, 2);
    let error = first.session.run(&desk, "please").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Upstream);
    assert_eq!(
        error.to_string(),
        "support/clerk/clerk/turn:1/model:shaky: overloaded"
    );
    let mut expected = under_the_step(&[clerk_lines(true), clerk_lines_again(true)]);
    expected[0].push_str(" ✗ failed");
    expected[2].push_str(" ✗ failed");
    assert_eq!(first.tree(), expected);
    assert_eq!(counts(&done), [3, 1]);

    // One failure is left: the resumed step is tried twice anew.
    let second = durable.process();
    let run_id = &error.report().unwrap().run_id;
    let resumed = second.session.resume(run_id, &desk).await;
    assert_eq!(resumed.unwrap().output, "INV-1, paid");
    assert_eq!(counts(&done), [5, 1]);
    let mut expected = under_the_step(&[clerk_lines_again(true), clerk_lines_again(false)]);
    expected[1].push_str(" ↻");
    assert_eq!(second.tree(), expected);
    durable.told();
}

#[tokio::test(start_paused = true)]
async fn a_question_is_no_failure_that_is_tried_again() {
    let (durable, done) = (Durable::new(), Done::default());
    let process = durable.process();
    let refund = crate::support::refund(&done).as_tool();
    let clerk = crate::support::clerk(&done, &refund_call(), [refund]);
    let clerk = step(clerk).retry(5).retry_if(|_| true);
    let desk = Workflow::chain::<String>("support").then(clerk).build();
    let error = process.session.run(&desk, "please").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Paused);
    assert_eq!(done.asked_models.get(), 1);
    assert_eq!(process.recorder.spans()[1].notes, Vec::<&str>::new());

    let (run_id, path) = (&error.report().unwrap().run_id, &error.questions()[0].path);
    process.session.answer(run_id, path, true).await.unwrap();
    let resumed = process.session.resume(run_id, &desk).await;
    assert_eq!(resumed.unwrap().output, "INV-1, authorized, paid");
    assert_eq!((done.asked_models.get(), done.paid.get()), (2, 1));
}
