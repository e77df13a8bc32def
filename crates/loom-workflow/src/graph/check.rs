//! Everything that is wrong with a graph as it was declared, said at once.

use std::collections::{HashMap, HashSet};

use loom_core::Name;

use crate::graph::alike::{closest, hint};
use crate::graph::draft::{By, Draft, DraftEdge};
use crate::graph::ways::Ways;
use crate::graph::{END, START};

/// What is wrong; nothing for a graph that can be built.
pub(crate) fn check(draft: &Draft) -> Vec<String> {
    let mut check = Check {
        draft,
        numbers: HashMap::new(),
        out: HashMap::new(),
        wrong: draft.wrong.clone(),
    };
    check.names();
    check.edges();
    check.routers();
    check.marks();
    check.caps();
    check.ways();
    check.wrong
}

struct Check<'a> {
    draft: &'a Draft,
    numbers: HashMap<&'a str, usize>,
    /// The edges out of each name.
    out: HashMap<&'a str, Vec<&'a DraftEdge>>,
    wrong: Vec<String>,
}

impl<'a> Check<'a> {
    fn names(&mut self) {
        if let Err(error) = self.draft.name.check() {
            self.wrong
                .push(format!("the workflow: {}", error.message()));
        }
        if self.draft.nodes.is_empty() {
            let message = "there is no node: add one with `.node(name, step)`";
            self.wrong.push(message.to_owned());
        }
        for (i, node) in self.draft.nodes.iter().enumerate() {
            if let Err(error) = node.name.check() {
                self.wrong.push(format!("a node: {}", error.message()));
            }
            let fault = node.body.info().fault;
            if !fault.is_empty() {
                self.wrong.push(format!("{:?}: {fault}", node.name));
            }
            if node.name == START || node.name == END {
                let message = format!(
                    "no node can be called {:?}: it stands for the graph's own rim",
                    node.name
                );
                self.wrong.push(message);
            }
            if self.numbers.insert(&node.name, i).is_some() {
                self.wrong
                    .push(format!("two nodes are named {:?}", node.name));
            }
        }
    }

    fn edges(&mut self) {
        let mut seen = HashSet::new();
        for edge in &self.draft.edges {
            self.out.entry(&edge.from).or_default().push(edge);
            if edge.from == END {
                self.wrong
                    .push(format!("{}: nothing comes after END", shown(edge)));
            } else if edge.from != START {
                self.known(&edge.from, Some(&START.into()), || shown(edge));
            }
            if edge.to == START {
                self.wrong
                    .push(format!("{}: nothing comes before START", shown(edge)));
            } else if edge.to != END {
                self.known(&edge.to, Some(&END.into()), || shown(edge));
            }
            if edge.by == By::All && !seen.insert((&edge.from, &edge.to)) {
                self.wrong.push(format!("{} is there twice", shown(edge)));
            }
        }
        if !self.out.contains_key(START) {
            let message = "nothing starts: name the first node with `.start(name)`";
            self.wrong.push(message.to_owned());
        }
    }

    fn routers(&mut self) {
        let mut routed = HashSet::new();
        for (source, _) in &self.draft.routers {
            if source == START || source == END {
                let message =
                    format!("{source} can't have a router: only what a node gives is routed");
                self.wrong.push(message);
            } else {
                self.known(source, None, || format!("the router of {source:?}"));
            }
            if !routed.insert(source.as_str()) {
                self.wrong
                    .push(format!("two routers stand at {source:?}: a node has one"));
            }
        }
        let mut sources: Vec<_> = self.out.iter().collect();
        sources.sort_unstable_by_key(|(name, _)| **name);
        let mut wrong = Vec::new();
        for (source, edges) in sources {
            wrong.extend(misrouted(source, edges, routed.contains(source)));
        }
        for source in routed {
            let has_labels = |edge: &&DraftEdge| edge.by != By::All;
            if !self
                .out
                .get(source)
                .is_some_and(|edges| edges.iter().any(has_labels))
            {
                wrong.push(format!("the router of {source:?} has no edge to pick"));
            }
        }
        wrong.sort_unstable();
        self.wrong.extend(wrong);
    }

    fn marks(&mut self) {
        for name in &self.draft.settled {
            self.known(name, None, || format!("`.settle({name:?})`"));
        }
        for name in &self.draft.sinks {
            self.known(name, None, || format!("`.sink({name:?})`"));
            if self.out.contains_key(name.as_str()) {
                let message = format!("{name:?} is a sink, yet an edge leads out of it");
                self.wrong.push(message);
            }
        }
    }

    fn caps(&mut self) {
        let caps = &self.draft.caps;
        let named = [
            ("concurrency_max", caps.concurrency_max == 0),
            ("steps_max", caps.steps_max == 0),
            ("visits_max", caps.visits_max == 0),
        ];
        for (name, _) in named.iter().filter(|(_, is_zero)| *is_zero) {
            self.wrong
                .push(format!("{name} is 0: then nothing could run"));
        }
    }

    /// Whether all nodes lie on a way from the start to the end, or to where it is meant to stop.
    fn ways(&mut self) {
        let draft = self.draft;
        let ways = Ways::of(draft, |name| self.meant(name));
        let starts = self.out.contains_key(START);
        let (found, ending) = (ways.reachable(), ways.ending());
        let sinks: HashSet<&str> = draft.sinks.iter().map(Name::as_str).collect();
        for node in &draft.nodes {
            let name = node.name.as_str();
            if name == START || name == END {
                continue;
            }
            if starts && !found.contains(name) {
                self.wrong
                    .push(format!("{name:?} can't be reached from START"));
            }
            if !ways.leads_on(name) && !sinks.contains(name) {
                self.wrong.push(format!("{name:?} leads nowhere: give it an edge, to END for example, or say `.sink({name:?})`"));
            } else if !ending.contains(name) && !sinks.contains(name) {
                self.wrong.push(format!(
                    "{name:?} goes round for ever: no way leads from it to END"
                ));
            }
        }
        if starts && !found.contains(END) {
            self.wrong.push("nothing leads to END".to_owned());
        }
    }

    /// The name that an edge means: where no node has it, the one that it is most like.
    fn meant(&self, name: &'a Name) -> &'a str {
        if self.numbers.contains_key(name.as_str()) || name == START || name == END {
            return name;
        }
        let names = self.draft.nodes.iter().map(|node| node.name.as_str());
        closest(name, names.chain([START, END])).unwrap_or(name)
    }

    /// Says so if no node has this name, and which one may be meant; an edge may mean the rim, too.
    fn known(&mut self, name: &'a str, rim: Option<&Name>, what: impl FnOnce() -> String) {
        if self.numbers.contains_key(name) {
            return;
        }
        let names = self.draft.nodes.iter().map(|node| &node.name);
        let hint = hint(name, names.chain(rim));
        self.wrong
            .push(format!("{}: there is no node {name:?} ({hint})", what()));
    }
}

/// What is wrong with how the edges of one source are picked.
fn misrouted(source: &str, edges: &[&DraftEdge], is_routed: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let plain = edges.iter().filter(|edge| edge.by == By::All).count();
    if is_routed && plain > 0 {
        wrong.push(format!(
            "{source:?} has a router and plain edges: it may have one or the other"
        ));
    }
    if !is_routed && plain < edges.len() {
        wrong.push(format!("{source:?} has edges by label, but no router"));
    }
    let mut labels = HashSet::new();
    for edge in edges {
        match &edge.by {
            By::All => (),
            By::Label(label) if label.check().is_err() => {
                wrong.push(format!("the router of {source:?}: {label:?} is no label"));
            }
            By::Label(label) if labels.insert(Some(label)) => (),
            By::Label(label) => wrong.push(format!(
                "the router of {source:?} has the label {label:?} twice"
            )),
            By::Otherwise if labels.insert(None) => (),
            By::Otherwise => wrong.push(format!(
                "the router of {source:?} has two edges for all other labels"
            )),
        }
    }
    wrong
}

fn shown(edge: &DraftEdge) -> String {
    format!("the edge {:?} -> {:?}", edge.from, edge.to)
}
