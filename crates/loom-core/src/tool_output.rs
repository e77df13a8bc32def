//! `ToolOutput`: what a tool returns to its model.

use serde_json::Value;

use crate::data::Data;
use crate::error::Result;

/// What a tool returns to its model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolOutput {
    /// Text, as it is.
    Text(String),
    /// Any other value, as JSON.
    Json(Value),
}

impl ToolOutput {
    /// Text stays text, any other value becomes JSON.
    ///
    /// # Errors
    /// `Invalid` for a value that has no JSON form.
    pub fn of(value: &impl Data) -> Result<Self> {
        Self::from_value(value.to_value()?)
    }

    /// The output as the text a model reads.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Json(value) => value.to_string(),
        }
    }
}

impl Data for ToolOutput {
    fn to_value(&self) -> Result<Value> {
        Ok(match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Json(value) => value.clone(),
        })
    }

    fn from_value(value: Value) -> Result<Self> {
        Ok(match value {
            Value::String(text) => Self::Text(text),
            other => Self::Json(other),
        })
    }
}
