//! JSON of any depth and size: written and dropped without recursion, measured, digested, cut.

use std::io::{self, Write};

use ring::{digest, hmac};
use serde::Serialize;
use serde_json::{Value, map};

use crate::hash::{Hex, finished, push_hex};

/// How much of a value that is cut stays readable.
const HEAD_BYTES_MAX: usize = 512;

/// A value that may be too deep or too large to be written down.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    Value(&'a Value),
    Text(&'a str),
}

impl Content<'_> {
    /// Its JSON, if that has at most so many bytes and levels.
    pub(crate) fn within(self, bytes_max: usize, depth_max: usize) -> Option<Vec<u8>> {
        let mut kept = Bounded {
            bytes: Vec::new(),
            max: bytes_max,
        };
        self.write(&mut kept, depth_max).ok()?;
        Some(kept.bytes)
    }

    /// What is written instead of a value that doesn't fit.
    pub(crate) fn marker(self) -> Marker {
        let mut sink = Measure::new();
        // A sink that only measures can't fail.
        let _ = self.write(&mut sink, usize::MAX);
        Marker {
            cut_bytes: sink.bytes,
            sha256: finished(sink.hash),
            head: whole_characters(&sink.head),
        }
    }

    /// How many bytes its JSON has.
    pub(crate) fn json_bytes(self) -> u64 {
        let mut count = Count(0);
        let _ = self.write(&mut count, usize::MAX);
        count.0
    }

    /// A short digest that only who has the key can try values against.
    pub(crate) fn digest(self, key: &hmac::Key) -> String {
        let mut sink = Keyed(hmac::Context::with_key(key));
        let _ = self.write(&mut sink, usize::MAX);
        let mut digest = String::with_capacity(16);
        push_hex(&mut digest, &sink.0.sign().as_ref()[..8]);
        digest
    }

    fn write(self, sink: &mut impl Write, depth_max: usize) -> io::Result<()> {
        match self {
            Self::Value(value) => write_value(value, sink, depth_max),
            Self::Text(text) => write_leaf(&text, sink),
        }
    }
}

/// Stands where a value was cut: its length and hash, and how its JSON begins.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Marker {
    cut_bytes: u64,
    sha256: Hex<32>,
    head: String,
}

/// An array or object whose items are being written.
enum Open<'a> {
    Array(std::slice::Iter<'a, Value>),
    Object(map::Iter<'a>),
}

/// Writes the same bytes as serde_json. A run chooses how deep a value is, and recursion into a
/// deep one would end the process.
fn write_value(value: &Value, sink: &mut impl Write, depth_max: usize) -> io::Result<()> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut value = value;
    loop {
        let opened = match value {
            Value::Array(items) => {
                sink.write_all(b"[")?;
                open.push(Open::Array(items.iter()));
                true
            }
            Value::Object(fields) => {
                sink.write_all(b"{")?;
                open.push(Open::Object(fields.iter()));
                true
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                write_leaf(value, sink)?;
                false
            }
        };
        if open.len() > depth_max {
            return Err(io::Error::other("deeper than it may be"));
        }
        match next_item(&mut open, opened, sink)? {
            Some(item) => value = item,
            None => return Ok(()),
        }
    }
}

/// Closes what has no further item; gives the next item of what is then innermost, with the comma
/// and the key before it written, or `None` when all is closed.
fn next_item<'a>(
    open: &mut Vec<Open<'a>>,
    mut first: bool,
    sink: &mut impl Write,
) -> io::Result<Option<&'a Value>> {
    while let Some(innermost) = open.last_mut() {
        let (key, item, close) = match innermost {
            Open::Array(items) => (None, items.next(), b"]"),
            Open::Object(fields) => match fields.next() {
                Some((key, item)) => (Some(key), Some(item), b"}"),
                None => (None, None, b"}"),
            },
        };
        if let Some(item) = item {
            if !first {
                sink.write_all(b",")?;
            }
            if let Some(key) = key {
                write_leaf(key, sink)?;
                sink.write_all(b":")?;
            }
            return Ok(Some(item));
        }
        sink.write_all(close)?;
        open.pop();
        first = false;
    }
    Ok(None)
}

/// Drops a value without recursion, which dropping it as it is would need.
pub(crate) fn dismantle(value: Value) {
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(fields) => rest.extend(fields.into_iter().map(|(_, item)| item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
        }
    }
}

fn write_leaf(leaf: &(impl Serialize + ?Sized), sink: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(sink, leaf).map_err(io::Error::from)
}

/// The text of bytes that may end within a character.
fn whole_characters(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default(),
    };
    text.to_owned()
}

struct Bounded {
    bytes: Vec<u8>,
    max: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max {
            return Err(io::Error::other("longer than it may be"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Measure {
    bytes: u64,
    hash: digest::Context,
    head: Vec<u8>,
}

impl Measure {
    fn new() -> Self {
        Self {
            bytes: 0,
            hash: digest::Context::new(&digest::SHA256),
            head: Vec::new(),
        }
    }
}

impl Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        let room = HEAD_BYTES_MAX - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Keyed(hmac::Context);

impl Write for Keyed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_written_as_serde_json_writes_it() {
        for value in [
            json!(null),
            json!("a\"\\/\u{1}\u{2028}é"),
            json!([]),
            json!({}),
            json!([[], {}, [[1]], {"a": {}}]),
            json!({"b": [1, 2.5, -0.0, 1e300, true], "a": {"x": null, "y": ["z", {}]}, "": 0}),
            json!([
                9_007_199_254_740_993_u64,
                u64::MAX,
                i64::MIN,
                f64::MIN_POSITIVE
            ]),
        ] {
            let written = Content::Value(&value).within(usize::MAX, usize::MAX);
            assert_eq!(
                String::from_utf8(written.unwrap()).unwrap(),
                value.to_string()
            );
            assert_eq!(
                Content::Value(&value).json_bytes(),
                value.to_string().len() as u64
            );
        }
    }

    #[test]
    fn bounds_are_kept_to_the_byte_and_the_level() {
        let value = json!([["four"]]);
        let content = Content::Value(&value);
        assert_eq!(content.within(10, 2).unwrap(), br#"[["four"]]"#);
        assert_eq!(content.within(9, 2), None);
        assert_eq!(content.within(10, 1), None);
        assert_eq!(Content::Text("é").within(4, 0).unwrap(), "\"é\"".as_bytes());
    }

    #[test]
    fn f043_a_value_of_any_depth_is_measured_without_recursion() {
        let mut deep = json!(0);
        for _ in 0..100_000 {
            deep = Value::Array(vec![deep]);
        }
        let content = Content::Value(&deep);
        assert_eq!(content.within(1 << 20, 64), None);
        assert_eq!(content.marker().cut_bytes, 200_001);
        assert_eq!(content.marker().head, "[".repeat(512));
        dismantle(deep);
    }

    #[test]
    fn a_marker_says_how_long_the_value_was_and_how_it_began() {
        let text = format!("{}é", "x".repeat(510));
        let marker = Content::Text(&text).marker();
        // printf '"%s"' "$(printf 'x%.0s' $(seq 510))é" | sha256sum
        assert_eq!(
            serde_json::to_value(&marker).unwrap(),
            json!({
                "cut_bytes": 514,
                "sha256": "814cba97a10496697c878c3ca73317c49e2801090ced3e941a7cf8534a77ce0f",
                "head": format!("\"{}", "x".repeat(510)),
            })
        );
    }
}
