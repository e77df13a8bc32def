//! Streaming is watching: pieces of a reply reach whoever watches, as events of the model's span.

use loom_agent::{Agent, EchoModel, FnModel, Reply, Request, ScriptedModel};
use loom_core::{Happened, Result, Tool};
use loom_testing::Recorder;
use serde_json::json;

use crate::recorded::recorded;

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

/// Path and text of each delta, in order.
fn deltas(recorder: &Recorder) -> Vec<(String, String)> {
    let events = recorder.events().into_iter();
    events
        .filter_map(|event| match event.what {
            Happened::Delta { text } => Some((event.path, text)),
            _ => None,
        })
        .collect()
}

fn pieces(path: &str, texts: &[&str]) -> Vec<(String, String)> {
    let piece = |text: &&str| (path.to_owned(), (*text).to_owned());
    texts.iter().map(piece).collect()
}

#[tokio::test]
async fn the_pieces_of_every_reply_reach_the_recorder_under_their_model_call() {
    let (recorder, session) = recorded();
    let mut first = Reply::call("shout", json!({"input": "hi"}));
    first.text = "Let me see.".into();
    let model = ScriptedModel::new([first, Reply::text("All is paid.")]);
    let agent = Agent::builder("Help.").model(model);
    let agent = agent.tool(Tool::new("shout", "Says it loudly.", shout));
    session.run(&agent.build().unwrap(), "?").await.unwrap();
    assert_eq!(
        deltas(&recorder),
        [
            pieces("agent/turn:0/model:scripted", &["Let ", "me ", "see."]),
            pieces("agent/turn:1/model:scripted", &["All ", "is ", "paid."]),
        ]
        .concat()
    );
}

#[tokio::test]
async fn what_was_streamed_is_what_was_answered() {
    let (recorder, session) = recorded();
    let agent = Agent::builder("Echo.").model(EchoModel).build().unwrap();
    let outcome = session.run(&agent, "grüß dich, 世界").await.unwrap();
    let streamed: Vec<String> = recorder.spans().into_iter().map(|it| it.streamed).collect();
    assert_eq!(outcome.output, "grüß dich, 世界");
    assert_eq!(streamed, ["", "", "grüß dich, 世界"]);
}

#[tokio::test]
async fn a_function_s_answer_is_streamed_in_one_piece() {
    let (recorder, session) = recorded();
    let model = FnModel::new("yes", |_: &Request<'_>| Ok(Reply::text("yes and no")));
    let agent = Agent::builder("Agree.").model(model).build().unwrap();
    session.run(&agent, "?").await.unwrap();
    assert_eq!(
        deltas(&recorder),
        pieces("agent/turn:0/model:yes", &["yes and no"])
    );
}

#[tokio::test]
async fn an_answer_without_text_streams_nothing() {
    let nothing = FnModel::new("mute", |_: &Request<'_>| Ok(Reply::text("")));
    let agents = [
        Agent::builder("Echo.").model(EchoModel),
        Agent::builder("Be still.").model(ScriptedModel::new([Reply::text("")])),
        Agent::builder("Be still.").model(nothing),
    ];
    for agent in agents {
        let (recorder, session) = recorded();
        let outcome = session.run(&agent.build().unwrap(), "").await.unwrap();
        assert_eq!(outcome.output, "");
        assert_eq!(deltas(&recorder), []);
    }
}

#[tokio::test]
async fn a_script_is_used_up_by_all_runs_of_its_agent_and_says_so_when_it_is_over() {
    let (_, session) = recorded();
    let model = ScriptedModel::new([Reply::text("one"), Reply::text("two")]).named("short");
    let agent = Agent::builder("Count.").model(model).build().unwrap();
    assert_eq!(session.run(&agent, "?").await.unwrap().output, "one");
    assert_eq!(session.run(&agent, "?").await.unwrap().output, "two");
    let error = session.run(&agent, "?").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"agent/turn:0/model:short: the script of "short" has 2 replies, and all are given"#
    );
}
