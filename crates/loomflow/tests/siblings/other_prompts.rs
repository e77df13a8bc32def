//! What was recorded of an agent's turns holds for the prompt they were asked, and for no other.

use loomflow::{
    Agent, Branch, EffectKind, ErrorKind, Prompt, Reply, Result, RunContext, RunErrorKind,
    Runnable, Tool, Workflow,
};
use serde_json::json;

use crate::support::{Count, Done, calling, clerk, gate, log_completion, refund, refund_call};
use crate::watched::Durable;

/// A desk whose clerk is asked something else at every attempt.
fn fickle(asked: &Count, clerk: Agent) -> Workflow<String, String> {
    let asked = asked.clone();
    Workflow::chain("support")
        .then(gate)
        .map(move |text: String| format!("{text} for the {}. time", asked.add()))
        .then(clerk)
        .then(log_completion)
        .build()
}

/// The clerk asks in the first turn already.
fn asks_at_once(done: &Done) -> Agent {
    clerk(done, &refund_call(), [refund(done).as_tool()])
}

/// The clerk looks something up first, and asks in the second turn.
fn asks_later(done: &Done) -> Agent {
    let looked_up = done.looked_up.clone();
    let lookup = Tool::new("lookup", "Finds.", move |_: RunContext, id: String| {
        looked_up.add();
        std::future::ready(Ok::<_, loomflow::Error>(id))
    });
    let asked = done.asked_models.clone();
    let model = loomflow::FnModel::new("offline", move |request: &loomflow::Request<'_>| {
        asked.add();
        Ok(match request.messages.len() {
            1 => Reply::call("lookup", json!({"input": "INV-1"})),
            3 => refund_call(),
            _ => Reply::text("refunded"),
        })
    });
    let clerk = Agent::builder("Help.").named("clerk").model(model);
    let clerk = clerk.tool(lookup).tool(refund(done).as_tool());
    clerk.build().unwrap()
}

/// Pauses, is answered, and is asked something else when it is resumed.
async fn resumed_with_another_prompt(clerk: fn(&Done) -> Agent) {
    let (durable, done, asked) = (Durable::new(), Done::default(), Count::default());
    let desk = fickle(&asked, clerk(&done));
    let error = durable.process().session.run(&desk, "please").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Paused);
    let run_id = &error.report().unwrap().run_id;
    let models = done.asked_models.get();

    let process = durable.process();
    let session = &process.session;
    let question = &error.questions()[0].path;
    session.answer(run_id, question, true).await.unwrap();
    let resumed = session.resume(run_id, &desk).await;
    let error = resumed.unwrap_err();
    assert_eq!(asked.get(), 2);
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    let message = error.to_string();
    assert!(
        message.starts_with("support/clerk/clerk/turn:0")
            && message.contains("it was recorded with another input"),
        "{message}"
    );
    assert_eq!((done.asked_models.get(), done.paid.get()), (models, 0));
    process.tree();
    durable.told();
}

#[tokio::test]
async fn a_paused_agent_that_is_asked_something_else_on_resume_is_invalid() {
    resumed_with_another_prompt(asks_later).await;
}

#[tokio::test]
async fn an_agent_that_paused_in_its_first_turn_and_is_asked_something_else_is_invalid() {
    resumed_with_another_prompt(asks_at_once).await;
}

async fn gives_way(text: String) -> Result<String> {
    tokio::task::yield_now().await;
    Ok(text)
}

fn waiting_clerk(done: &Done) -> Agent {
    let call = Reply::call("wait", json!({"input": "INV-1"}));
    let agent = Agent::builder("Help.").named("clerk");
    let agent = agent.model(calling(done, &call));
    let agent = agent.tool(Tool::new("wait", "Waits.", gives_way));
    agent.build().unwrap()
}

#[tokio::test]
async fn two_runs_of_one_agent_at_the_same_time_in_one_context_are_invalid_with_a_journal() {
    let done = Done::default();
    let agent = waiting_clerk(&done);
    let twice = move |cx: RunContext, _: String| {
        let agent = agent.clone();
        async move {
            let one = agent.run(&cx, Prompt::from("one"));
            let two = agent.run(&cx, Prompt::from("two"));
            futures::future::try_join(one, two).await
        }
    };
    let desk = Workflow::chain("support").then_fn("twice", twice).build();
    let durable = Durable::new();
    let error = durable.process().session.run(&desk, "please").await;
    let error = error.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    let message = error.to_string();
    assert!(
        message.starts_with("support/twice") && message.contains("loom.run clerk comes again"),
        "{message}"
    );
    durable.told();

    // Nothing is recorded without a journal, so nothing could be mistaken.
    let process = durable.wired(|loom| loom);
    let outcome = process.session.run(&desk, "please").await.unwrap();
    let line = "INV-1".to_owned();
    assert_eq!(outcome.output, (line.clone(), line));
}

#[tokio::test]
async fn two_runs_of_one_agent_at_the_same_time_in_branches_are_told_apart() {
    let done = Done::default();
    let agent = waiting_clerk(&done);
    let twice = move |cx: RunContext, _: String| {
        let agent = agent.clone();
        async move {
            let agent = &agent;
            let ask = |text: &'static str| {
                Branch::new(move |cx| async move { agent.run(&cx, Prompt::from(text)).await })
            };
            cx.join(2, [ask("one"), ask("two")]).await
        }
    };
    let desk = Workflow::chain("support").then_fn("twice", twice).build();
    let durable = Durable::new();
    let process = durable.process();
    let outcome = process.session.run(&desk, "please").await.unwrap();
    assert_eq!(outcome.output, ["INV-1", "INV-1"]);
    let agents: Vec<String> = process
        .recorder
        .spans()
        .into_iter()
        .filter(|it| it.effect == EffectKind::Agent)
        .map(|it| it.path)
        .collect();
    assert_eq!(
        agents,
        ["support/twice/[0]/clerk", "support/twice/[1]/clerk"]
    );
    durable.told();
}
