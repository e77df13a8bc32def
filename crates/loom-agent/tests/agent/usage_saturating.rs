//! Sums of tokens stop at the largest number there is, and never end a run.

use loom_agent::{Agent, Reply, ScriptedModel};
use loom_core::{Result, Tokens, Tool, key};
use serde_json::json;

use crate::recorded::{recorded, tree};

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

fn agent(name: &'static str, first: Tokens, second: Tokens) -> Agent {
    let model = ScriptedModel::new([
        Reply::call("shout", json!({"input": "hi"})).with_tokens(first),
        Reply::text("done").with_tokens(second),
    ]);
    let agent = Agent::builder("Shout.").named(name).model(model);
    let agent = agent.tool(Tool::new("shout", "Says it loudly.", shout));
    agent.build().unwrap()
}

#[tokio::test]
async fn turns_whose_sum_is_too_large_saturate_and_the_run_succeeds() {
    let most = Tokens::new(u64::MAX, u64::MAX).costing(u64::MAX);
    let table = [
        (most, Tokens::new(1, 1).costing(1)),
        (Tokens::new(1, 1).costing(1), most),
        (most, most),
    ];
    for (first, second) in table {
        let (recorder, session) = recorded();
        let outcome = session.run(&agent("clerk", first, second), "?").await;
        let outcome = outcome.unwrap();
        assert_eq!(outcome.output, "done");
        assert_eq!(
            json!(outcome.usage),
            json!({
                "model_calls": 2,
                "tool_calls": 1,
                "input_tokens": u64::MAX,
                "output_tokens": u64::MAX,
                "cost_micro_usd": u64::MAX,
                "per_model": {
                    "scripted": {
                        "calls": 2,
                        "input_tokens": u64::MAX,
                        "output_tokens": u64::MAX,
                        "cost_micro_usd": u64::MAX,
                    }
                },
            })
        );
        // An attribute is signed.
        let run = &recorder.spans()[0];
        assert_eq!(run.name, "clerk");
        assert_eq!(run.attributes.int(key::INPUT_TOKENS), Some(i64::MAX));
        assert_eq!(run.attributes.int(key::OUTPUT_TOKENS), Some(i64::MAX));
        assert_eq!(tree(&recorder)[0], "loom.run clerk");
    }
}

#[tokio::test]
async fn agents_and_models_whose_sum_is_too_large_saturate_in_the_root_s_usage() {
    let most = Tokens::new(u64::MAX, u64::MAX);
    let (_, session) = recorded();
    let expert = ScriptedModel::new([Reply::text("42").with_tokens(most)]).named("small");
    let expert = Agent::builder("Know.").named("expert").model(expert);
    let boss = ScriptedModel::new([
        Reply::call("expert", json!({"input": "?"})).with_tokens(most),
        Reply::text("it is 42").with_tokens(Tokens::new(1, 1)),
    ]);
    let boss = Agent::builder("Ask.").model(boss.named("large"));
    let boss = boss.tool(expert.build().unwrap().as_tool());
    let outcome = session.run(&boss.build().unwrap(), "?").await.unwrap();
    assert_eq!(outcome.output, "it is 42");
    let usage = &outcome.usage;
    let sums = (usage.input_tokens, usage.output_tokens);
    assert_eq!(sums, (Some(u64::MAX), Some(u64::MAX)));
}
