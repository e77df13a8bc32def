//! What JSON can't bring back, and where in the value it stands.

use std::fmt::{self, Display};

use serde::ser::{Error, Serialize};
use serde_json::Value;

/// Why a value can't be written as JSON. Boxed, so that the results of a walk stay small.
#[derive(Debug)]
pub(in crate::data) struct Fault(Box<Found>);

#[derive(Debug)]
struct Found {
    what: What,
    /// The way to it, from the inside out.
    place: Vec<Segment>,
}

#[derive(Debug)]
enum What {
    /// A value of which this is true.
    Is(String),
    /// What serde or the value's own code said.
    Custom(String),
    /// The value as a whole is nested deeper than this.
    Deep(usize),
}

/// One step of the way to a value's part.
#[derive(Debug)]
pub(super) enum Segment {
    Index(usize),
    Field(String),
}

impl Segment {
    pub(super) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    /// The segment of a map's entry.
    pub(super) fn key<K: Serialize + ?Sized>(key: &K) -> Self {
        Self::Field(match serde_json::to_value(key) {
            Ok(Value::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(_) => "?".to_owned(),
        })
    }
}

impl Fault {
    fn new(what: What) -> Self {
        Self(Box::new(Found {
            what,
            place: Vec::new(),
        }))
    }

    pub(super) fn not_finite(value: impl Display) -> Self {
        Self::new(What::Is(format!("is {value}, which JSON can't hold")))
    }

    /// A `Some` of what JSON writes as null.
    pub(super) fn lost(written: &str) -> Self {
        let what = format!("is `Some({written})`, which is read back as `None`");
        Self::new(What::Is(what))
    }

    pub(super) fn deep(depth_max: usize) -> Self {
        Self::new(What::Deep(depth_max))
    }

    /// The fault as the whole sees it, which holds what is at fault at this segment.
    pub(super) fn inside(mut self, segment: Segment) -> Self {
        if !matches!(self.0.what, What::Deep(_)) {
            self.0.place.push(segment);
        }
        self
    }
}

/// How many characters of a map's key a message shows.
const KEY_CHARS_MAX: usize = 64;

impl Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.place.iter().rev().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Field(name) if is_plain(name) => {
                    let dot = if i == 0 { "" } else { "." };
                    write!(f, "{dot}{name}")?;
                }
                Segment::Field(name) => match name.char_indices().nth(KEY_CHARS_MAX) {
                    Some((end, _)) => write!(f, "[{:?}…]", &name[..end])?,
                    None => write!(f, "[{name:?}]")?,
                },
            }
        }
        Ok(())
    }
}

/// Whether it can stand behind a dot.
fn is_plain(name: &str) -> bool {
    (1..=KEY_CHARS_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'_')
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.0;
        match (&self.0.what, self.0.place.is_empty()) {
            (What::Is(what), true) => write!(f, "it {what}"),
            (What::Is(what), false) => write!(f, "`{place}` {what}"),
            (What::Custom(what), true) => f.write_str(what),
            (What::Custom(what), false) => write!(f, "`{place}`: {what}"),
            (What::Deep(depth_max), _) => {
                write!(f, "it is nested deeper than {depth_max} levels")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: Display>(what: T) -> Self {
        Self::new(What::Custom(what.to_string()))
    }
}
