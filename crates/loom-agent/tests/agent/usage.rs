//! What a run consumed: summed over turns and nested agents, unknown where a call didn't tell.

use loom_agent::{Agent, Reply, ScriptedModel};
use loom_core::{Error, ErrorKind, Result, Tokens, Tool, key};
use serde_json::{Value, json};

use crate::recorded::recorded;

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

fn agent(replies: impl IntoIterator<Item = Reply>) -> Agent {
    let agent = Agent::builder("Shout.").model(ScriptedModel::new(replies));
    let agent = agent.tool(Tool::new("shout", "Says it loudly.", shout));
    agent.build().unwrap()
}

fn call() -> Reply {
    Reply::call("shout", json!({"input": "hi"}))
}

/// What the usage of a run with one model looks like, whole.
fn usage_of_one(
    model_calls: u64,
    tool_calls: u64,
    input: Option<u64>,
    output: Option<u64>,
) -> Value {
    json!({
        "model_calls": model_calls,
        "tool_calls": tool_calls,
        "input_tokens": input,
        "output_tokens": output,
        "cost_micro_usd": null,
        "per_model": {
            "scripted": {
                "calls": model_calls,
                "input_tokens": input,
                "output_tokens": output,
                "cost_micro_usd": null,
            }
        },
    })
}

#[tokio::test]
async fn turns_add_up() {
    let (_, session) = recorded();
    let agent = agent([
        call().with_tokens(Tokens::new(100, 20)),
        call().with_tokens(Tokens::new(150, 30)),
        Reply::text("done").with_tokens(Tokens::new(200, 5)),
    ]);
    let outcome = session.run(&agent, "?").await.unwrap();
    assert_eq!(
        json!(outcome.usage),
        usage_of_one(3, 2, Some(450), Some(55))
    );
}

#[tokio::test]
async fn one_call_that_does_not_tell_makes_the_sum_unknown_and_never_zero() {
    let (recorder, session) = recorded();
    let agent = agent([
        call().with_tokens(Tokens {
            output: None,
            ..Tokens::new(100, 0)
        }),
        Reply::text("done").with_tokens(Tokens::new(200, 5)),
    ]);
    let outcome = session.run(&agent, "?").await.unwrap();
    assert_eq!(json!(outcome.usage), usage_of_one(2, 1, Some(300), None));
    let run = &recorder.spans()[0].attributes;
    assert_eq!(run.int(key::INPUT_TOKENS), Some(300));
    assert_eq!(run.get(key::OUTPUT_TOKENS), None);
}

#[tokio::test]
async fn a_failed_model_call_counts_and_what_it_consumed_is_unknown() {
    let (_, session) = recorded();
    let model = ScriptedModel::with_results([
        Ok(call().with_tokens(Tokens::new(100, 20))),
        Err(Error::new(ErrorKind::Upstream, "overloaded")),
    ]);
    let agent = Agent::builder("Shout.").model(model);
    let agent = agent.tool(Tool::new("shout", "Says it loudly.", shout));
    let error = session.run(&agent.build().unwrap(), "?").await.unwrap_err();
    assert_eq!(
        json!(error.report().unwrap().usage),
        usage_of_one(2, 1, None, None)
    );
}

#[tokio::test]
async fn a_nested_agent_s_usage_is_in_the_root_s_and_apart_by_model() {
    let (_, session) = recorded();
    let small = ScriptedModel::new([Reply::text("42").with_tokens(Tokens::new(10, 1))]);
    let expert = Agent::builder("Know.").named("expert");
    let expert = expert.model(small.named("small"));
    let boss = ScriptedModel::new([
        Reply::call("expert", json!({"input": "?"})).with_tokens(Tokens::new(100, 20)),
        Reply::text("it is 42").with_tokens(Tokens::new(150, 5)),
    ])
    .named("large");
    let boss = Agent::builder("Ask.").model(boss);
    let boss = boss
        .tool(expert.build().unwrap().as_tool())
        .build()
        .unwrap();
    let outcome = session.run(&boss, "?").await.unwrap();
    assert_eq!(
        json!(outcome.usage),
        json!({
            "model_calls": 3,
            "tool_calls": 1,
            "input_tokens": 260,
            "output_tokens": 26,
            "cost_micro_usd": null,
            "per_model": {
                "large": {"calls": 2, "input_tokens": 250, "output_tokens": 25, "cost_micro_usd": null},
                "small": {"calls": 1, "input_tokens": 10, "output_tokens": 1, "cost_micro_usd": null},
            },
        })
    );
}

#[tokio::test]
async fn what_calls_cost_adds_up_and_is_unknown_as_soon_as_one_does_not_tell() {
    let table = [
        (Tokens::new(200, 5).costing(70), Some(370)),
        (Tokens::new(200, 5).costing(0), Some(300)),
        (Tokens::new(200, 5), None),
    ];
    for (last, cost) in table {
        let (_, session) = recorded();
        let agent = agent([
            call().with_tokens(Tokens::new(100, 20).costing(300)),
            Reply::text("done").with_tokens(last),
        ]);
        let usage = session.run(&agent, "?").await.unwrap().usage.clone();
        assert_eq!(usage.cost_micro_usd, cost);
        assert_eq!(usage.per_model["scripted"].cost_micro_usd, cost);
        assert_eq!(
            (usage.input_tokens, usage.output_tokens),
            (Some(300), Some(25))
        );
    }
}
