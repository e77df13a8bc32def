//! A run that waits, goes on, and waits again.

use loomflow::{Error, Result, RunContext, RunId, Workflow};

use crate::support::{Count, Done, clerk, counting, desk_of, refund_call};
use crate::watched::{Durable, Process};

/// Asks twice in one step, and a third time in the next.
fn careful_refund(done: &Done) -> Workflow<String, String> {
    async fn approve(cx: RunContext, request: String) -> Result<String> {
        let sure: bool = cx.ask("sure", "Sure?").await?;
        let why: String = cx.ask("why", format!("Sure is {sure}, but why?")).await?;
        Ok::<_, Error>(format!("{request}, as {why}"))
    }
    async fn sign(cx: RunContext, request: String) -> Result<String> {
        let name: String = cx.ask("name", "Your name?").await?;
        Ok(format!("{request}, signed {name}"))
    }
    Workflow::chain("refund")
        .then_fn("authorize", counting("authorized", &done.authorized))
        .then(approve)
        .then(sign)
        .then_fn("execute", counting("paid", &done.paid))
        .build()
}

const STEPS: &str = "support/clerk/clerk/turn:0/tool:refund[c1]/refund";

/// Goes on with the run in a process of its own; the question it then waits for, if any.
async fn asked(durable: &Durable, done: &Done, run: Option<&RunId>) -> (Process, RunId, String) {
    let process = durable.process();
    let clerk = clerk(done, &refund_call(), [careful_refund(done).as_tool()]);
    let desk = desk_of(clerk);
    let result = match run {
        None => process.session.run(&desk, "please").await,
        Some(run) => process.session.resume(run, &desk).await,
    };
    let (run_id, what) = match result {
        Ok(outcome) => (outcome.run_id.clone(), outcome.output),
        Err(error) => {
            let run_id = error.report().unwrap().run_id.clone();
            let [question] = error.questions() else {
                panic!("{error} asks {:?}", error.questions());
            };
            (run_id, question.path.clone())
        }
    };
    (process, run_id, what)
}

#[tokio::test]
async fn each_question_is_asked_once_and_each_answer_is_used_again() {
    let (durable, done) = (Durable::new(), Done::default());
    let (_, run_id, question) = asked(&durable, &done, None).await;
    assert_eq!(question, format!("{STEPS}/approve/sure"));
    let session = durable.process().session;
    session.answer(&run_id, &question, true).await.unwrap();

    let (_, _, question) = asked(&durable, &done, Some(&run_id)).await;
    assert_eq!(question, format!("{STEPS}/approve/why"));
    let why = "it broke".to_owned();
    session.answer(&run_id, &question, why).await.unwrap();

    let (third, _, question) = asked(&durable, &done, Some(&run_id)).await;
    assert_eq!(question, format!("{STEPS}/sign/name"));
    assert_eq!(
        third.tree()[7..],
        [
            "          loom.workflow.run refund ✗ paused",
            "            loom.workflow.step authorize ↻",
            "            loom.workflow.step approve",
            "            loom.workflow.step sign ✗ paused",
        ]
    );
    let name = "Bob".to_owned();
    session.answer(&run_id, &question, name).await.unwrap();

    let (last, _, output) = asked(&durable, &done, Some(&run_id)).await;
    assert_eq!(output, "INV-1, authorized, as it broke, signed Bob, paid");
    assert_eq!(
        last.tree()[7..12],
        [
            "          loom.workflow.run refund",
            "            loom.workflow.step authorize ↻",
            "            loom.workflow.step approve ↻",
            "            loom.workflow.step sign",
            "            loom.workflow.step execute",
        ]
    );
    let counts = [&done.asked_models, &done.authorized, &done.paid].map(Count::get);
    assert_eq!(counts, [2, 1, 1]);
    check_rows(&durable);
}

/// What the whole log says of questions, answers and attempts.
fn check_rows(durable: &Durable) {
    let told = durable.told();
    let about = ["resumed", "approval_", "workflow_paused support"];
    let told: Vec<&str> = told
        .iter()
        .map(String::as_str)
        .filter(|row| about.iter().any(|it| row.starts_with(it)))
        .collect();
    assert_eq!(
        told,
        [
            "approval_requested approve",
            "workflow_paused support",
            "resumed support",
            "approval_granted approve",
            "approval_requested approve",
            "workflow_paused support",
            "resumed support",
            "approval_granted approve",
            "approval_granted approve",
            "approval_requested sign",
            "workflow_paused support",
            "resumed support",
            "approval_granted sign",
        ]
    );
}

#[tokio::test]
async fn the_first_answer_stays() {
    let (durable, done) = (Durable::new(), Done::default());
    let (_, run_id, question) = asked(&durable, &done, None).await;
    let session = durable.process().session;
    session.answer(&run_id, &question, true).await.unwrap();
    let error = session.answer(&run_id, &question, false).await.unwrap_err();
    assert!(error.message().contains("answered already"), "{error}");
    let unasked = format!("{STEPS}/sign/name");
    session
        .answer(&run_id, &unasked, "Eve".to_owned())
        .await
        .unwrap_err();
    let (_, _, question) = asked(&durable, &done, Some(&run_id)).await;
    assert_eq!(question, format!("{STEPS}/approve/why"));
}
