//! An agent as a tool of another, and how deep that may go.

use std::sync::{Arc, OnceLock};

use loom_agent::{Agent, EchoModel, FnModel, Prompt, Reply, Request, ScriptedModel};
use loom_core::{Ending, Limits, Loom, RunContext, RunErrorKind, Runnable, Tool};
use loom_testing::Recorder;
use serde_json::json;

use crate::recorded::{recorded, tree};
use crate::script::{caller, erred, gave};

#[tokio::test]
async fn an_agent_asks_another() {
    let (recorder, session) = recorded();
    let expert = Agent::builder("Know.").named("expert").model(EchoModel);
    let tool = expert.build().unwrap().as_tool();
    assert_eq!(tool.description(), "Ask the `expert` agent.");
    let (agent, shown) = caller(Reply::call("expert", json!({"input": "Why?"})), [tool]);
    session.run(&agent, "?").await.unwrap();
    assert_eq!(shown.told(), [gave("c1", "expert", "Why?")]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool expert",
            "      loom.run expert",
            "        loom.turn 0",
            "          loom.model.stream echo",
            "  loom.turn 1",
            "    loom.model.stream scripted",
        ]
    );
}

#[tokio::test]
async fn two_questions_to_one_agent_are_two_runs() {
    let (recorder, session) = recorded();
    let expert = Agent::builder("Know.").named("expert").model(EchoModel);
    let calls = Reply::call("expert", json!({"input": "Why?"}))
        .and_call("expert", json!({"input": "How?"}));
    let (agent, shown) = caller(calls, [expert.build().unwrap().as_tool()]);
    session.run(&agent, "?").await.unwrap();
    assert_eq!(
        shown.told(),
        [gave("c1", "expert", "Why?"), gave("c2", "expert", "How?")]
    );
    let spans = recorder.spans();
    let runs: Vec<_> = spans.iter().filter(|it| it.name == "expert").collect();
    let paths: Vec<&str> = runs.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "agent/turn:0/tool:expert[c1]",
            "agent/turn:0/tool:expert[c1]/expert",
            "agent/turn:0/tool:expert[c2]",
            "agent/turn:0/tool:expert[c2]/expert",
        ]
    );
    assert_ne!(runs[1].run, runs[3].run);
}

#[tokio::test]
async fn an_inner_run_s_own_cap_is_told_to_the_model_that_called_it() {
    let (recorder, session) = recorded();
    let unsure = ScriptedModel::new([Reply::call("think", json!({}))]);
    let expert = Agent::builder("Know.").named("expert").turns_max(1);
    let expert = expert.model(unsure).build().unwrap();
    let call = Reply::call("expert", json!({"input": "Why?"}));
    let (agent, shown) = caller(call, [expert.as_tool()]);
    let outcome = session.run(&agent, "?").await.unwrap();
    assert_eq!(outcome.output, "done");
    let text = "stopped by a limit: turns_max 1 reached";
    assert_eq!(shown.told(), [erred("c1", "expert", text)]);
    assert_eq!(
        tree(&recorder)[3..5],
        [
            "    loom.tool expert ✗ interrupted",
            "      loom.run expert ✗ interrupted",
        ]
    );
}

/// An agent whose model always asks the agent itself, and gives back what it is told.
fn recursive() -> Agent {
    let itself: Arc<OnceLock<Agent>> = Arc::default();
    let again = itself.clone();
    let tool = Tool::new(
        "again",
        "Asks itself.",
        move |cx: RunContext, text: String| {
            let agent = again.get().unwrap().clone();
            async move { agent.run(&cx, Prompt::from(text)).await }
        },
    );
    let model = FnModel::new("stubborn", |request: &Request<'_>| {
        Ok(match request.tool_results() {
            [] => Reply::call("again", json!({"input": "?"})),
            [result, ..] => Reply::text(result.text.clone()),
        })
    });
    let agent = Agent::builder("Ask yourself.").model(model).tool(tool);
    let agent = agent.build().unwrap();
    itself.get_or_init(|| agent.clone());
    agent
}

/// The tree of runs nested this deep, the innermost call refused.
fn nested(depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let line = |level: usize, text: &str| format!("{}{text}", "  ".repeat(3 * level));
    for level in 0..depth {
        let ending = if level + 1 == depth {
            " ✗ interrupted"
        } else {
            ""
        };
        lines.push(line(level, "loom.run agent"));
        lines.push(line(level, "  loom.turn 0"));
        lines.push(line(level, "    loom.model.stream stubborn"));
        lines.push(line(level, &format!("    loom.tool again{ending}")));
    }
    for level in (0..depth).rev() {
        lines.push(line(level, "  loom.turn 1"));
        lines.push(line(level, "    loom.model.stream stubborn"));
    }
    lines
}

#[tokio::test]
async fn f091_an_agent_that_asks_itself_goes_eight_deep_and_its_model_is_told() {
    let (recorder, session) = recorded();
    let outcome = session.run(&recursive(), "?").await.unwrap();
    assert_eq!(outcome.output, "stopped by a limit: depth_max 8 reached");
    assert_eq!(tree(&recorder), nested(8));
    let spans = recorder.spans();
    let noted: Vec<_> = spans.iter().filter(|it| !it.notes.is_empty()).collect();
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].ending, Some(Ending::Interrupted));
    assert_eq!(noted[0].notes, ["limit_reached"]);
}

#[tokio::test]
async fn f091_a_lower_depth_is_inherited_by_every_run_below() {
    let recorder = Recorder::default();
    let limits = Limits::default().with_depth_max(3);
    let loom = Loom::builder().observe(recorder.clone()).limits(limits);
    let session = loom.build().session("alice");
    let outcome = session.run(&recursive(), "?").await.unwrap();
    assert_eq!(outcome.output, "stopped by a limit: depth_max 3 reached");
    assert_eq!(tree(&recorder), nested(3));
}

#[tokio::test]
async fn a_root_deeper_than_the_limit_opens_nothing() {
    let recorder = Recorder::default();
    let limits = Limits::default().with_depth_max(0);
    let loom = Loom::builder().observe(recorder.clone()).limits(limits);
    let agent = Agent::builder("Echo.").model(EchoModel).build().unwrap();
    let session = loom.build().session("alice");
    let error = session.run(&agent, "?").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.message(), "depth_max 0 reached");
    assert_eq!(recorder.spans(), []);
}
