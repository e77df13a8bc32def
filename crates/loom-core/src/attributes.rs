//! Attributes: what agents and workflows say about their effects without the core knowing what
//! it means.

use serde::Serialize;

use crate::name::Name;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum AttrValue {
    /// Text.
    Text(Name),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Several texts.
    List(Vec<Name>),
}

macro_rules! from {
    ($($type:ty => |$it:ident| $value:expr),+ $(,)?) => {$(
        impl From<$type> for AttrValue {
            fn from($it: $type) -> Self {
                $value
            }
        }
    )+};
}

from! {
    Name => |it| Self::Text(it),
    &'static str => |it| Self::Text(it.into()),
    String => |it| Self::Text(it.into()),
    bool => |it| Self::Bool(it),
    f64 => |it| Self::Float(it),
    i64 => |it| Self::Int(it),
    u32 => |it| Self::Int(it.into()),
    // Counts beyond 2^63 don't occur; such a number is shown as the largest one there is.
    u64 => |it| Self::Int(i64::try_from(it).unwrap_or(i64::MAX)),
    usize => |it| Self::Int(i64::try_from(it).unwrap_or(i64::MAX)),
    Vec<Name> => |it| Self::List(it),
}

/// Attributes by name, in the order they were added; a later value of a name replaces the earlier.
///
/// ```
/// use loom_core::{Attributes, key};
///
/// let attributes = Attributes::new().with(key::MODEL, "opus").with(key::TURNS_MAX, 50u32);
/// assert_eq!(attributes.text(key::MODEL), Some("opus"));
/// assert_eq!(attributes.int(key::TURNS_MAX), Some(50));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Vec<(&'static str, AttrValue)>);

impl Attributes {
    /// No attributes.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No attributes, with room for this many.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// These attributes and one more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<AttrValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets one attribute.
    pub fn set(&mut self, name: &'static str, value: impl Into<AttrValue>) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => {
                // Effects have two or three, and there are many effects.
                self.0.reserve_exact(1);
                self.0.push((name, value));
            }
        }
    }

    /// Sets all of the others' attributes.
    pub fn extend(&mut self, others: Attributes) {
        for (name, value) in others.0 {
            self.set(name, value);
        }
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&AttrValue> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// The value of a text attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(AttrValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of a whole-number attribute.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(AttrValue::Int(n)) => Some(*n),
            _ => None,
        }
    }

    /// All attributes, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &AttrValue)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attributes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The attribute names that the spine's own crates use among themselves.
///
/// They are neutral: `loom-otel` translates them into the names of telemetry conventions.
pub mod key {
    /// The model an agent or a model call uses.
    pub const MODEL: &str = "model";
    /// Who serves the model.
    pub const PROVIDER: &str = "provider";
    /// The model that answered, in the provider's words.
    pub const RESPONSE_MODEL: &str = "response_model";
    /// The provider's id of the reply.
    pub const RESPONSE_ID: &str = "response_id";
    /// Why the model stopped, in the provider's words.
    pub const FINISH_REASONS: &str = "finish_reasons";
    /// Tokens read by the model.
    pub const INPUT_TOKENS: &str = "input_tokens";
    /// Tokens written by the model.
    pub const OUTPUT_TOKENS: &str = "output_tokens";
    /// The cap on an agent run's turns.
    pub const TURNS_MAX: &str = "turns_max";
    /// The turns an agent run took.
    pub const TURNS: &str = "turns";
    /// Which turn, counted from 0.
    pub const TURN: &str = "turn";
    /// The id by which a model named a tool call.
    pub const CALL_ID: &str = "call_id";
    /// What a tool says of itself.
    pub const DESCRIPTION: &str = "description";
    /// Which visit of a graph's node, counted from 1; without it, which opening of the step's name
    /// below its parent.
    pub const VISIT: &str = "visit";
    /// The name of a limit.
    pub const LIMIT: &str = "limit";
    /// The kind of an error that was handled.
    pub const ERROR_KIND: &str = "error_kind";
    /// How long is waited, in milliseconds.
    pub const WAIT_MS: &str = "wait_ms";
    /// Which attempt, the first being 1.
    pub const ATTEMPT: &str = "attempt";
    /// `off` on a root that runs without the default permissions.
    pub const PERMISSIONS: &str = "permissions";
    /// The name of a question.
    pub const QUESTION: &str = "question";
    /// What comes of doing an effect twice.
    pub const SAFETY: &str = "safety";
    /// Why something is asked for or done.
    pub const REASON: &str = "reason";
    /// The value of a limit.
    pub const VALUE: &str = "value";
}
