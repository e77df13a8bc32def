//! `Header`: the signed part of an entry, the same struct for writing and for reading.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::hash::{Hex, sha256};
use crate::stamp::Stamp;

/// The version of the line's form.
pub(crate) const VERSION: u8 = 1;

const NAME_BYTES_MAX: usize = 256;

/// The signed part of an entry. Its fields stand in the line in this order; what is absent is left
/// out, so that each meaning has one spelling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header<'a> {
    pub(crate) v: u8,
    pub(crate) log: Uuid,
    pub(crate) seq: u64,
    pub(crate) ds: u64,
    pub(crate) ts: Stamp,
    pub(crate) kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prun: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sess: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replayed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<Hex<16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) span: Option<Hex<8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pspan: Option<Hex<8>>,
    pub(crate) prev: Hex<32>,
    pub(crate) ph: Hex<32>,
}

/// What sort of entry it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A row about a run.
    #[default]
    Event,
    /// The first of a log.
    Open,
}

impl Header<'_> {
    /// Appends the header's bytes: from the opening brace to the last field, without the brace
    /// that closes the line.
    pub(crate) fn write(&self, line: &mut Vec<u8>) {
        // Writing to a Vec can't fail, and neither can these fields.
        let _ = serde_json::to_writer(&mut *line, self);
        line.pop();
    }

    /// The entry's event fields, all of which another kind of entry lacks.
    pub(crate) fn is_bare(&self) -> bool {
        let bare = Header {
            v: self.v,
            log: self.log,
            seq: self.seq,
            ds: self.ds,
            ts: self.ts,
            kind: self.kind,
            prev: self.prev,
            ph: self.ph,
            ..Header::default()
        };
        *self == bare
    }
}

/// What `open` entries say.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening<'a> {
    /// Which key signs the entries.
    pub(crate) key: Cow<'a, str>,
    /// [`crate::FORMAT`].
    pub(crate) format: Cow<'a, str>,
    /// The program that writes the log.
    pub(crate) creator: Cow<'a, str>,
}

impl Opening<'_> {
    pub(crate) fn written(&self) -> Vec<u8> {
        // Three texts always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A name of at most 256 bytes: a longer one, which a model may choose for a tool, keeps its
/// beginning and tells the rest by a hash.
pub(crate) fn cut(name: &str) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX {
        return Cow::Borrowed(name);
    }
    let hash = sha256(&[name.as_bytes()]).to_string();
    let tail = format!("…#{}", &hash[..8]);
    let end = name.floor_char_boundary(NAME_BYTES_MAX - tail.len());
    Cow::Owned(format!("{}{tail}", &name[..end]))
}

pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_beginning_and_a_hash() {
        let just_fits = "é".repeat(128);
        assert_eq!(cut(&just_fits), just_fits);
        let (left, right) = ("é".repeat(129), format!("{}x", "é".repeat(128)));
        // printf 'é%.0s' $(seq 129) | sha256sum
        assert_eq!(cut(&left), format!("{}…#{}", "é".repeat(122), "a62bf207"));
        assert!(cut(&left).len() <= NAME_BYTES_MAX);
        assert_ne!(cut(&left), cut(&right));
    }
}
