//! `Ways`: which names lie on ways from the start and to an end, in a graph that may be wrong.

use std::collections::{HashMap, HashSet};

use loom_core::Name;

use crate::graph::draft::Draft;
use crate::graph::{END, START};

/// The edges of a draft by name, both ways.
pub(crate) struct Ways<'a> {
    forward: HashMap<&'a str, Vec<&'a str>>,
    backward: HashMap<&'a str, Vec<&'a str>>,
    /// Where a way may end: at the end, and at what leads nowhere, whether it is meant to or not.
    ends: Vec<&'a str>,
}

impl<'a> Ways<'a> {
    /// The ways of the draft, each edge between the names that it means.
    pub(crate) fn of(draft: &'a Draft, meant: impl Fn(&'a Name) -> &'a str) -> Self {
        let (mut forward, mut backward) = (HashMap::new(), HashMap::new());
        for edge in &draft.edges {
            let (from, to) = (meant(&edge.from), meant(&edge.to));
            forward.entry(from).or_insert_with(Vec::new).push(to);
            backward.entry(to).or_insert_with(Vec::new).push(from);
        }
        let targets = backward.keys().copied();
        let ends = targets.filter(|name| !forward.contains_key(name));
        Self {
            ends: ends.chain([END]).collect(),
            forward,
            backward,
        }
    }

    /// Whether any edge leads out of this.
    pub(crate) fn leads_on(&self, name: &str) -> bool {
        self.forward.contains_key(name)
    }

    /// What can be reached from the start.
    pub(crate) fn reachable(&self) -> HashSet<&'a str> {
        reached(&self.forward, vec![START])
    }

    /// What can reach an end.
    pub(crate) fn ending(&self) -> HashSet<&'a str> {
        reached(&self.backward, self.ends.clone())
    }
}

fn reached<'a>(edges: &HashMap<&'a str, Vec<&'a str>>, from: Vec<&'a str>) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut next = from;
    while let Some(name) = next.pop() {
        if found.insert(name) {
            next.extend(edges.get(name).into_iter().flatten());
        }
    }
    found
}
