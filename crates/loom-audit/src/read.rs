//! Reading a line: it is taken only if it is, byte for byte, what a writer writes.

use serde::de::IgnoredAny;

use crate::entry::Header;
use crate::hash::{Hex, leaf};

/// A line that was read: in the form of the format, though perhaps not true.
pub(crate) struct Entry<'a> {
    pub(crate) header: Header<'static>,
    /// The hash of the header's bytes as they stand in the line.
    pub(crate) leaf: Hex<32>,
    pub(crate) mac: Hex<32>,
    /// The salt and the payload's bytes; both or neither.
    pub(crate) content: Option<(Hex<16>, &'a str)>,
}

/// Why a line isn't an entry, and how many bytes into it that shows.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It isn't even JSON: what a crash or a bad disk leaves behind.
    Broken(usize, String),
    /// It is JSON that no writer wrote: what no crash leaves behind.
    Altered(usize, String),
}

impl<'a> Entry<'a> {
    /// Reads a line without its line feed.
    pub(crate) fn read(line: &'a [u8]) -> Result<Self, Unread> {
        let text = std::str::from_utf8(line)
            .map_err(|e| Unread::Broken(e.valid_up_to(), "it isn't UTF-8".into()))?;
        // The text can't occur inside a JSON string, and no key of the header is spelled so.
        let Some(end) = text.find(",\"mac\"") else {
            return Err(altered(text, 0, "it has no mac"));
        };
        let (signed, seal) = text.split_at(end);
        let header = read_header(signed).map_err(|(at, why)| altered(text, at, &why))?;
        let Some((mac, content)) = read_seal(seal) else {
            return Err(altered(
                text,
                end,
                "after the header it isn't a mac, a salt and a payload",
            ));
        };
        Ok(Self {
            header,
            leaf: leaf(signed.as_bytes()),
            mac,
            content,
        })
    }
}

fn altered(text: &str, at: usize, why: &str) -> Unread {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Unread::Altered(at, why.to_owned()),
        Err(e) => Unread::Broken(e.column().saturating_sub(1), format!("it isn't JSON: {e}")),
    }
}

fn read_header(signed: &str) -> Result<Header<'static>, (usize, String)> {
    let whole = format!("{signed}}}");
    let header: Header<'static> =
        serde_json::from_str(&whole).map_err(|e| (e.column().saturating_sub(1), e.to_string()))?;
    let mut again = Vec::with_capacity(signed.len());
    header.write(&mut again);
    if again == signed.as_bytes() {
        return Ok(header);
    }
    let same = again.iter().zip(signed.as_bytes());
    let at = same.take_while(|(left, right)| left == right).count();
    Err((at, "it isn't spelled as a writer spells it".into()))
}

type Seal<'a> = (Hex<32>, Option<(Hex<16>, &'a str)>);

/// The part after the header: `,"mac":"…","salt":"…","payload":{…}}`, or `,"mac":"…"}` where the
/// payload was erased.
fn read_seal(seal: &str) -> Option<Seal<'_>> {
    let (mac, rest) = seal.strip_prefix(",\"mac\":\"")?.split_at_checked(64)?;
    let mac = Hex::read(mac)?;
    if rest == "\"}" {
        return Some((mac, None));
    }
    let (salt, rest) = rest.strip_prefix("\",\"salt\":\"")?.split_at_checked(32)?;
    let payload = rest.strip_prefix("\",\"payload\":")?.strip_suffix('}')?;
    let object = payload.starts_with('{') && payload.ends_with('}');
    if !object || serde_json::from_str::<IgnoredAny>(payload).is_err() {
        return None;
    }
    Some((mac, Some((Hex::read(salt)?, payload))))
}
