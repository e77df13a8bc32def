//! The hashes of the format, and how their bytes are spelled.

use std::fmt;

use ring::digest::{Context, SHA256};
use ring::hmac;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// What stands for "no entry before this one".
pub(crate) const NO_LEAF: Hex<32> = Hex([0; 32]);

/// Bytes that are spelled as lower-case hex digits; at most 32 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hex<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Hex<N> {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        read_hex(text.as_bytes(), &mut bytes)?;
        Some(Self(bytes))
    }
}

impl<const N: usize> Default for Hex<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(2 * N);
        push_hex(&mut text, &self.0);
        f.write_str(&text)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Every entry has four of these: no allocation for them.
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        serializer.serialize_str(std::str::from_utf8(&digits[..2 * N]).unwrap_or_default())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits<const N: usize>;
        impl<const N: usize> Visitor<'_> for Digits<N> {
            type Value = Hex<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} hex digits in lower case", 2 * N)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Hex<N>, E> {
                Hex::read(text).ok_or_else(|| E::custom("not the hex digits that belong here"))
            }
        }
        deserializer.deserialize_str(Digits::<N>)
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Reads lower-case hex digits, two for each byte: no more, no fewer.
pub(crate) fn read_hex(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(())
}

/// The payload's hash, which stands in the header: with the salt, or an erased payload could be
/// found by trying.
pub(crate) fn payload_hash(salt: &Hex<16>, payload: &[u8]) -> Hex<32> {
    sha256(&[&[2], &salt.0, payload])
}

/// The header's hash: the link of the chain, and a leaf of an RFC 6962 tree.
pub(crate) fn leaf(header: &[u8]) -> Hex<32> {
    sha256(&[&[0], header])
}

pub(crate) fn mac(key: &hmac::Key, leaf: &Hex<32>) -> Hex<32> {
    let mut hex = Hex::default();
    hex.0
        .copy_from_slice(hmac::sign(key, &mac_input(leaf)).as_ref());
    hex
}

/// Compares in constant time.
pub(crate) fn mac_fits(key: &hmac::Key, leaf: &Hex<32>, mac: &Hex<32>) -> bool {
    hmac::verify(key, &mac_input(leaf), &mac.0).is_ok()
}

fn mac_input(leaf: &Hex<32>) -> [u8; 44] {
    let mut input = [0; 44];
    let (format, rest) = input.split_at_mut(crate::FORMAT.len());
    format.copy_from_slice(crate::FORMAT.as_bytes());
    rest.copy_from_slice(&leaf.0);
    input
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Hex<32> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    finished(context)
}

pub(crate) fn finished(context: Context) -> Hex<32> {
    let mut hex = Hex::default();
    hex.0.copy_from_slice(context.finish().as_ref());
    hex
}
