//! What bodies are given and what they give, as short text that shows where it comes from.

use serde_json::Value;

/// What a body was given, written down: its input alone, or all of them with their sources.
pub(crate) fn inputs<'a>(
    joins: bool,
    items: impl IntoIterator<Item = (&'a str, &'a Value)>,
) -> String {
    let item = |(source, value): (&str, &Value)| match joins {
        true => format!("{source}={}", plain(value)),
        false => plain(value),
    };
    items.into_iter().map(item).collect::<Vec<_>>().join(" ")
}

/// What a body gives: who it is, the visit, and a hash of what it was given, as the whole of it
/// would double in every pass of a loop.
pub(crate) fn output(node: &str, visit: u32, inputs: &str) -> String {
    let mixed = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    let hash = inputs.bytes().fold(2_166_136_261, mixed);
    format!("{node}#{visit}:{hash:08x}")
}

/// The visit that a router sees in what a node gave; 1 where none is named.
pub(crate) fn visit_in(text: &str) -> u32 {
    let after = text.split_once('#').map_or("", |(_, after)| after);
    let digits = after.chars().take_while(char::is_ascii_digit);
    digits.collect::<String>().parse().unwrap_or(1)
}

/// Text as it is, anything else as JSON: what a router sees.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
