//! What was recorded of an agent's turns holds for the prompt they were asked, and for no other.

use loomflow::{Agent, Branch, ErrorKind, Prompt, Reply, Result, RunContext, Tool, Workflow};
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
    assert_eq!(error.kind(), ErrorKind::Paused);
    let run_id = &error.run().unwrap().run_id;
    let models = done.asked_models.get();

    let process = durable.process();
    let session = &process.session;
    let question = &error.questions()[0].path;
    session.answer(run_id, question, true).await.unwrap();
    let resumed = session.resume::<String, _, _>(run_id, &desk).await;
    let error = resumed.unwrap_err();
    assert_eq!(asked.get(), 2);
    assert_eq!(error.kind(), ErrorKind::Invalid);
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

#[tokio::test]
async fn two_runs_of_one_agent_at_the_same_time_under_one_effect_are_invalid_with_a_journal() {
    async fn gives_way(text: String) -> Result<String> {
        tokio::task::yield_now().await;
        Ok(text)
    }
    let done = Done::default();
    let twice = |done: &Done| {
        let call = Reply::call("wait", json!({"input": "INV-1"}));
        let agent = Agent::builder("Help.").named("clerk");
        let agent = agent.model(calling(done, &call));
        let agent = agent.tool(Tool::new("wait", "Waits.", gives_way));
        let agent = agent.build().unwrap();
        move |cx: RunContext, _: String| {
            let agent = agent.clone();
            async move {
                let (cx, agent) = (&cx, &agent);
                let ask = |text: &'static str| {
                    use loomflow::Runnable;
                    Branch::new(async move { agent.run(cx, Prompt::from(text)).await })
                };
                cx.join(2, [ask("one"), ask("two")]).await
            }
        }
    };
    let desk = |done: &Done| -> Workflow<String, Vec<String>> {
        Workflow::chain("support")
            .then_fn("twice", twice(done))
            .build()
    };
    let durable = Durable::new();
    let error = durable.process().session.run(&desk(&done), "please").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "support/twice/clerk#2: two effects named \"clerk\" run at the same time: \
         name them apart, so that each finds its record"
    );
    durable.told();

    // Nothing is recorded without a journal, so nothing could be mistaken.
    let process = durable.wired(|loom| loom);
    let outcome = process.session.run(&desk(&done), "please").await.unwrap();
    assert_eq!(outcome.output, ["INV-1", "INV-1"]);
}
