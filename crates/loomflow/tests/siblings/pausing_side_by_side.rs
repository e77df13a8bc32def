//! A question beside other work: what runs goes on to its end, and all questions are told at once.

use std::time::Duration;

use loomflow::{Agent, Error, RunContext, Tool, Workflow};
use serde_json::json;

use crate::support::{Done, clerk, desk_of, gate, refund, refund_call};
use crate::watched::Durable;

/// A tool that takes a second, longer than it takes to ask.
fn lookup(done: &Done) -> Tool {
    let count = done.looked_up.clone();
    Tool::new("lookup", "Finds.", move |_: RunContext, id: String| {
        let count = count.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            count.add();
            Ok::<_, Error>(format!("{id} is paid"))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_tool_beside_one_that_asks_finishes_and_is_not_called_again() {
    let (durable, done) = (Durable::new(), Done::default());
    let calls = refund_call().and_call("lookup", json!({"input": "INV-1"}));
    let desk = || {
        let tools = [refund(&done).as_tool(), lookup(&done)];
        desk_of(clerk(&done, &calls, tools))
    };
    let first = durable.process();
    let error = first.session.run(&desk(), "please").await.unwrap_err();
    assert_eq!(error.questions().len(), 1);
    assert_eq!(done.looked_up.get(), 1);
    assert_eq!(
        first.tree()[4..],
        [
            "      loom.turn 0 ✗ paused",
            "        loom.model.stream offline",
            "        loom.tool refund ✗ paused",
            "          loom.workflow.run refund ✗ paused",
            "            loom.workflow.step authorize",
            "            loom.workflow.step approve ✗ paused",
            "        loom.tool lookup",
        ]
    );

    let second = durable.process();
    let (run_id, session) = (&error.report().unwrap().run_id, &second.session);
    let path = &error.questions()[0].path;
    session.answer(run_id, path, true).await.unwrap();
    let outcome = session.resume(run_id, &desk()).await;
    // In the order of the calls, whichever was there first.
    let output = "INV-1, authorized, paid | INV-1 is paid";
    assert_eq!(outcome.unwrap().output, output);
    assert_eq!((done.looked_up.get(), done.asked_models.get()), (1, 2));
    assert_eq!(
        second.tree()[4..12],
        [
            "      loom.turn 0",
            "        loom.model.stream offline ↻",
            "        loom.tool refund",
            "          loom.workflow.run refund",
            "            loom.workflow.step authorize ↻",
            "            loom.workflow.step approve",
            "            loom.workflow.step execute",
            "        loom.tool lookup ↻",
        ]
    );
    let told = durable.told();
    for row in ["again: tool_call lookup", "again: tool_result lookup"] {
        assert!(told.iter().any(|it| it == row), "{row} in {told:#?}");
    }
}

#[tokio::test]
async fn two_calls_of_one_turn_that_both_ask_are_answered_apart() {
    let (durable, done) = (Durable::new(), Done::default());
    let calls = refund_call().and_call("refund", json!({"input": "INV-2"}));
    let desk = || desk_of(clerk(&done, &calls, [refund(&done).as_tool()]));
    let process = durable.process();
    let session = &process.session;
    let error = session.run(&desk(), "please").await.unwrap_err();
    let asked: Vec<_> = error.questions().iter().map(|it| &*it.path).collect();
    let question =
        |call| format!("support/clerk/clerk/turn:0/tool:refund[{call}]/refund/approve/sure");
    assert_eq!(asked, [question("c1"), question("c2")]);

    let run_id = &error.report().unwrap().run_id;
    for (path, answer) in asked.iter().zip([false, true]) {
        session.answer(run_id, path, answer).await.unwrap();
    }
    let outcome = session.resume(run_id, &desk()).await;
    let output = "denied: not without a receipt | INV-2, authorized, paid";
    assert_eq!(outcome.unwrap().output, output);
    assert_eq!((done.asked_models.get(), done.paid.get()), (2, 1));
    durable.told();
}

/// Two desks beside each other, each of which asks.
fn two_desks(done: &Done) -> Workflow<String, String> {
    let desk = |name: &'static str| -> Agent {
        let agent = Agent::builder("Help.").named(name);
        let model = crate::support::calling(done, &refund_call());
        let tool = refund(done).as_tool();
        agent.model(model).tool(tool).build().unwrap()
    };
    Workflow::chain("support")
        .parallel((desk("north"), desk("south")))
        .map(|(north, south)| format!("north: {north}; south: {south}"))
        .then(gate)
        .build()
}

fn question(desk: &str) -> String {
    format!("support/{desk}/{desk}/turn:0/tool:refund[c1]/refund/approve/sure")
}

#[tokio::test]
async fn branches_that_both_ask_are_answered_one_after_another() {
    let (durable, done) = (Durable::new(), Done::default());
    let first = durable.process();
    let error = first.session.run(&two_desks(&done), "please").await;
    let error = error.unwrap_err();
    let paths = |error: &loomflow::RunError| -> Vec<String> {
        let questions = error.questions().iter();
        questions.map(|it| it.path.clone()).collect()
    };
    assert_eq!(paths(&error), [question("north"), question("south")]);
    let run_id = &error.report().unwrap().run_id;

    let second = durable.process();
    let session = &second.session;
    let south = question("south");
    session.answer(run_id, &south, true).await.unwrap();
    let desks = two_desks(&done);
    let resumed = session.resume(run_id, &desks).await;
    let error = resumed.unwrap_err();
    assert_eq!(paths(&error), [question("north")]);
    assert_eq!(error.report().unwrap().visited, ["south"]);
    assert_eq!((done.asked_models.get(), done.paid.get()), (3, 1));

    let third = durable.process();
    let session = &third.session;
    let north = question("north");
    session.answer(run_id, &north, false).await.unwrap();
    let desks = two_desks(&done);
    let resumed = session.resume(run_id, &desks).await;
    let outcome = resumed.unwrap();
    assert_eq!(
        outcome.output,
        "north: denied: not without a receipt; south: INV-1, authorized, paid"
    );
    assert_eq!((done.asked_models.get(), done.paid.get()), (4, 1));
    assert_eq!(
        third.tree(),
        [
            "loom.workflow.run support",
            "  loom.workflow.step north",
            "    loom.run north",
            "      loom.turn 0",
            "        loom.model.stream offline ↻",
            "        loom.tool refund ✗ denied",
            "          loom.workflow.run refund ✗ denied",
            "            loom.workflow.step authorize ↻",
            "            loom.workflow.step approve ✗ denied",
            "      loom.turn 1",
            "        loom.model.stream offline",
            "  loom.workflow.step south ↻",
            "  loom.workflow.step gate",
        ]
    );
    durable.told();
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_fails_beside_one_that_waits_fails_the_run() {
    async fn fails_later(_: String) -> Result<String, Error> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err(Error::invalid("the till is closed"))
    }
    let (durable, done) = (Durable::new(), Done::default());
    let process = durable.process();
    let clerk = clerk(&done, &refund_call(), [refund(&done).as_tool()]);
    let both = Workflow::chain("support").parallel((clerk, fails_later));
    let error = process.session.run(&both.build(), "please").await;
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "support/fails_later: the till is closed");
    assert_eq!(error.questions(), []);
    let tree = process.tree();
    assert_eq!(
        [&tree[0], &tree[1], &tree[9]],
        [
            "loom.workflow.run support ✗ failed",
            "  loom.workflow.step clerk ✗ paused",
            "  loom.workflow.step fails_later ✗ failed",
        ]
    );
    durable.told();
}
