//! Arguments whose schema names its fields in several places, or isn't ours at all.

use loom_agent::Reply;
use loom_core::{Error, Result, Step, Tool, ToolOutput};
use serde_json::{Value, json};

use crate::recorded::recorded;
use crate::script::{caller, erred, gave};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Tagged {
    id: String,
    #[serde(flatten)]
    how: How,
}

/// Its schema is a `oneOf`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
enum How {
    Fast { by: u64 },
    Slow { until: u64 },
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Untagged {
    id: String,
    #[serde(flatten)]
    when: When,
}

/// Its schema is an `anyOf`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum When {
    Day { day: u64 },
    Week { week: u64 },
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Plain {
    id: String,
}

async fn tagged(args: Tagged) -> Result<String> {
    Ok(match args.how {
        How::Fast { by } => format!("{} fast by {by}", args.id),
        How::Slow { until } => format!("{} slow until {until}", args.id),
    })
}

async fn untagged(args: Untagged) -> Result<String> {
    Ok(match args.when {
        When::Day { day } => format!("{} day {day}", args.id),
        When::Week { week } => format!("{} week {week}", args.id),
    })
}

async fn plain(args: Plain) -> Result<String> {
    Ok(args.id)
}

fn tools() -> [Tool; 3] {
    [
        Tool::new("tagged", "Flattens a tagged enum.", tagged),
        Tool::new("untagged", "Flattens an untagged enum.", untagged),
        Tool::new("plain", "Flattens nothing.", plain),
    ]
}

#[tokio::test]
async fn a_flattened_enum_is_called_with_any_of_its_variants() {
    let (_, session) = recorded();
    let calls = Reply::call("tagged", json!({"id": "a", "how": "fast", "by": 3}))
        .and_call("tagged", json!({"id": "b", "how": "slow", "until": 4}))
        .and_call("untagged", json!({"id": "c", "day": 5}))
        .and_call("untagged", json!({"id": "d", "week": 6}));
    let (agent, shown) = caller(calls, tools());
    session.run(&agent, "?").await.unwrap();
    assert_eq!(
        shown.told(),
        [
            gave("c1", "tagged", "a fast by 3"),
            gave("c2", "tagged", "b slow until 4"),
            gave("c3", "untagged", "c day 5"),
            gave("c4", "untagged", "d week 6"),
        ]
    );
}

#[tokio::test]
async fn a_flattened_enum_is_not_called_with_none_of_its_variants() {
    let (_, session) = recorded();
    let calls = Reply::call("tagged", json!({"id": "a", "how": "fast"}))
        .and_call("tagged", json!({"id": "b", "how": "never", "by": 3}))
        .and_call("tagged", json!({"how": "fast", "by": 3}))
        .and_call("untagged", json!({"id": "c", "day": "soon"}));
    let (agent, shown) = caller(calls, tools());
    session.run(&agent, "?").await.unwrap();
    let told = shown.told();
    assert_eq!(told.len(), 4);
    for result in told {
        assert!(result.is_error, "{result:?}");
        let text = format!(
            "error: the arguments of {:?} don't fit its schema: ",
            result.name
        );
        assert!(result.text.starts_with(&text), "{result:?}");
    }
}

#[tokio::test]
async fn a_plain_struct_beside_them_still_refuses_what_it_does_not_name() {
    let (_, session) = recorded();
    let calls = Reply::call("plain", json!({"id": "a", "how": "fast"}))
        .and_call("plain", json!({"id": "b"}));
    let (agent, shown) = caller(calls, tools());
    session.run(&agent, "?").await.unwrap();
    let misfit = r#"error: the arguments of "plain" don't fit its schema: Additional properties are not allowed ('how' was unexpected)"#;
    assert_eq!(
        shown.told(),
        [erred("c1", "plain", misfit), gave("c2", "plain", "b")]
    );
}

#[tokio::test]
async fn a_given_schema_is_taken_as_it_is_and_allows_what_it_allows() {
    let table = [
        json!({"type": "object", "properties": {"a": {"type": "string"}}}),
        json!({
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "allOf": [{"properties": {"b": {"type": "integer"}}, "required": ["b"]}],
        }),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"b": {"type": "integer", "format": "uint8"}},
            "additionalProperties": {"type": "string"},
        }),
    ];
    let arguments = json!({"a": "x", "b": 1000});
    for schema in table {
        let echo = Step::new(|args: Value| async move { Ok::<_, Error>(ToolOutput::Json(args)) });
        let tool = Tool::with_schema("echo", "Gives it back.", schema.clone(), echo);
        assert_eq!(tool.schema(), schema);
        let (_, session) = recorded();
        let (agent, shown) = caller(Reply::call("echo", arguments.clone()), [tool]);
        session.run(&agent, "?").await.unwrap();
        assert_eq!(
            shown.told(),
            [gave("c1", "echo", &arguments.to_string())],
            "{schema}"
        );
    }
}
