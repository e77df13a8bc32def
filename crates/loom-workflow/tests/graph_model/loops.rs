//! The loops of a graph, straight from their definition.

use std::collections::BTreeSet;

use crate::shape::{Place, Shape};

pub(crate) type Nodes = BTreeSet<usize>;

/// What runs again and again until something leaves it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loop {
    /// Where its back edges lead.
    pub(crate) header: usize,
    /// The header and what lies on ways from it to its back edges.
    pub(crate) body: Nodes,
    /// Nodes entered from the loop and each other alone, that lead only to each other and the end.
    pub(crate) side: Nodes,
}

impl Loop {
    pub(crate) fn holds(&self, node: usize) -> bool {
        self.body.contains(&node) || self.side.contains(&node)
    }
}

/// The back edges of a graph, by number, and its loops.
pub(crate) struct Loops {
    pub(crate) back: BTreeSet<usize>,
    pub(crate) loops: Vec<Loop>,
}

impl Loops {
    pub(crate) fn of(shape: &Shape) -> Self {
        let mut search = Search {
            shape,
            back: BTreeSet::new(),
            seen: Nodes::new(),
            below: vec![Nodes::new(); shape.nodes.len()],
        };
        search.visit(Place::Start, &mut Vec::new());
        let headers: Nodes = search
            .back
            .iter()
            .map(|edge| target(shape, *edge))
            .collect();
        let bodies: Vec<(usize, Nodes)> = headers
            .into_iter()
            .map(|header| (header, body(shape, header, &search)))
            .collect();
        let in_loops: Nodes = bodies.iter().flat_map(|(_, body)| body.clone()).collect();
        let loops = bodies.into_iter().map(|(header, body)| {
            let side = side(shape, &body, &in_loops);
            Loop { header, body, side }
        });
        Loops {
            loops: loops.collect(),
            back: search.back,
        }
    }

    /// The loop that begins at this node.
    pub(crate) fn at(&self, header: usize) -> Option<&Loop> {
        self.loops.iter().find(|it| it.header == header)
    }

    /// The back edges of all loops that hold the node.
    pub(crate) fn back_edges_around(&self, shape: &Shape, node: usize) -> BTreeSet<usize> {
        let holds = |edge: &&usize| {
            self.at(target(shape, **edge))
                .is_some_and(|it| it.holds(node))
        };
        self.back.iter().filter(holds).copied().collect()
    }
}

/// The node that a back edge leads to.
pub(crate) fn target(shape: &Shape, edge: usize) -> usize {
    match shape.edges[edge].1 {
        Place::Node(node) => node,
        other => panic!("a back edge to {other:?}"),
    }
}

/// The depth-first search from the start that follows edges in the order of their declaration.
struct Search<'a> {
    shape: &'a Shape,
    /// Edges to an ancestor.
    back: BTreeSet<usize>,
    seen: Nodes,
    /// Each node with all that was first found from it on.
    below: Vec<Nodes>,
}

impl Search<'_> {
    fn visit(&mut self, place: Place, ancestors: &mut Vec<usize>) {
        if let Place::Node(node) = place {
            self.seen.insert(node);
            ancestors.push(node);
            for ancestor in ancestors.iter() {
                self.below[*ancestor].insert(node);
            }
        }
        for edge in self.shape.out(place) {
            match self.shape.edges[edge].1 {
                Place::Node(to) if ancestors.contains(&to) => {
                    self.back.insert(edge);
                }
                Place::Node(to) if !self.seen.contains(&to) => {
                    self.visit(Place::Node(to), ancestors);
                }
                Place::Start | Place::Node(_) | Place::End => (),
            }
        }
        if place != Place::Start {
            ancestors.pop();
        }
    }
}

/// The header, and the nodes below it from which a way that stays below it leads to a back edge.
fn body(shape: &Shape, header: usize, search: &Search<'_>) -> Nodes {
    let below = &search.below[header];
    let edges = 0..shape.edges.len();
    let stays =
        |edge: &usize| matches!(shape.edges[*edge].1, Place::Node(to) if below.contains(&to));
    let leaving: BTreeSet<usize> = edges.filter(|edge| !stays(edge)).collect();
    let back = search
        .back
        .iter()
        .filter(|edge| target(shape, **edge) == header);
    let ends: Vec<Place> = back.map(|edge| shape.edges[*edge].0).collect();
    let leads_back = |node: &usize| {
        let leads_to = |end: &Place| shape.reaches(Place::Node(*node), *end, &leaving);
        ends.iter().any(leads_to)
    };
    below.iter().copied().filter(leads_back).collect()
}

/// The largest set of nodes in no loop that are entered only from this one and each other, and lead
/// only to each other and the end: all nodes in no loop, less those that don't do so.
fn side(shape: &Shape, body: &Nodes, in_loops: &Nodes) -> Nodes {
    let all = 0..shape.nodes.len();
    let mut side: Nodes = all.filter(|node| !in_loops.contains(node)).collect();
    loop {
        let fits = |node: &usize| {
            shape.edges.iter().all(|(from, to)| {
                let entered_well = match from {
                    Place::Node(from) => body.contains(from) || side.contains(from),
                    Place::Start | Place::End => false,
                };
                let leads_well = match to {
                    Place::Node(to) => side.contains(to),
                    Place::Start | Place::End => true,
                };
                (*to != Place::Node(*node) || entered_well)
                    && (*from != Place::Node(*node) || leads_well)
            })
        };
        let fitting: Nodes = side.iter().copied().filter(fits).collect();
        if fitting == side {
            return side;
        }
        side = fitting;
    }
}
