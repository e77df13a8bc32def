//! What a tool takes: the schema of its arguments, made from its input's type, and whether they fit.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::name::Name;

/// A tool's input: its schema, and the argument it is wrapped under when it is no object.
#[derive(Clone)]
pub(crate) struct ToolInput {
    schema: Value,
    argument: Name,
    is_wrapped: bool,
    /// Whether fields that aren't named are refused.
    is_closed: bool,
    /// Whether a value makes the input.
    fits: fn(&Value) -> Result<()>,
    checked: Option<Arc<Check>>,
}

type Check = dyn Fn(&Value) -> Result<()> + Send + Sync;

impl ToolInput {
    /// An input of this type.
    pub(crate) fn of<I: JsonSchema + DeserializeOwned>() -> Self {
        let mut schema = schemars::SchemaGenerator::default()
            .into_root_schema_for::<I>()
            .to_value();
        match &mut schema {
            Value::Object(keywords) => {
                keywords.remove("$schema");
            }
            // `true`: the type says nothing of itself.
            _ => schema = json!({}),
        }
        bound_integers(&mut schema);
        Self {
            is_closed: names_all_its_fields(&schema),
            fits: |input| read::<I>(input).map(drop),
            ..Self::given(schema)
        }
    }

    /// An input whose schema is taken as it is; anything but an object's is wrapped.
    pub(crate) fn given(schema: Value) -> Self {
        Self {
            is_wrapped: schema.get("type").and_then(Value::as_str) != Some("object"),
            is_closed: false,
            schema,
            argument: "input".into(),
            fits: |_| Ok(()),
            checked: None,
        }
    }

    pub(crate) fn set_argument(&mut self, argument: Name) {
        self.argument = argument;
    }

    pub(crate) fn set_check(
        &mut self,
        check: impl Fn(&Value) -> Result<()> + Send + Sync + 'static,
    ) {
        self.checked = Some(Arc::new(check));
    }

    /// The schema of the arguments: of an object that allows nothing it doesn't name.
    pub(crate) fn schema(&self) -> Value {
        let mut schema = self.schema.clone();
        if self.is_wrapped {
            return wrap(schema, &self.argument);
        }
        if self.is_closed
            && let Value::Object(keywords) = &mut schema
        {
            keywords
                .entry("additionalProperties")
                .or_insert(Value::Bool(false));
        }
        schema
    }

    /// The input among the arguments.
    pub(crate) fn within<'a>(&self, arguments: &'a Value) -> Result<&'a Value> {
        match self.is_wrapped {
            false => Ok(arguments),
            true => arguments.get(&*self.argument).ok_or_else(|| {
                Error::invalid(format!("the argument {:?} is missing", self.argument))
            }),
        }
    }

    /// Whether arguments that a person changed fit.
    pub(crate) fn check(&self, arguments: &Value) -> Result<()> {
        if let Some(checked) = &self.checked {
            checked(arguments)?;
        }
        (self.fits)(self.within(arguments)?)
    }
}

impl fmt::Debug for ToolInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToolInput")
    }
}

/// Reads an input in place: a call's arguments are never copied.
pub(crate) fn read<I: DeserializeOwned>(input: &Value) -> Result<I> {
    I::deserialize(input).map_err(|e| {
        let message = format!("the arguments don't fit: {e}");
        Error::with_source(ErrorKind::Invalid, message, e)
    })
}

/// Says the bounds of sized integers in words every validator understands, so that a number that
/// doesn't fit is refused before anybody is asked.
fn bound_integers(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            let bounds = keywords
                .get("format")
                .and_then(Value::as_str)
                .and_then(bounds);
            if let Some((minimum, maximum)) = bounds {
                keywords.entry("minimum").or_insert(minimum);
                keywords.entry("maximum").or_insert(maximum);
            }
            keywords.values_mut().for_each(bound_integers);
        }
        Value::Array(items) => items.iter_mut().for_each(bound_integers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

fn bounds(format: &str) -> Option<(Value, Value)> {
    Some(match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" => (0.into(), u8::MAX.into()),
        "uint16" => (0.into(), u16::MAX.into()),
        "uint32" => (0.into(), u32::MAX.into()),
        "uint64" | "uint" => (0.into(), u64::MAX.into()),
        _ => return None,
    })
}

/// Whether an object's schema names every field it allows: one that is composed of others names
/// some of them elsewhere.
fn names_all_its_fields(schema: &Value) -> bool {
    let composed = ["oneOf", "anyOf", "allOf", "$ref", "if", "patternProperties"];
    schema.get("properties").is_some()
        && composed.iter().all(|keyword| schema.get(keyword).is_none())
}

fn wrap(mut schema: Value, argument: &str) -> Value {
    // References point at the root, so definitions stay there.
    let definitions = schema
        .as_object_mut()
        .and_then(|keywords| keywords.remove("$defs"));
    let mut wrapped = json!({
        "type": "object",
        "properties": { argument: schema },
        "required": [argument],
        "additionalProperties": false,
    });
    if let Some(definitions) = definitions {
        wrapped["$defs"] = definitions;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Refund {
        /// Which one.
        invoice: String,
        cents: Option<u32>,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Either {
        Refund(Box<Refund>),
        Nothing,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Delivery {
        invoice: String,
        #[serde(flatten)]
        how: How,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(tag = "how")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum How {
        Fast { by: u8 },
        Slow,
    }

    #[test]
    fn text_is_wrapped_under_the_argument_s_name() {
        let mut input = ToolInput::of::<String>();
        input.set_argument("request".into());
        assert_eq!(
            input.schema(),
            json!({
                "type": "object",
                "properties": {"request": {"type": "string", "title": "string"}},
                "required": ["request"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn a_struct_offers_its_own_fields_and_no_others() {
        assert_eq!(
            ToolInput::of::<Refund>().schema(),
            json!({
                "title": "Refund",
                "type": "object",
                "properties": {
                    "invoice": {"type": "string", "description": "Which one."},
                    "cents": {"type": ["integer", "null"], "format": "uint32", "minimum": 0, "maximum": 4_294_967_295u32},
                },
                "required": ["invoice"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn a_struct_that_names_fields_elsewhere_is_not_closed() {
        let schema = ToolInput::of::<Delivery>().schema();
        assert!(schema.get("properties").is_some(), "{schema}");
        assert!(schema.get("oneOf").is_some(), "{schema}");
        assert_eq!(schema.get("additionalProperties"), None);
    }

    #[test]
    fn a_given_object_is_taken_as_it_is() {
        let given = json!({"type": "object", "properties": {"n": {"format": "uint8"}}});
        assert_eq!(ToolInput::given(given.clone()).schema(), given);
    }

    #[test]
    fn definitions_of_a_wrapped_input_stay_at_the_root() {
        let schema = ToolInput::of::<Either>().schema();
        assert!(
            schema["$defs"]["Refund"]["properties"]["invoice"].is_object(),
            "{schema}"
        );
        assert!(schema["properties"]["input"].get("$defs").is_none());
        assert_eq!(
            ToolInput::of::<Value>().schema()["properties"]["input"],
            json!({"title": "AnyValue"})
        );
    }
}
