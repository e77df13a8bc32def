//! What a definition means, apart from how it was written down: to find out whether it changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::info::{Info, Kind, Link};
use crate::journal::record::digest;

/// How many differences are named; the others are counted.
const MAX_DIFFERENCES: usize = 5;

impl Info {
    /// The definition's hash: 64 hex digits that change when what it means changes, and only then.
    ///
    /// Its meaning is the names and kinds of all parts, what their details say, which link leads
    /// from where to where by which label, and, where a part takes several values together, their
    /// order. The order in which parts and other links were declared, wrappers (`.retry(..)`) and
    /// the definition's own name mean nothing, but parts of one name are distinguished by their order.
    /// The code of functions isn't seen.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    ///
    /// let part = |name: &'static str| Info::new(name, Kind::Function);
    /// let one = Info::new("one", Kind::Workflow).with_parts([part("a"), part("b")]);
    /// let other = Info::new("other", Kind::Workflow).with_parts([part("b"), part("a")]);
    /// assert_eq!(one.definition_hash(), other.definition_hash());
    /// assert_ne!(one.definition_hash(), one.with_detail("twice").definition_hash());
    /// ```
    pub fn definition_hash(&self) -> String {
        digest(&Definition::of(self).into_value())
    }

    /// The facts in which this definition differs from an earlier one; `None` if they mean the same.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    ///
    /// let part = |name: &'static str| Info::new(name, Kind::Function);
    /// let before = Info::new("it", Kind::Workflow).with_parts([part("load")]);
    /// let now = Info::new("it", Kind::Workflow).with_parts([part("load"), part("reply")]);
    /// assert_eq!(now.difference_from(&before).as_deref(), Some(r#"the function "reply" is new"#));
    /// assert_eq!(now.difference_from(&now), None);
    /// ```
    pub fn difference_from(&self, before: &Info) -> Option<String> {
        Definition::of(self).difference_from(&Definition::of(before))
    }
}

/// A definition as the set of its facts, each a phrase that names a part by its path.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Definition(BTreeSet<String>);

impl Definition {
    /// As it is recorded.
    pub(crate) fn into_value(self) -> Value {
        self.0.into_iter().collect()
    }

    pub(crate) fn of(info: &Info) -> Self {
        let mut facts = BTreeSet::new();
        add_facts(info, "", &mut facts);
        Self(facts)
    }

    /// The facts that are gone, then those that are new; `None` without any.
    pub(crate) fn difference_from(&self, before: &Self) -> Option<String> {
        let gone = before.0.difference(&self.0).map(|it| (it, "gone"));
        let new = self.0.difference(&before.0).map(|it| (it, "new"));
        let changes: Vec<String> = gone
            .chain(new)
            .map(|(fact, what)| format!("{fact} is {what}"))
            .collect();
        let named = changes.len().min(MAX_DIFFERENCES);
        let mut text = changes[..named].join("; ");
        if named < changes.len() {
            text.push_str(&format!("; and {} more", changes.len() - named));
        }
        (named > 0).then_some(text)
    }
}

/// Adds what there is to say of the part at this path, and of all parts inside it. Names are quoted,
/// and nothing else is: no name can be taken for another fact.
fn add_facts(info: &Info, path: &str, facts: &mut BTreeSet<String>) {
    let info = unwrapped(info);
    let (whole, inside) = match path {
        "" => ("the whole".to_owned(), String::new()),
        path => (path.to_owned(), format!(" in {path}")),
    };
    facts.insert(match path {
        "" => format!("being of kind {}", info.kind.as_str()),
        path => format!("the {} {path}", info.kind.as_str()),
    });
    if !info.detail.is_empty() {
        facts.insert(format!("the detail {:?} of {whole}", info.detail));
    }
    if info.joins {
        facts.insert(format!("the join at {whole}"));
    }
    let names = names(&info.parts);
    for (name, part) in names.iter().zip(info.parts.iter()) {
        match path {
            "" => add_facts(part, name, facts),
            path => add_facts(part, &format!("{path}/{name}"), facts),
        }
    }
    let name = |part: Option<usize>, end| part.and_then(|i| names.get(i)).map_or(end, |it| &**it);
    let mut sources: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for link in info.links.iter() {
        let (from, to) = (name(link.from, "the start"), name(link.to, "the end"));
        facts.insert(format!(
            "the link {from} -> {to}{}{inside}",
            condition(link)
        ));
        let joins = match link.to {
            Some(to) => info.parts.get(to).is_some_and(|part| part.joins),
            None => info.joins,
        };
        if joins {
            sources.entry(to).or_default().push(from);
        }
    }
    for (to, sources) in sources.iter().filter(|(_, sources)| sources.len() > 1) {
        let order = sources.join(", ");
        facts.insert(format!("the order {order} at {to}{inside}"));
    }
}

/// When a link is taken, where that isn't always.
fn condition(link: &Link) -> String {
    let mut condition = String::new();
    if !link.label.is_empty() {
        condition = format!(" by {:?}", link.label);
    }
    if link.otherwise {
        condition.push_str(" otherwise");
    }
    if link.back {
        condition.push_str(" (back)");
    }
    condition
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

/// The parts' names in quotes, those of the same name numbered.
fn names(parts: &[Info]) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let quoted = |part: &Info| match part.node_name() {
        name if name.is_empty() => format!("{:?}", part.kind.as_str()),
        name => format!("{name:?}"),
    };
    let numbered = parts.iter().map(|part| {
        let name = quoted(part);
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        match *count {
            1 => name,
            n => format!("{name}#{n}"),
        }
    });
    numbered.collect()
}

#[cfg(test)]
mod tests;
