//! What an agent and its model say to each other.

use std::sync::Arc;

use loom_core::{Name, Tokens};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::prompt::Prompt;

/// One message of the conversation with a model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// What the agent was asked.
    User(Prompt),
    /// What the model replied.
    Assistant(Reply),
    /// What its tool calls gave, in the order of the calls.
    Tools(Vec<ToolResult>),
}

impl Message {
    /// How many characters a model reads of it, about.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::User(prompt) => prompt.text().len(),
            Self::Assistant(reply) => {
                let calls = reply
                    .calls
                    .iter()
                    .map(|it| it.name.len() + it.arguments.to_string().len());
                reply.text.len() + calls.sum::<usize>()
            }
            Self::Tools(results) => results.iter().map(|it| it.text.len()).sum(),
        }
    }
}

/// What a model replied: text, tool calls, or both. Without calls it is the answer.
///
/// ```
/// use loom_agent::Reply;
/// use loom_core::Tokens;
/// use serde_json::json;
///
/// let reply = Reply::call("lookup", json!({"invoice": "INV-1"}))
///     .and_call("lookup", json!({"invoice": "INV-2"}))
///     .with_tokens(Tokens::new(120, 30));
/// assert_eq!(reply.calls[1].id, "c2");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reply {
    /// The text.
    pub text: String,
    /// The tools it wants called.
    #[serde(default)]
    pub calls: Vec<ToolCall>,
    /// What the call consumed, by the provider's own numbers.
    #[serde(default)]
    pub tokens: Tokens,
}

impl Reply {
    /// An answer.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A reply that calls a tool.
    pub fn call(name: impl Into<Name>, arguments: Value) -> Self {
        Self::default().and_call(name, arguments)
    }

    /// The same reply with one more call. Calls made this way have the ids `c1`, `c2` and so on.
    #[must_use]
    pub fn and_call(mut self, name: impl Into<Name>, arguments: Value) -> Self {
        let id = format!("c{}", self.calls.len() + 1).into();
        self.calls.reserve_exact(1);
        self.calls.push(ToolCall {
            id,
            name: name.into(),
            arguments: Arc::new(arguments),
        });
        self
    }

    /// The same reply with what it consumed.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }
}

/// A tool that a model wants called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's id, by which the model finds the result.
    pub id: Name,
    /// The tool's name, as the model spelt it.
    pub name: Name,
    /// The arguments; text when they were no JSON.
    pub arguments: Arc<Value>,
}

/// How deep a call's arguments may be nested. The record of the conversation, in which they stand a
/// few levels deeper, must stay readable.
const ARGUMENTS_DEPTH_MAX: usize = 100;

impl ToolCall {
    /// Replaces arguments that nobody should have to look at by a text that says so; no schema of
    /// arguments fits a text.
    pub(crate) fn refuse_depth(&mut self) {
        if !is_within(&self.arguments, ARGUMENTS_DEPTH_MAX) {
            let told = format!("(arguments nested deeper than {ARGUMENTS_DEPTH_MAX} levels)");
            self.arguments = Arc::new(Value::String(told));
        }
    }
}

fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|it| is_within(it, levels - 1)),
        Value::Object(fields) => levels > 0 && fields.values().all(|it| is_within(it, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// What a tool call gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call's id.
    pub call_id: Name,
    /// The tool's name.
    pub name: Name,
    /// The output, or what went wrong, as text for the model.
    pub text: String,
    /// Whether it went wrong.
    pub is_error: bool,
}
