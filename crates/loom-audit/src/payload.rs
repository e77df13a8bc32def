//! `Payload`: the facts of a row, whatever a run puts into them.

use loom_core::{Look, Result};
use serde::Serialize;
use serde_json::Value;

use crate::entry::cut;
use crate::json::{Content, dismantle};

/// The most bytes and levels a payload has as written.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
pub(crate) const PAYLOAD_DEPTH_MAX: usize = 64;

/// Kept free for the facts that are short by themselves, and for two markers: a row has at most
/// two facts of any length.
const SHORT_BYTES_MAX: usize = 16 * 1024;

/// A payload being written: an object of facts in the order they are put.
pub(crate) struct Payload {
    bytes: Vec<u8>,
}

impl Payload {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![b'{'] }
    }

    /// The payload that is made here, or one without facts if making it panics: a row without
    /// facts is worth more than none, since a closing without its opening looks forged.
    pub(crate) fn guarded(make: impl FnOnce() -> Self) -> Self {
        caught(make).unwrap_or_else(Self::new)
    }

    /// A fact that is short by itself: a number, a digest, a word of ours.
    pub(crate) fn short(&mut self, key: &'static str, value: impl Serialize) {
        self.key(key);
        // Writing to a Vec can't fail.
        let _ = serde_json::to_writer(&mut self.bytes, &value);
    }

    /// The fact, if it is known.
    pub(crate) fn known(&mut self, key: &'static str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.short(key, value);
        }
    }

    /// A name, cut if it is long.
    pub(crate) fn name(&mut self, key: &'static str, name: Option<&str>) {
        self.known(key, name.map(cut));
    }

    /// A fact of any length and depth; a marker stands for what doesn't fit.
    pub(crate) fn long(&mut self, key: &'static str, content: Content<'_>) {
        self.key(key);
        let room = (PAYLOAD_BYTES_MAX - SHORT_BYTES_MAX).saturating_sub(self.bytes.len());
        // One level is the payload's own.
        match content.within(room, PAYLOAD_DEPTH_MAX - 1) {
            Some(json) => self.bytes.extend_from_slice(&json),
            None => {
                let _ = serde_json::to_writer(&mut self.bytes, &content.marker());
            }
        }
    }

    /// A value that crossed an edge; why it can't be read stands for one that can't.
    pub(crate) fn looked(&mut self, key: &'static str, value: Option<&dyn Look>) {
        match value.map(|value| unpanicked(|| value.look())) {
            None => (),
            Some(Ok(value)) => {
                self.long(key, Content::Value(&value));
                dismantle(value);
            }
            Some(Err(why)) => self.long(key, Content::Value(&unreadable(&why))),
        }
    }

    /// The length of a value that crossed an edge; left out where it can't be told.
    pub(crate) fn length(&mut self, key: &'static str, value: Option<&dyn Look>) {
        let bytes = value.and_then(|value| unpanicked(|| value.json_bytes()).ok());
        self.known(key, bytes);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(b'}');
        self.bytes
    }

    fn key(&mut self, key: &'static str) {
        if self.bytes.len() > 1 {
            self.bytes.push(b',');
        }
        // Our own keys need no escapes.
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }
}

fn unreadable(why: &str) -> Value {
    serde_json::json!({ "unreadable": why })
}

/// Looks at a value or an error. Users write how their types are serialised and displayed; if that
/// panics, the row must be written all the same.
pub(crate) fn unpanicked<T>(look: impl FnOnce() -> Result<T>) -> Result<T, String> {
    // The error is dropped in there too: it may hold a value of the user's.
    caught(|| look().map_err(|e| e.message().to_owned()))
        .unwrap_or_else(|| Err("it panicked while it was read".to_owned()))
}

/// What this gives, unless it panics.
fn caught<T>(it: impl FnOnce() -> T) -> Option<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(it)) {
        Ok(it) => Some(it),
        Err(panic) => {
            // Dropping what a user panicked with may panic again, out of here.
            std::mem::forget(panic);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn facts_stand_in_the_order_they_were_put() {
        let mut payload = Payload::new();
        payload.short("out", 7);
        payload.known("kind", None::<&str>);
        payload.name("call", Some("c1"));
        payload.long("output", Content::Text("a\"b"));
        assert_eq!(
            String::from_utf8(payload.finish()).unwrap(),
            r#"{"out":7,"call":"c1","output":"a\"b"}"#
        );
        assert_eq!(Payload::new().finish(), b"{}");
    }

    #[test]
    fn what_panics_again_when_it_is_dropped_costs_facts_and_no_row() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(
            unpanicked::<()>(|| std::panic::panic_any(Bomb)),
            Err("it panicked while it was read".to_owned())
        );
        let payload = Payload::guarded(|| std::panic::panic_any(Bomb));
        assert_eq!(payload.finish(), b"{}");
    }

    #[test]
    fn f043_what_does_not_fit_is_told_by_its_length_and_hash() {
        let mut payload = Payload::new();
        payload.long("input", Content::Text(&"x".repeat(100_000_000)));
        let written: Value = serde_json::from_slice(&payload.finish()).unwrap();
        assert_eq!(written["input"]["cut_bytes"], 100_000_002);
    }

    proptest! {
        #[test]
        fn f043_no_two_contents_make_a_payload_too_large(
            name in ".{0,400}",
            left in any::<char>(), left_count in 0usize..70_000,
            right in any::<char>(), right_count in 0usize..70_000,
        ) {
            let mut payload = Payload::new();
            for key in ["call", "model", "provider", "response_model", "response_id"] {
                payload.name(key, Some(&name));
            }
            payload.long("args", Content::Text(&String::from(left).repeat(left_count)));
            payload.long("input", Content::Text(&String::from(right).repeat(right_count)));
            let written = payload.finish();
            prop_assert!(written.len() <= PAYLOAD_BYTES_MAX, "{}", written.len());
            prop_assert!(serde_json::from_slice::<Value>(&written).is_ok());
        }
    }
}
