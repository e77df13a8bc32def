//! Random graphs that can be built.

use std::collections::BTreeSet;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::loops::Loops;
use crate::shape::{Node, Place, Shape};

/// Graphs of up to so many nodes.
pub(crate) fn shapes(nodes_max: usize) -> impl Strategy<Value = Shape> {
    (1..=nodes_max).prop_flat_map(|nodes| {
        let concurrency_max = prop_oneof![1 => 1..4usize, 2 => Just(8)];
        let steps_max = prop_oneof![1 => 1..12u32, 3 => 30..60u32];
        let visits_max = prop_oneof![1 => 1..4u32, 3 => 6..12u32];
        let limits = (steps_max, visits_max, concurrency_max);
        let wishes = vec(wish(), nodes);
        (wishes, edges(nodes), weighted(0.8), limits).prop_map(shape)
    })
}

/// Lists of choices, one for each interleaving.
pub(crate) fn choices(interleavings: usize) -> impl Strategy<Value = Vec<Vec<usize>>> {
    vec(vec(0..24usize, 0..40), interleavings)
}

/// What a node would be, wherever it comes to stand.
#[derive(Clone, Debug)]
struct Wish {
    node: Node,
    is_routed: bool,
    picks: Vec<Index>,
    /// The last pick leaves the loop, if it can.
    leaves: bool,
    /// A pick of the router that no edge has.
    wrong_pick: bool,
    /// Two labels of the router lead to the same node.
    twice: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let visit = || prop_oneof![2 => Just(1), 1 => 2..4u32];
    let fails_at = (
        option::weighted(0.03, visit()),
        option::weighted(0.4, visit()),
    );
    let asks_at = option::weighted(0.4, visit());
    let node = (weighted(0.9), weighted(0.15), fails_at, asks_at);
    let node = node.prop_map(|(joins, settled, (fails_at, settles_at), asks_at)| Node {
        joins,
        settled,
        // Failures that end the run hide what comes after them, so they are rare.
        fails_at: if settled { settles_at } else { fails_at },
        asks_at,
        picks: Vec::new(),
    });
    let picks = vec(any::<Index>(), 1..6);
    let wish = (
        node,
        weighted(0.4),
        picks,
        weighted(0.9),
        (weighted(0.03), weighted(0.1)),
    );
    wish.prop_map(
        |(node, is_routed, picks, leaves, (wrong_pick, twice))| Wish {
            node,
            is_routed,
            picks,
            leaves,
            wrong_pick,
            twice,
        },
    )
}

/// Edges that reach every node from the start and lead to the end, in any order.
fn edges(nodes: usize) -> impl Strategy<Value = Vec<(Place, Place)>> {
    let parents = vec(any::<Index>(), nodes);
    let further = vec((0..nodes, 0..nodes, weighted(0.3)), 0..2 * nodes);
    let (starts, ends) = (vec(weighted(0.1), nodes), vec(weighted(0.3), nodes));
    let edges = (parents, further, starts, ends).prop_map(|(parents, further, starts, ends)| {
        let mut edges = Vec::new();
        for (node, parent) in parents.iter().enumerate() {
            let from = match parent.index(node + 1) {
                0 => Place::Start,
                parent => Place::Node(parent - 1),
            };
            edges.push((from, Place::Node(node)));
        }
        for (from, to, to_itself) in further {
            if from != to || to_itself {
                edges.push((Place::Node(from), Place::Node(to)));
            }
        }
        for node in 0..parents.len() {
            let from_start = starts[node].then_some((Place::Start, Place::Node(node)));
            let to_end = ends[node].then_some((Place::Node(node), Place::End));
            edges.extend(from_start.into_iter().chain(to_end));
        }
        if edges.iter().all(|(_, to)| *to != Place::End) {
            edges.push((Place::Node(parents.len() - 1), Place::End));
        }
        let mut seen = BTreeSet::new();
        edges.retain(|edge| seen.insert(*edge));
        edges
    });
    edges.prop_flat_map(|edges| Just(edges).prop_shuffle())
}

type Parts = (Vec<Wish>, Vec<(Place, Place)>, bool, (u32, u32, usize));

fn shape((wishes, edges, end_joins, limits): Parts) -> Shape {
    let (steps_max, visits_max, concurrency_max) = limits;
    let mut shape = Shape {
        nodes: wishes.iter().map(|it| it.node.clone()).collect(),
        edges,
        end_joins,
        steps_max,
        visits_max,
        concurrency_max,
    };
    for node in 0..shape.nodes.len() {
        give_way_out(&mut shape, node);
    }
    for (node, wish) in wishes.iter().enumerate() {
        give_router(&mut shape, node, wish);
    }
    shape.edges = side_by_side(&shape);
    shape
}

/// Gives the node an edge to the end, if it would go round for ever.
fn give_way_out(shape: &mut Shape, node: usize) {
    let is_dead_end = |node: &usize| shape.out(Place::Node(*node)).is_empty();
    let dead_ends = (0..shape.nodes.len()).filter(is_dead_end).map(Place::Node);
    let mut ends = dead_ends.chain([Place::End]);
    let none = BTreeSet::new();
    if !ends.any(|end| shape.reaches(Place::Node(node), end, &none)) {
        shape.edges.push((Place::Node(node), Place::End));
    }
}

/// Gives the node a router, if it would have one or is to leave a loop.
fn give_router(shape: &mut Shape, node: usize, wish: &Wish) {
    let leads_back = |shape: &Shape| {
        let back = Loops::of(shape).back;
        let out = shape.out(Place::Node(node)).into_iter();
        out.map(|edge| back.contains(&edge)).collect::<Vec<bool>>()
    };
    let mut out = leads_back(shape);
    if out.is_empty() || !(wish.is_routed || (wish.leaves && out.contains(&true))) {
        return;
    }
    if wish.leaves && !out.contains(&false) {
        shape.edges.push((Place::Node(node), Place::End));
    }
    if wish.twice {
        let first = shape.out(Place::Node(node))[0];
        shape.edges.push(shape.edges[first]);
    }
    out = leads_back(shape);
    let mut picks: Vec<usize> = wish.picks.iter().map(|it| it.index(out.len())).collect();
    let away = out.iter().position(|leads_back| !leads_back);
    picks.extend(away.filter(|_| wish.leaves));
    if wish.wrong_pick {
        picks[0] = out.len();
    }
    shape.nodes[node].picks = picks;
}

/// The edges with those of each router beside each other, as they are declared together.
fn side_by_side(shape: &Shape) -> Vec<(Place, Place)> {
    let mut edges = Vec::new();
    for (number, edge) in shape.edges.iter().enumerate() {
        let out = shape.out(edge.0);
        match edge.0 {
            Place::Node(from) if shape.nodes[from].is_routed() => {
                if out[0] == number {
                    edges.extend(out.iter().map(|it| shape.edges[*it]));
                }
            }
            Place::Start | Place::Node(_) | Place::End => edges.push(*edge),
        }
    }
    edges
}
