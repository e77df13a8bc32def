//! A graph as an agent's tool, inside a graph that the agent is a node of: what stops the inner one
//! reaches the agent truthfully, whatever it is.

use loomflow::{Agent, END, Error, Graph, Reply, RunContext, RunErrorKind, Tool, Workflow};
use serde_json::json;

use crate::support::{Done, clerk, counting};
use crate::watched::Durable;

/// Draws up a refund until a person says yes to it.
fn approval() -> Graph {
    let draft = |text: String| async move { Ok::<_, Error>(format!("{text} again")) };
    let review = |cx: RunContext, text: String| async move {
        let sure: bool = cx.ask("sure", format!("Pay for {text:?}?")).await?;
        Ok::<_, Error>(format!("{text}: {}", if sure { "yes" } else { "no" }))
    };
    Workflow::graph("approval")
        .node("draft", draft)
        .node("review", review)
        .start("draft")
        .edge("draft", "review")
        .router(
            "review",
            |text: &str| if text.ends_with("yes") { "pay" } else { "redo" },
            [("pay", END), ("redo", "draft")],
        )
}

/// Goes round for ever.
fn endless() -> Graph {
    let spin = |text: String| async move { Ok::<_, Error>(text) };
    Workflow::graph("approval")
        .node("spin", spin)
        .start("spin")
        .router("spin", |_: &str| "on", [("on", "spin"), ("off", END)])
}

fn broken() -> Graph {
    let fail = |_: String| async move { Err::<String, _>(Error::invalid("no such invoice")) };
    Workflow::graph("approval")
        .node("fail", fail)
        .start("fail")
        .edge("fail", END)
}

fn tool(graph: Graph) -> Tool {
    graph.build_as::<String, String>().unwrap().as_tool()
}

/// The clerk, who has this tool, as a node of a graph.
fn desk(done: &Done, tool: Tool) -> Workflow<String, String> {
    let call = Reply::call("approval", json!({"input": "INV-1"}));
    let clerk: Agent = clerk(done, &call, [tool]);
    Workflow::graph("support")
        .node("clerk", clerk)
        .start("clerk")
        .edge("clerk", END)
        .build_as::<String, String>()
        .unwrap()
}

#[tokio::test]
async fn a_cap_and_a_failure_of_a_graph_are_told_to_the_agent_as_they_are() {
    for (graph, told) in [
        (
            endless().visits_max(3),
            "stopped by a limit: spin: visits_max 3 reached",
        ),
        (broken(), "error: no such invoice"),
    ] {
        let (durable, done) = (Durable::new(), Done::default());
        let process = durable.process();
        let outcome = process
            .session
            .run(&desk(&done, tool(graph)), "please")
            .await;
        assert_eq!(outcome.unwrap().output, told);
    }
}

#[tokio::test]
async fn a_destructive_graph_is_asked_for_like_any_tool() {
    let (durable, done) = (Durable::new(), Done::default());
    let wiping = || {
        let graph = Workflow::graph("approval")
            .node("wipe", counting("wipe", &done.paid))
            .start("wipe")
            .edge("wipe", END);
        tool(graph).destructive()
    };
    let process = durable.process();
    let paused = process.session.run(&desk(&done, wiping()), "please").await;
    let paused = paused.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    let [question] = paused.questions() else {
        panic!("one question is asked: {:?}", paused.questions());
    };
    assert_eq!(
        (question.path.as_str(), question.body.as_str()),
        (
            "support/clerk/clerk/turn:0/tool:approval[c1]#ask:permissions",
            "may the tool \"approval\" be called with {\"input\":\"INV-1\"}? (destructive tools are asked for)"
        )
    );
    assert_eq!(question.input, Some(json!({"input": "INV-1"})));
    assert_eq!(done.paid.get(), 0);

    let run = &paused.report().unwrap().run_id;
    process
        .session
        .answer(run, &question.path, true)
        .await
        .unwrap();
    let process = durable.process();
    process
        .session
        .resume(run, &desk(&done, wiping()))
        .await
        .unwrap();
    assert_eq!(done.paid.get(), 1);
}

#[tokio::test]
async fn a_pause_in_a_loop_of_a_graph_reaches_through_the_agent_and_goes_on_in_another_process() {
    let (durable, done) = (Durable::new(), Done::default());
    let desk = || desk(&done, tool(approval()));
    let paused = durable
        .process()
        .session
        .run(&desk(), "please")
        .await
        .unwrap_err();
    let run = paused.report().unwrap().run_id.clone();
    let question = "support/clerk/clerk/turn:0/tool:approval[c1]/approval/review";
    assert_eq!(paused.questions()[0].path, format!("{question}/sure"));
    let process = durable.process();
    process
        .session
        .answer(&run, &paused.questions()[0].path, false)
        .await
        .unwrap();

    let paused = process.session.resume(&run, &desk()).await.unwrap_err();
    assert_eq!(paused.questions()[0].path, format!("{question}#2/sure"));
    assert_eq!(
        paused.questions()[0].body,
        "Pay for \"INV-1 again: no again\"?"
    );
    let process = durable.process();
    process
        .session
        .answer(&run, &paused.questions()[0].path, true)
        .await
        .unwrap();

    let outcome = durable
        .process()
        .session
        .resume(&run, &desk())
        .await
        .unwrap();
    assert_eq!(outcome.output, "INV-1 again: no again: yes");
    assert_eq!(done.asked_models.get(), 2);
}

#[test]
fn a_drawing_shows_the_agent_s_tool_as_a_cluster_in_the_graph() {
    let desk = desk(&Done::default(), tool(approval()));
    let lines = [
        "support (workflow)",
        "  START -> clerk",
        "  clerk (agent) -> END",
        "    approval (tool, workflow, at most 100 steps, 25 visits of a node)",
        "      START -> draft",
        "      draft -> review",
        "      review -> END [pay], back to draft [redo]",
    ];
    assert_eq!(desk.to_string().lines().collect::<Vec<_>>(), lines);
}
