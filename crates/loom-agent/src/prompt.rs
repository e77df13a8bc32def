//! `Prompt`: what an agent is asked.

use loom_core::{Accepts, Data, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an agent is asked: text, or several parts.
///
/// Every value that can be written flows into a prompt: text stays text, anything else becomes
/// JSON. (That is why a prompt itself is not `Serialize`, yet [`Data`].)
///
/// ```
/// use loom_agent::Prompt;
///
/// assert_eq!(Prompt::from("hello").text(), "hello");
/// assert_eq!(Prompt::from(vec![1, 2]).text(), "[1,2]");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    parts: Vec<Part>,
}

/// A part of a [`Prompt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(String),
}

impl Prompt {
    /// A prompt of these parts.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
        }
    }

    /// The parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text of all parts, joined.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .map(|Part::Text(text)| text.as_str())
            .collect()
    }

    fn of_value(value: Value) -> Self {
        Self::new([Part::Text(match value {
            Value::String(text) => text,
            other => other.to_string(),
        })])
    }

    /// A value that can't be written says so instead: an edge can't fail.
    fn of(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => Self::of_value(value),
            Err(error) => Self::new([Part::Text(format!(
                "(a value that can't be written: {error})"
            ))]),
        }
    }
}

impl<T: Serialize> From<T> for Prompt {
    fn from(it: T) -> Self {
        Self::of(&it)
    }
}

impl<T: Serialize + Send + 'static> Accepts<T> for Prompt {
    fn accept(it: T) -> Self {
        Self::of(&it)
    }
}

impl Data for Prompt {
    fn to_value(&self) -> Result<Value> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Ok(Value::String(text.clone())),
            parts => serde_json::to_value(parts).map_err(|e| {
                Error::with_source(ErrorKind::Invalid, "can't write the prompt as JSON", e)
            }),
        }
    }

    fn from_value(value: Value) -> Result<Self> {
        match Vec::<Part>::deserialize(&value) {
            Ok(parts) => Ok(Self { parts }),
            Err(_) => Ok(Self::of_value(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_survives_being_recorded() {
        let several = Prompt::new([Part::Text("a".into()), Part::Text("b".into())]);
        for prompt in [
            Prompt::from("text"),
            Prompt::from(7),
            several,
            Prompt::default(),
        ] {
            assert_eq!(
                Prompt::from_value(prompt.to_value().unwrap()).unwrap(),
                prompt
            );
        }
    }

    #[test]
    fn a_value_that_has_no_json_form_still_crosses() {
        let keys_that_are_not_text = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(
            Prompt::from(keys_that_are_not_text).text(),
            "(a value that can't be written: key must be a string)"
        );
    }
}
