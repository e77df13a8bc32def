//! `Name`: what an effect, a step, an agent or a tool is called.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The longest name and the longest id, in bytes.
pub(crate) const ID_BYTES_MAX: usize = 256;

/// A short text that is cloned without copying it: static text or a shared allocation.
///
/// Any text makes a `Name`; [`Name::check`] says whether it may name something in a definition
/// (1 to 256 bytes, no control characters). Definitions check theirs when they are built.
///
/// ```
/// use loom_core::Name;
///
/// let name: Name = "validate".into();
/// assert_eq!(name, "validate");
/// assert!(name.check().is_ok());
/// assert!(Name::from("tab\there").check().is_err());
/// ```
#[derive(Clone)]
pub struct Name(Text);

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Name {
    /// The empty name, which stands for "unnamed".
    pub const EMPTY: Name = Name(Text::Static(""));

    /// The text itself.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }

    /// Whether this may name something in a definition.
    ///
    /// # Errors
    /// `Invalid` for an empty name, one longer than 256 bytes or one with a control character.
    pub fn check(&self) -> Result<()> {
        match defect(self) {
            None => Ok(()),
            Some(defect) => Err(Error::invalid(format!(
                "the name {:?} {defect}",
                shortened(self)
            ))),
        }
    }

    /// The name in at most 256 bytes: a longer one, which a model may have made up, is cut and ends
    /// in `…#` and 8 hex digits of its hash.
    pub(crate) fn cut(self) -> Self {
        use sha2::Digest;

        if self.len() <= ID_BYTES_MAX {
            return self;
        }
        let hash = crate::hex::hex(&sha2::Sha256::digest(self.as_bytes())[..4]);
        let end = self.floor_char_boundary(ID_BYTES_MAX - hash.len() - "…#".len());
        format!("{}…#{hash}", &self[..end]).into()
    }

    /// This name, or the other one where this is empty.
    pub(crate) fn or_else(self, other: impl FnOnce() -> Name) -> Name {
        if self.is_empty() { other() } else { self }
    }
}

/// What keeps `text` from being a name or an id, in words, or `None`.
pub(crate) fn defect(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("is empty")
    } else if text.len() > ID_BYTES_MAX {
        Some("is longer than 256 bytes")
    } else if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        // Nearly every name, and every effect's is looked at: bytes are quicker than letters.
        None
    } else if text.chars().any(char::is_control) {
        Some("has a control character")
    } else {
        None
    }
}

/// At most 40 characters of `text`, for messages.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<&'static str> for Name {
    fn from(text: &'static str) -> Self {
        Self(Text::Static(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(Text::Shared(text.into()))
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        name.clone()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Name::from)
    }
}
