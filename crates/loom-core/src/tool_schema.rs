//! The schema of a tool's arguments, made from its input's type.

use std::sync::Arc;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::name::Name;

/// The schema of a tool's input, and the argument it is wrapped under when it is no object.
#[derive(Clone)]
pub(crate) struct InputSchema {
    schema: Arc<Value>,
    argument: Name,
    wrapped: bool,
    /// Whether fields that aren't named are refused.
    closed: bool,
}

impl InputSchema {
    /// The schema of a type.
    pub(crate) fn of<I: JsonSchema>() -> Self {
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
        let wrapped = !is_object(&schema);
        Self {
            closed: names_all_its_fields(&schema),
            schema: Arc::new(schema),
            argument: "input".into(),
            wrapped,
        }
    }

    /// A schema that is taken as it is; anything but an object's is wrapped.
    pub(crate) fn given(schema: Value) -> Self {
        let wrapped = !is_object(&schema);
        Self {
            closed: false,
            schema: Arc::new(schema),
            argument: "input".into(),
            wrapped,
        }
    }

    pub(crate) fn set_argument(&mut self, argument: Name) {
        self.argument = argument;
    }

    /// The schema of the arguments: of an object that allows nothing it doesn't name.
    pub(crate) fn schema(&self) -> Value {
        if self.wrapped {
            return wrap((*self.schema).clone(), &self.argument);
        }
        let mut schema = (*self.schema).clone();
        if self.closed
            && let Value::Object(keywords) = &mut schema
        {
            keywords
                .entry("additionalProperties")
                .or_insert(Value::Bool(false));
        }
        schema
    }

    /// The argument under which an input that is no object stands.
    pub(crate) fn argument(&self) -> Option<&Name> {
        self.wrapped.then_some(&self.argument)
    }
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

fn is_object(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
}

fn wrap(mut schema: Value, argument: &str) -> Value {
    // References point at the root, so definitions stay there.
    let definitions = schema
        .as_object_mut()
        .and_then(|keywords| keywords.remove("$defs"));
    let mut wrapped = Map::new();
    wrapped.insert("type".into(), "object".into());
    wrapped.insert("properties".into(), json!({ argument: schema }));
    wrapped.insert("required".into(), json!([argument]));
    wrapped.insert("additionalProperties".into(), Value::Bool(false));
    if let Some(definitions) = definitions {
        wrapped.insert("$defs".into(), definitions);
    }
    Value::Object(wrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Refund {
        /// Which one.
        invoice: String,
        cents: Option<u32>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Either {
        Refund(Box<Refund>),
        Nothing,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Delivery {
        invoice: String,
        #[serde(flatten)]
        how: How,
    }

    #[derive(JsonSchema)]
    #[serde(tag = "how")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum How {
        Fast { by: u8 },
        Slow,
    }

    #[test]
    fn text_is_wrapped_under_the_argument_s_name() {
        let mut input = InputSchema::of::<String>();
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
            InputSchema::of::<Refund>().schema(),
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
        let schema = InputSchema::of::<Delivery>().schema();
        assert!(schema.get("properties").is_some(), "{schema}");
        assert!(schema.get("oneOf").is_some(), "{schema}");
        assert_eq!(schema.get("additionalProperties"), None);
    }

    #[test]
    fn a_given_object_is_taken_as_it_is() {
        let given = json!({"type": "object", "properties": {"n": {"format": "uint8"}}});
        assert_eq!(InputSchema::given(given.clone()).schema(), given);
    }

    #[test]
    fn definitions_of_a_wrapped_input_stay_at_the_root() {
        let schema = InputSchema::of::<Either>().schema();
        assert!(
            schema["$defs"]["Refund"]["properties"]["invoice"].is_object(),
            "{schema}"
        );
        assert!(schema["properties"]["input"].get("$defs").is_none());
        assert_eq!(
            InputSchema::of::<Value>().schema()["properties"]["input"],
            json!({"title": "AnyValue"})
        );
    }
}
