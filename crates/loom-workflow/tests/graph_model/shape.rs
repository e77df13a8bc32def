//! `Shape`: a graph as plain data, with what its bodies do.

use std::collections::BTreeSet;

/// Where an edge begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Start,
    Node(usize),
    End,
}

impl Place {
    pub(crate) fn name(self) -> String {
        match self {
            Place::Start => "START".to_owned(),
            Place::Node(node) => name(node),
            Place::End => "END".to_owned(),
        }
    }
}

/// The name of a node: a letter.
pub(crate) fn name(node: usize) -> String {
    char::from(b'a' + u8::try_from(node).unwrap()).to_string()
}

/// The node of this name.
pub(crate) fn node_named(name: &str) -> usize {
    usize::from(name.as_bytes()[0] - b'a')
}

/// A node, and what its body does. Visits are counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Takes all that reaches it.
    pub(crate) joins: bool,
    pub(crate) settled: bool,
    /// Which of its edges the router takes at each visit, the last one at all further visits. With
    /// plain edges it is empty.
    pub(crate) picks: Vec<usize>,
    /// The visit that fails.
    pub(crate) fails_at: Option<u32>,
    /// The visit that asks.
    pub(crate) asks_at: Option<u32>,
}

impl Node {
    /// A node that joins, with plain edges.
    pub(crate) fn plain() -> Self {
        Node {
            joins: true,
            settled: false,
            picks: Vec::new(),
            fails_at: None,
            asks_at: None,
        }
    }

    pub(crate) fn is_routed(&self) -> bool {
        !self.picks.is_empty()
    }

    pub(crate) fn pick(&self, visit: u32) -> usize {
        let last = self.picks.len() - 1;
        self.picks[last.min(visit as usize - 1)]
    }
}

/// A graph: nodes and edges in the order of their declaration, and its limits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) nodes: Vec<Node>,
    /// Those of one router stand together.
    pub(crate) edges: Vec<(Place, Place)>,
    /// The output takes all that reaches the end.
    pub(crate) end_joins: bool,
    pub(crate) steps_max: u32,
    pub(crate) visits_max: u32,
    pub(crate) concurrency_max: usize,
}

impl Shape {
    /// A graph of nodes that join, written as its edges: `"START-a a-b b-END"`.
    pub(crate) fn of(edges: &str) -> Self {
        let place = |name: &str| match name {
            "START" => Place::Start,
            "END" => Place::End,
            node => Place::Node(node_named(node)),
        };
        let edge = |edge: &str| {
            let (from, to) = edge.split_once('-').unwrap();
            (place(from), place(to))
        };
        let edges: Vec<(Place, Place)> = edges.split_whitespace().map(edge).collect();
        let last = edges.iter().flat_map(|(from, to)| [*from, *to]);
        let nodes = last.filter_map(|it| match it {
            Place::Node(node) => Some(node + 1),
            Place::Start | Place::End => None,
        });
        Shape {
            nodes: vec![Node::plain(); nodes.max().unwrap()],
            edges,
            end_joins: true,
            steps_max: 100,
            visits_max: 25,
            concurrency_max: 8,
        }
    }

    /// The same with a change to one node.
    pub(crate) fn with(mut self, node: &str, change: impl FnOnce(&mut Node)) -> Self {
        change(&mut self.nodes[node_named(node)]);
        self
    }

    /// The same with a router that picks these edges of the node, visit by visit.
    pub(crate) fn routed(self, node: &str, picks: &[usize]) -> Self {
        self.with(node, |it| it.picks = picks.to_vec())
    }

    /// The same where nobody asks.
    pub(crate) fn without_questions(mut self) -> Self {
        for node in &mut self.nodes {
            node.asks_at = None;
        }
        self
    }

    /// The numbers of the edges out of a place, in the order of their declaration.
    pub(crate) fn out(&self, place: Place) -> Vec<usize> {
        let numbers = 0..self.edges.len();
        numbers.filter(|it| self.edges[*it].0 == place).collect()
    }
    /// Whether a way leads from one place to another, or they are the same, without these edges.
    pub(crate) fn reaches(&self, from: Place, to: Place, without: &BTreeSet<usize>) -> bool {
        let mut found = BTreeSet::from([from]);
        let mut next = vec![from];
        while let Some(place) = next.pop() {
            for edge in self.out(place) {
                let reached = self.edges[edge].1;
                if !without.contains(&edge) && found.insert(reached) {
                    next.push(reached);
                }
            }
        }
        found.contains(&to)
    }
}
