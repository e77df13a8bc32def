//! What a workflow as a tool says of itself, and that its schema follows from its input.

use loom_core::Result;
use loom_workflow::Workflow;
use serde_json::json;

/// What to pay back.
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Refund {
    /// Which one.
    invoice: String,
    cents: Option<u32>,
}

async fn say(text: String) -> Result<String> {
    Ok(text)
}

async fn refund(it: Refund) -> Result<String> {
    Ok(it.invoice)
}

#[test]
fn text_is_one_argument_by_the_name_input() {
    let tool = Workflow::chain("refund_flow").then(say).build().as_tool();
    assert_eq!(tool.name(), "refund_flow");
    assert_eq!(tool.description(), "Run the `refund_flow` workflow.");
    assert!(!tool.is_destructive());
    assert!(!tool.is_sequential());
    assert_eq!(
        tool.schema(),
        json!({
            "type": "object",
            "properties": {"input": {"type": "string", "title": "string"}},
            "required": ["input"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn a_struct_offers_its_own_fields() {
    let tool = Workflow::chain("refund").then(refund).build().as_tool();
    let schema = json!({
        "title": "Refund",
        "description": "What to pay back.",
        "type": "object",
        "properties": {
            "invoice": {"type": "string", "description": "Which one."},
            "cents": {"type": ["integer", "null"], "format": "uint32", "minimum": 0, "maximum": u32::MAX},
        },
        "required": ["invoice"],
        "additionalProperties": false,
    });
    assert_eq!(tool.schema(), schema);
    // A struct has argument names of its own.
    assert_eq!(tool.input_arg("request").schema(), schema);
}

#[test]
fn anything_else_is_wrapped_under_the_argument_s_name() {
    async fn sum(numbers: Vec<u32>) -> Result<u32> {
        Ok(numbers.iter().sum())
    }
    let tool = Workflow::chain("sum").then(sum).build().as_tool();
    assert_eq!(
        tool.input_arg("numbers").schema(),
        json!({
            "type": "object",
            "properties": {
                "numbers": {
                    "title": "Array_of_uint32",
                    "type": "array",
                    "items": {"type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX},
                }
            },
            "required": ["numbers"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn a_route_is_a_tool_too() {
    let route = Workflow::route("support", say).on("tech", say).build();
    let tool = route.unwrap().as_tool();
    assert_eq!(tool.name(), "support");
    assert_eq!(tool.schema()["required"], json!(["input"]));
}

#[test]
fn a_tool_can_be_called_described_and_marked_otherwise() {
    let tool = Workflow::chain("refund_flow")
        .then(say)
        .build()
        .as_tool()
        .named("refund")
        .described("Pays money back.")
        .input_arg("invoice")
        .destructive()
        .sequential();
    assert_eq!(tool.name(), "refund");
    assert_eq!(tool.description(), "Pays money back.");
    assert!(tool.is_destructive());
    assert!(tool.is_sequential());
    assert_eq!(
        tool.schema(),
        json!({
            "type": "object",
            "properties": {"invoice": {"type": "string", "title": "string"}},
            "required": ["invoice"],
            "additionalProperties": false,
        })
    );
}
