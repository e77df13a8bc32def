//! The turn loop: ask the model, call the tools it wants, until it answers.

use std::sync::{Arc, Mutex, PoisonError};

use loom_core::{AttrValue, Data, Effect, Result, RunContext, key};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::Definition;
use crate::message::{Message, Reply, ToolCall, ToolResult};
use crate::model::Request;
use crate::prompt::Prompt;

/// What one turn added to the conversation.
#[derive(Serialize, Deserialize)]
struct Turn {
    reply: Reply,
    results: Vec<ToolResult>,
}

/// The answer to a prompt, in at most `turns_max` turns.
pub(crate) async fn answer(agent: &Definition, cx: &RunContext, prompt: Prompt) -> Result<String> {
    let mut messages = vec![Message::User(prompt)];
    let spent = Mutex::new(Spent::default());
    // What was recorded of the turns holds for this prompt and for no other.
    let mut asked = if cx.has_journal() {
        Some(Arc::new(prompt_of(&messages)?))
    } else {
        None
    };
    for turn in 0..agent.turns_max {
        let asked = asked.take();
        let mut effect = Effect::turn(turn);
        if let Some(asked) = &asked {
            effect = effect.with_input(asked.clone());
        }
        let Turn { reply, results } = cx
            .perform(effect, (), |turn_cx, ()| {
                let request = Request::new(&agent.instructions, &messages, agent.toolbox.specs());
                let spent = &spent;
                async move {
                    let reply = ask_model(agent, &turn_cx, request, asked).await?;
                    // Before the tools run, so that a run they end still says what it took.
                    Spent::record(spent, cx, turn + 1, &reply);
                    let results = agent.toolbox.call_all(&turn_cx, &reply.calls).await?;
                    Ok(Turn { reply, results })
                }
            })
            .await?;
        // A turn that was recorded by an earlier attempt didn't do so itself.
        Spent::record(&spent, cx, turn + 1, &reply);
        if reply.calls.is_empty() {
            return Ok(reply.text);
        }
        messages.push(Message::Assistant(reply));
        messages.push(Message::Tools(results));
    }
    Err(cx.limit_reached("turns_max", agent.turns_max.into()))
}

fn prompt_of(messages: &[Message]) -> Result<Value> {
    match messages {
        [Message::User(prompt), ..] => prompt.to_value(),
        _ => Ok(Value::Null),
    }
}

/// One call of the model; `asked` is what its record holds for, where there is one.
async fn ask_model(
    agent: &Definition,
    cx: &RunContext,
    request: Request<'_>,
    asked: Option<Arc<Value>>,
) -> Result<Reply> {
    let mut effect = agent.call.clone();
    if let Some(asked) = asked {
        effect = effect.with_input(asked);
    }
    let limits = cx.limits();
    if limits.tokens_max.is_some() || limits.cost_micro_usd_max.is_some() {
        effect = effect.reserving(request.tokens_estimate(), 0);
    }
    cx.perform(effect, (), |cx, ()| async move {
        let mut reply = agent.model.stream(&cx, &request).await?;
        reply.calls.iter_mut().for_each(ToolCall::refuse_depth);
        cx.spend(reply.tokens);
        record(&cx, key::INPUT_TOKENS, reply.tokens.input);
        record(&cx, key::OUTPUT_TOKENS, reply.tokens.output);
        Ok(reply)
    })
    .await
}

/// What an agent run's own model calls consumed; unknown as soon as one of them doesn't tell.
struct Spent {
    turns: u32,
    input: Option<u64>,
    output: Option<u64>,
}

impl Default for Spent {
    fn default() -> Self {
        Self {
            turns: 0,
            input: Some(0),
            output: Some(0),
        }
    }
}

impl Spent {
    /// Adds what the reply of a turn took, once, and records the sums on the agent's run.
    fn record(spent: &Mutex<Self>, run: &RunContext, turns: u32, reply: &Reply) {
        let mut spent = spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.turns >= turns {
            return;
        }
        spent.turns = turns;
        spent.input = spent
            .input
            .zip(reply.tokens.input)
            .map(|(sum, it)| sum.saturating_add(it));
        spent.output = spent
            .output
            .zip(reply.tokens.output)
            .map(|(sum, it)| sum.saturating_add(it));
        record(run, key::TURNS, Some(turns));
        record(run, key::INPUT_TOKENS, spent.input);
        record(run, key::OUTPUT_TOKENS, spent.output);
    }
}

fn record(cx: &RunContext, name: &'static str, value: Option<impl Into<AttrValue>>) {
    if let Some(value) = value {
        cx.record_one(name, value);
    }
}
