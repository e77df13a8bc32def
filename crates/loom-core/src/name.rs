//! `Name`: what an effect, a step, an agent or a tool is called.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::error::{Error, Result};

/// The longest name and the longest id, in bytes.
pub(crate) const ID_BYTES_MAX: usize = 256;

/// A short text that is cloned without an allocation.
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
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(SmolStr);

impl Name {
    /// The empty name, which stands for "unnamed".
    pub const EMPTY: Name = Name(SmolStr::new_static(""));

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
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

impl From<&'static str> for Name {
    fn from(text: &'static str) -> Self {
        Self(SmolStr::new_static(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        name.clone()
    }
}

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
