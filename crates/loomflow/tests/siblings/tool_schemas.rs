//! What a tool asks of a model: never whose it is. The user and the session come from the run.

use loomflow::{Agent, EchoModel, Error, RunContext, Tool, UserId, Workflow};
use serde_json::Value;

#[derive(serde::Deserialize, schemars::JsonSchema, serde::Serialize)]
struct Refund {
    invoice: String,
    cents: u32,
}

async fn pay(cx: RunContext, refund: Refund) -> Result<String, Error> {
    let user = cx.user().map(UserId::as_str).unwrap_or_default();
    let session = cx.session_id();
    let Refund { invoice, cents } = refund;
    Ok(format!("{cents} of {invoice} to {user} in {session}"))
}

async fn greet(cx: RunContext, text: String) -> Result<String, Error> {
    Ok(format!("{text} {:?}", cx.user()))
}

/// The names of all properties, however deep.
fn properties(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(keywords) => {
            let here = keywords.get("properties").and_then(Value::as_object);
            let here = here.into_iter().flat_map(|it| it.keys().cloned());
            here.chain(keywords.values().flat_map(properties)).collect()
        }
        Value::Array(items) => items.iter().flat_map(properties).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn user_and_session_ids_never_stand_in_a_tool_s_schema() {
    let agent = Agent::builder("Help.").named("clerk").model(EchoModel);
    let agent = agent.tool(Tool::new("pay", "Pays.", pay)).build().unwrap();
    let of_text: Workflow<String, String> = Workflow::chain("of_text")
        .then(greet)
        .then(agent.clone())
        .build();
    let of_struct: Workflow<Refund, String> = Workflow::chain("of_struct").then(pay).build();
    let table = [
        (Tool::new("pay", "Pays.", pay), vec!["cents", "invoice"]),
        (Tool::new("greet", "Greets.", greet), vec!["input"]),
        (of_text.as_tool(), vec!["input"]),
        (of_struct.as_tool(), vec!["cents", "invoice"]),
        (agent.as_tool(), vec!["input"]),
    ];
    for (tool, expected) in table {
        let schema = tool.schema();
        let mut found = properties(&schema);
        found.sort_unstable();
        assert_eq!(found, expected, "{schema}");
        for id in ["user", "user_id", "session", "session_id"] {
            assert!(!found.iter().any(|it| it == id), "{schema}");
        }
        // Nor may a model add them.
        assert_eq!(schema["additionalProperties"], false, "{schema}");
    }
}
