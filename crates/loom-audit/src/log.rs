//! `Log`: the entries so far, in memory, and how one more is signed and chained.

use loom_core::Anchor;
use ring::hmac;
use serde::Serialize;
use uuid::Uuid;

use crate::entry::{Header, VERSION};
use crate::hash::{Hex, NO_LEAF, leaf, mac, payload_hash};
use crate::salts::Salts;

/// A log in memory.
pub(crate) struct Log {
    id: Uuid,
    key: hmac::Key,
    salts: Salts,
    bytes: Vec<u8>,
    size: u64,
    head: Hex<32>,
}

impl Log {
    pub(crate) fn new(id: Uuid, key: hmac::Key, salts: Salts) -> Self {
        Self {
            id,
            key,
            salts,
            bytes: Vec::new(),
            size: 0,
            head: NO_LEAF,
        }
    }

    /// Appends an entry: numbers, links, hashes and signs it. The payload is the JSON of an object.
    pub(crate) fn append(&mut self, header: Header<'_>, payload: &[u8]) {
        let salt = Hex((self.salts)());
        let header = Header {
            v: VERSION,
            log: self.id,
            seq: self.size + 1,
            // In memory there is nothing between written and safe.
            ds: self.size,
            prev: self.head,
            ph: payload_hash(&salt, payload),
            ..header
        };
        let line = &mut self.bytes;
        let start = line.len();
        header.write(line);
        self.head = leaf(&line[start..]);
        self.size = header.seq;
        push_field(line, "mac", &mac(&self.key, &self.head));
        push_field(line, "salt", &salt);
        line.extend_from_slice(b",\"payload\":");
        line.extend_from_slice(payload);
        line.extend_from_slice(b"}\n");
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor {
            log: self.id.to_string(),
            size: self.size,
            head: self.head.to_string(),
        }
    }
}

fn push_field(line: &mut Vec<u8>, key: &str, value: &impl Serialize) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"\":");
    // Writing to a Vec can't fail.
    let _ = serde_json::to_writer(line, value);
}
