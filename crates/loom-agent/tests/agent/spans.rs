//! What the spans of an agent's run carry: whose they are, where they stand, what they tell.

use loom_agent::{Agent, Model, Reply, Request, ScriptedModel};
use loom_core::{AttrValue, Result, RunContext, Tokens, Tool, UserId, key};
use loom_testing::RecordedSpan;
use serde_json::json;

use crate::recorded::recorded;
use crate::script::caller;

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

fn shout_tool() -> Tool {
    Tool::new("shout", "Says it loudly.", shout)
}

#[tokio::test]
async fn every_span_names_the_user_the_session_the_run_and_the_one_trace() {
    let (recorder, session) = recorded();
    let session = session.id("conv_42");
    let (agent, _) = caller(Reply::call("shout", json!({"input": "hi"})), [shout_tool()]);
    let outcome = session.run(&agent, "?").await.unwrap();

    let spans = recorder.spans();
    assert_eq!(spans.len(), 6);
    for span in spans {
        assert_eq!(span.user.as_ref().map(UserId::as_str), Some("alice"));
        assert_eq!(span.session.as_str(), "conv_42");
        assert_eq!(span.run, outcome.run_id);
        assert_eq!(span.parent_run, None);
        assert_eq!(span.trace, outcome.trace_id);
    }
}

#[tokio::test]
async fn paths_say_which_turn_and_which_call() {
    let (recorder, session) = recorded();
    let calls =
        Reply::call("shout", json!({"input": "a"})).and_call("shout", json!({"input": "b"}));
    let (agent, _) = caller(calls, [shout_tool()]);
    session.run(&agent, "?").await.unwrap();
    let paths: Vec<String> = recorder.spans().into_iter().map(|it| it.path).collect();
    assert_eq!(
        paths,
        [
            "agent",
            "agent/turn:0",
            "agent/turn:0/model:scripted",
            "agent/turn:0/tool:shout[c1]",
            "agent/turn:0/tool:shout[c2]",
            "agent/turn:1",
            "agent/turn:1/model:scripted",
        ]
    );
}

#[tokio::test]
async fn inputs_and_outputs_are_there_to_be_looked_at() {
    let (recorder, session) = recorded();
    let call = Reply::call("shout", json!({"input": "hi"}));
    let (agent, _) = caller(call.clone(), [shout_tool()]);
    session.run(&agent, "Shout hi.").await.unwrap();

    let tokens = json!({"input": null, "output": null, "cost_micro_usd": null});
    let done = json!({"text": "done", "calls": [], "tokens": tokens});
    let result = json!({"call_id": "c1", "name": "shout", "text": "HI", "is_error": false});
    let seen: Vec<_> = recorder
        .spans()
        .into_iter()
        .map(|it| (it.path, it.input, it.output))
        .collect();
    let span = |path: &str, input, output| (path.to_owned(), input, Some(output));
    assert_eq!(
        seen,
        [
            span("agent", Some(json!("Shout hi.")), json!("done")),
            span(
                "agent/turn:0",
                None,
                json!({"reply": call, "results": [result]})
            ),
            span("agent/turn:0/model:scripted", None, json!(call)),
            span(
                "agent/turn:0/tool:shout[c1]",
                Some(json!({"input": "hi"})),
                json!("HI")
            ),
            span("agent/turn:1", None, json!({"reply": done, "results": []})),
            span("agent/turn:1/model:scripted", None, done),
        ]
    );
}

/// A scripted model that somebody serves.
struct Served(ScriptedModel);

impl Model for Served {
    fn name(&self) -> &str {
        "opus"
    }

    fn provider(&self) -> Option<&str> {
        Some("anthropic")
    }

    async fn stream(&self, cx: &RunContext, request: &Request<'_>) -> Result<Reply> {
        self.0.stream(cx, request).await
    }
}

#[tokio::test]
async fn attributes_tell_the_model_the_caps_and_what_was_consumed() {
    let (recorder, session) = recorded();
    let model = Served(ScriptedModel::new([
        Reply::call("shout", json!({"input": "hi"})).with_tokens(Tokens::new(100, 20)),
        Reply::text("done").with_tokens(Tokens::new(150, 5)),
    ]));
    let agent = Agent::builder("Shout.").model(model).tool(shout_tool());
    let agent = agent.turns_max(9).build().unwrap();
    session.run(&agent, "?").await.unwrap();

    let attributes = |span: &RecordedSpan| -> Vec<(&'static str, AttrValue)> {
        let all = span.attributes.iter();
        all.map(|(name, value)| (name, value.clone())).collect()
    };
    let spans: Vec<_> = recorder.spans().iter().map(attributes).collect();
    let model = || {
        [
            (key::MODEL, "opus".into()),
            (key::PROVIDER, "anthropic".into()),
        ]
    };
    let tokens = |input: u32, output: u32| {
        [
            (key::INPUT_TOKENS, input.into()),
            (key::OUTPUT_TOKENS, output.into()),
        ]
    };
    let [name, provider] = model();
    let run = [name, (key::TURNS_MAX, 9u32.into()), provider].into_iter();
    let run: Vec<_> = run.chain([(key::TURNS, 2u32.into())]).collect();
    assert_eq!(
        spans,
        [
            [run, tokens(250, 25).into()].concat(),
            vec![(key::TURN, 0u32.into())],
            [
                vec![(key::PROVIDER, "anthropic".into())],
                tokens(100, 20).into()
            ]
            .concat(),
            vec![
                (key::CALL_ID, "c1".into()),
                (key::DESCRIPTION, "Says it loudly.".into()),
            ],
            vec![(key::TURN, 1u32.into())],
            [
                vec![(key::PROVIDER, "anthropic".into())],
                tokens(150, 5).into()
            ]
            .concat(),
        ]
    );
}
