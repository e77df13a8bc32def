//! What a definition means, apart from how it was written down: to tell whether it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::data::Data;
use crate::error::Result;
use crate::hex::hex;
use crate::info::{Info, Kind, Link};
use crate::journal::record::digest;
use crate::name::Name;

/// How many differences are told apart; the others are counted.
const DIFFERENCES_MAX: usize = 5;
/// What lies deeper is told by its hash alone: a value must be no deeper than JSON is read back.
const DEPTH_MAX: usize = 48;

impl Info {
    /// The definition's hash: 64 hex digits that change when what it means changes, and only then.
    ///
    /// Its meaning is the names and kinds of all parts, what their details say, which link leads
    /// from where to where by which label, and, where a part takes several values together, their
    /// order. The order in which parts and other links were declared, wrappers (`.retry(..)`) and its
    /// own name mean nothing, but parts of one name are told apart by their order. The code of functions isn't
    /// seen.
    ///
    /// # Errors
    /// `Invalid` if the definition can't be written as JSON.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    ///
    /// let part = |name: &'static str| Info::new(name, Kind::Function);
    /// let one = Info::new("one", Kind::Workflow).with_parts([part("a"), part("b")]);
    /// let other = Info::new("other", Kind::Workflow).with_parts([part("b"), part("a")]);
    /// assert_eq!(one.definition_hash()?, other.definition_hash()?);
    /// assert_ne!(one.definition_hash()?, one.with_detail("twice").definition_hash()?);
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn definition_hash(&self) -> Result<String> {
        Ok(digest(&Definition::of(self).to_value()?))
    }

    /// What this definition has otherwise than an earlier one, in words; `None` if they mean the
    /// same.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    ///
    /// let part = |name: &'static str| Info::new(name, Kind::Function);
    /// let before = Info::new("it", Kind::Workflow).with_parts([part("load")]);
    /// let now = Info::new("it", Kind::Workflow).with_parts([part("load"), part("reply")]);
    /// assert_eq!(now.difference_from(&before).as_deref(), Some(r#"the part "reply" is new"#));
    /// assert_eq!(now.difference_from(&now), None);
    /// ```
    pub fn difference_from(&self, before: &Info) -> Option<String> {
        Definition::of(self).difference_from(&Definition::of(before))
    }
}

/// A definition in its one form: no order but where order means something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Definition {
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    joins: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parts: BTreeMap<String, Definition>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    links: BTreeSet<Edge>,
    /// The sources of each part that joins, in order; of the end under the empty name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    order: BTreeMap<String, Vec<String>>,
}

/// A link by the names of its parts; the whole's own input and output have none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Edge {
    from: String,
    to: String,
    label: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    otherwise: bool,
    back: bool,
}

impl Definition {
    pub(crate) fn of(info: &Info) -> Self {
        Self::at(info, 0)
    }

    fn at(info: &Info, depth: usize) -> Self {
        let info = unwrapped(info);
        if depth == DEPTH_MAX {
            return Self {
                kind: info.kind.as_str().to_owned(),
                detail: hex(&sha2::Sha256::digest(format!("{:?}", Hashed(info)))),
                ..Self::default()
            };
        }
        let names = names(&info.parts);
        let name = |part: Option<usize>| {
            let name = part.and_then(|i| names.get(i));
            name.cloned().unwrap_or_default()
        };
        let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for link in info.links.iter() {
            let joins = match link.to {
                Some(to) => info.parts.get(to).is_some_and(|part| part.joins),
                None => info.joins,
            };
            if joins {
                order
                    .entry(name(link.to))
                    .or_default()
                    .push(name(link.from));
            }
        }
        let edge = |link: &Link| Edge {
            from: name(link.from),
            to: name(link.to),
            label: link.label.to_string(),
            otherwise: link.otherwise,
            back: link.back,
        };
        Self {
            kind: info.kind.as_str().to_owned(),
            detail: info.detail.to_string(),
            joins: info.joins,
            links: info.links.iter().map(edge).collect(),
            order,
            parts: names
                .iter()
                .cloned()
                .zip(info.parts.iter().map(|part| Self::at(part, depth + 1)))
                .collect(),
        }
    }

    /// What this has otherwise than an earlier one, in words.
    pub(crate) fn difference_from(&self, before: &Self) -> Option<String> {
        let mut found = Vec::new();
        self.compare(before, "", &mut found);
        if found.is_empty() {
            return None;
        }
        let more = found.len().saturating_sub(DIFFERENCES_MAX);
        found.truncate(DIFFERENCES_MAX);
        let mut words = found.join("; ");
        if more > 0 {
            words.push_str(&format!("; and {more} more"));
        }
        Some(words)
    }

    fn compare(&self, before: &Self, path: &str, found: &mut Vec<String>) {
        let whole = if path.is_empty() {
            "it".to_owned()
        } else {
            format!("{path:?}")
        };
        if self.kind != before.kind {
            found.push(format!(
                "{whole} was of kind {}, now {}",
                before.kind, self.kind
            ));
        }
        if self.detail != before.detail {
            let (was, is) = (&before.detail, &self.detail);
            found.push(format!("{whole} said {was:?}, now {is:?}"));
        }
        if self.joins != before.joins {
            let now = if self.joins { "" } else { " no longer" };
            found.push(format!("{whole}{now} takes several values together"));
        }
        self.compare_parts(before, path, found);
        let inside = if path.is_empty() {
            String::new()
        } else {
            format!(" in {path:?}")
        };
        for gone in before.links.difference(&self.links) {
            found.push(format!("the link {gone}{inside} is gone"));
        }
        for new in self.links.difference(&before.links) {
            found.push(format!("the link {new}{inside} is new"));
        }
        if self.links == before.links && self.order != before.order {
            for (part, order) in &self.order {
                let was = before.order.get(part).cloned().unwrap_or_default();
                if was != *order {
                    let part = shown(part, "end");
                    found.push(format!("{part}{inside} took {was:?}, now takes {order:?}"));
                }
            }
        }
    }

    fn compare_parts(&self, before: &Self, path: &str, found: &mut Vec<String>) {
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        };
        for name in before.parts.keys() {
            if !self.parts.contains_key(name) {
                found.push(format!("the part {:?} is gone", below(name)));
            }
        }
        for (name, part) in &self.parts {
            match before.parts.get(name) {
                None => found.push(format!("the part {:?} is new", below(name))),
                Some(before) => part.compare(before, &below(name), found),
            }
        }
    }
}

/// All that a definition hash is made of where parts are nested too deep to be compared one by one.
struct Hashed<'a>(&'a Info);

impl fmt::Debug for Hashed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.parts.iter().map(Hashed).collect();
        f.debug_struct("Info")
            .field("name", &self.0.name)
            .field("kind", &self.0.kind)
            .field("detail", &self.0.detail)
            .field("parts", &parts)
            .field("links", &self.0.links)
            .field("joins", &self.0.joins)
            .finish()
    }
}

/// What a wrapper holds: a retry around a step changes nothing that is recorded of the step.
fn unwrapped(mut info: &Info) -> &Info {
    while let [inner] = &info.parts[..]
        && info.kind == Kind::Function
        && info.links.is_empty()
        && info.detail.is_empty()
        && !info.joins
        && inner.node_name() == info.name
    {
        info = inner;
    }
    info
}

/// The parts' names, told apart where two are alike and where there is none.
fn names(parts: &[Info]) -> Vec<String> {
    let own = |part: &Info| {
        let own = part.node_name();
        own.or_else(|| Name::from(part.kind.as_str())).to_string()
    };
    let all: BTreeSet<String> = parts.iter().map(own).collect();
    let mut given = BTreeSet::new();
    let mut names = Vec::with_capacity(parts.len());
    for part in parts {
        let own = own(part);
        let mut name = own.clone();
        let mut n = 1;
        while !given.insert(name.clone()) {
            n += 1;
            name = format!("{own}#{n}");
            if all.contains(&name) {
                // That is what some part is really called.
                name.clone_from(&own);
            }
        }
        names.push(name);
    }
    names
}

fn shown(name: &str, otherwise: &str) -> String {
    match name {
        "" => format!("the {otherwise}"),
        name => format!("{name:?}"),
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (shown(&self.from, "start"), shown(&self.to, "end"));
        write!(f, "{from} -> {to}")?;
        if !self.label.is_empty() {
            write!(f, " by {:?}", self.label)?;
        }
        if self.otherwise {
            f.write_str(" otherwise")?;
        }
        if self.back {
            f.write_str(" (back)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
