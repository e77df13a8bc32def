//! `Expected`: what a log is held to from outside.

use std::collections::HashMap;
use std::str::FromStr;

use loom_core::{Anchor, Error};

use crate::hash::Hex;
use crate::report::Verdict;

/// Where a log is known to have stood: it must reach this far and have this entry there.
///
/// ```
/// use loom_audit::Expected;
/// use loom_core::Anchor;
///
/// let head = "ab".repeat(32);
/// let told: Expected = format!("42:{head}").parse()?;
/// assert_eq!(told, Expected { log: None, size: 42, head: head.clone() });
///
/// let kept: Expected = Anchor { log: "a log".into(), size: 42, head }.into();
/// assert_eq!(kept.log.as_deref(), Some("a log"));
/// assert!("42".parse::<Expected>().is_err());
/// # Ok::<(), loom_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The log's id, where it is known.
    pub log: Option<String>,
    /// How many entries it had.
    pub size: u64,
    /// The hash of the last of them, in hex.
    pub head: String,
}

impl From<Anchor> for Expected {
    fn from(anchor: Anchor) -> Self {
        Self {
            log: Some(anchor.log),
            size: anchor.size,
            head: anchor.head,
        }
    }
}

impl From<&Anchor> for Expected {
    fn from(anchor: &Anchor) -> Self {
        anchor.clone().into()
    }
}

impl FromStr for Expected {
    type Err = Error;

    /// Takes `SIZE:HEAD`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once(':').and_then(|(size, head)| {
            let size = size.parse().ok().filter(|size| *size > 0)?;
            Hex::<32>::read(head)?;
            Some(Self {
                log: None,
                size,
                head: head.to_owned(),
            })
        });
        parsed.ok_or_else(|| {
            Error::invalid(format!(
                "{text:?} isn't SIZE:HEAD: a number of entries from 1, and 64 hex digits in lower case"
            ))
        })
    }
}

/// The anchors of one verification, held against the entries as they pass.
pub(crate) struct Anchors<'a> {
    held: Vec<(&'a Expected, Seen)>,
    /// Which of them are of this size: there may be as many anchors as entries.
    by_size: HashMap<u64, Vec<usize>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Not,
    Same,
    Other,
}

impl<'a> Anchors<'a> {
    pub(crate) fn new(expected: &'a [Expected]) -> Self {
        let mut by_size: HashMap<u64, Vec<usize>> = HashMap::new();
        for (index, it) in expected.iter().enumerate() {
            by_size.entry(it.size).or_default().push(index);
        }
        Self {
            held: expected.iter().map(|it| (it, Seen::Not)).collect(),
            by_size,
        }
    }

    /// An entry passed.
    pub(crate) fn saw(&mut self, seq: u64, leaf: &Hex<32>) {
        let Some(indexes) = self.by_size.get(&seq) else {
            return;
        };
        let leaf = leaf.to_string();
        for index in indexes {
            let (expected, seen) = &mut self.held[*index];
            if *seen != Seen::Other {
                *seen = match expected.head.eq_ignore_ascii_case(&leaf) {
                    true => Seen::Same,
                    false => Seen::Other,
                };
            }
        }
    }

    /// What the anchors say of a log of this id and size, and the size of the largest it extends.
    pub(crate) fn judge(&self, log: Option<&str>, size: u64) -> (Vec<(Verdict, String)>, u64) {
        let mut faults = Vec::new();
        let mut anchored = 0;
        for (expected, seen) in &self.held {
            match fault(expected, *seen, log, size) {
                Some(fault) => faults.push(fault),
                None if *seen == Seen::Same => anchored = anchored.max(expected.size),
                None => (),
            }
        }
        (faults, anchored)
    }
}

fn fault(
    expected: &Expected,
    seen: Seen,
    log: Option<&str>,
    size: u64,
) -> Option<(Verdict, String)> {
    if let (Some(log), Some(other)) = (log, expected.log.as_deref())
        && log != other
    {
        let what = format!("the anchor at {} is of the log {other:?}", expected.size);
        return Some((Verdict::WrongLog, what));
    }
    if expected.size > size {
        let what = format!(
            "an anchor says it had {} entries, and it has {size}",
            expected.size
        );
        return Some((Verdict::Truncated, what));
    }
    (seen == Seen::Other).then(|| {
        let what = format!("entry {} isn't the one an anchor is of", expected.size);
        (Verdict::Forked, what)
    })
}
