//! The loop: turns from 0, the whole conversation every turn, an answer or the cap.

use std::sync::{Arc, Mutex};

use loom_agent::{Agent, FnModel, Message, Prompt, Reply, Request, ToolSpec};
use loom_core::{ErrorKind, Happened, Result, RunErrorKind, Tool, key};
use serde_json::json;

use crate::recorded::{recorded, tree};
use crate::script::{caller, gave, script};

async fn lookup(invoice: String) -> Result<String> {
    Ok(format!("{invoice} is paid"))
}

fn lookup_tool() -> Tool {
    Tool::new("lookup", "Finds an invoice.", lookup).input_arg("invoice")
}

#[tokio::test]
async fn an_agent_takes_turns_from_0_until_it_answers() {
    let (recorder, session) = recorded();
    let (agent, _) = caller(
        Reply::call("lookup", json!({"invoice": "INV-1"})),
        [lookup_tool()],
    );
    let outcome = session.run(&agent, "Is INV-1 paid?").await.unwrap();
    assert_eq!(outcome.output, "done");
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool lookup",
            "  loom.turn 1",
            "    loom.model.stream scripted",
        ]
    );
}

#[tokio::test]
async fn the_model_is_shown_the_whole_conversation_every_turn() {
    let (_, session) = recorded();
    let mut first = Reply::call("lookup", json!({"invoice": "INV-1"}));
    first.text = "Let me see.".into();
    let second = Reply::call("lookup", json!({"invoice": "INV-2"}))
        .and_call("lookup", json!({"invoice": "INV-3"}));
    let (model, shown) = script([first.clone(), second.clone(), Reply::text("All paid.")]);
    let agent = Agent::builder("Help.").model(model).tool(lookup_tool());
    let agent = agent.build().unwrap();
    let outcome = session.run(&agent, "Are they paid?").await.unwrap();
    assert_eq!(outcome.output, "All paid.");

    let conversation = [
        Message::User(Prompt::from("Are they paid?")),
        Message::Assistant(first),
        Message::Tools(vec![gave("c1", "lookup", "INV-1 is paid")]),
        Message::Assistant(second),
        Message::Tools(vec![
            gave("c1", "lookup", "INV-2 is paid"),
            gave("c2", "lookup", "INV-3 is paid"),
        ]),
    ];
    assert_eq!(
        shown.conversations(),
        [&conversation[..1], &conversation[..3], &conversation[..]]
    );
}

#[tokio::test]
async fn the_model_is_shown_the_instructions_and_the_tools_every_turn() {
    type Seen = Arc<Mutex<Vec<(String, Vec<ToolSpec>)>>>;
    let (_, session) = recorded();
    let seen = Seen::default();
    let kept = seen.clone();
    let model = FnModel::new("reader", move |request: &Request<'_>| {
        let mut kept = kept.lock().unwrap();
        kept.push((request.instructions.to_owned(), request.tools.to_vec()));
        Ok(match request.tool_results() {
            [] => Reply::call("lookup", json!({"invoice": "INV-1"})),
            results => Reply::text(results[0].text.clone()),
        })
    });
    let agent = Agent::builder("Answer.").model(model).tool(lookup_tool());
    session.run(&agent.build().unwrap(), "?").await.unwrap();

    let seen = seen.lock().unwrap();
    let (instructions, tools) = &seen[0];
    assert_eq!(instructions, "Answer.");
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0].name, "lookup");
    assert_eq!(tools[0].description, "Finds an invoice.");
    assert_eq!(tools[0].schema, lookup_tool().schema());
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1], seen[0]);
}

#[tokio::test]
async fn a_reply_without_calls_is_the_answer_even_if_it_is_empty() {
    let (recorder, session) = recorded();
    let (model, _) = script([Reply::text("")]);
    let agent = Agent::builder("Say nothing.").model(model).build().unwrap();
    assert_eq!(session.run(&agent, "?").await.unwrap().output, "");
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream scripted",
        ]
    );
}

#[tokio::test]
async fn a_run_that_needs_more_turns_than_it_has_is_interrupted() {
    let (recorder, session) = recorded();
    let again = || Reply::call("lookup", json!({"invoice": "INV-1"}));
    let (model, _) = script([again(), again(), Reply::text("too late")]);
    let agent = Agent::builder("Help.").named("helper").turns_max(2);
    let agent = agent.model(model).tool(lookup_tool()).build().unwrap();

    let error = session.run(&agent, "?").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.to_string(), "helper: turns_max 2 reached");
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert_eq!(error.report().unwrap().usage.model_calls, 2);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run helper ✗ interrupted",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool lookup",
            "  loom.turn 1",
            "    loom.model.stream scripted",
            "    loom.tool lookup",
        ]
    );
}

#[tokio::test]
async fn the_reached_cap_is_noted_in_the_run_s_span_with_its_name_and_value() {
    let (recorder, session) = recorded();
    let (model, _) = script([Reply::call("lookup", json!({"invoice": "INV-1"}))]);
    let agent = Agent::builder("Help.").model(model).tool(lookup_tool());
    let agent = agent.turns_max(1).build().unwrap();
    session.run(&agent, "?").await.unwrap_err();

    let notes: Vec<_> = recorder
        .events()
        .into_iter()
        .filter_map(|event| match event.what {
            Happened::Noted { note, attributes } => Some((event.path, note, attributes)),
            _ => None,
        })
        .collect();
    let facts = loom_core::Attributes::new()
        .with(key::LIMIT, "turns_max")
        .with(key::VALUE, 1u64);
    assert_eq!(notes, [("agent".to_owned(), "limit_reached", facts)]);
}

#[tokio::test]
async fn the_last_turn_there_is_may_answer() {
    let (_, session) = recorded();
    let (model, _) = script([
        Reply::call("lookup", json!({"invoice": "INV-1"})),
        Reply::text("just in time"),
    ]);
    let agent = Agent::builder("Help.").model(model).tool(lookup_tool());
    let agent = agent.turns_max(2).build().unwrap();
    let outcome = session.run(&agent, "?").await.unwrap();
    assert_eq!(outcome.output, "just in time");
}
