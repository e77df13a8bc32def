//! `Reach`: who may still deliver to whom, worked out once when a graph is built.
//!
//! A node waits for whatever is active, that is running or waiting itself, and may still reach it
//! in this pass: along any edges but those that lead back in a loop that holds the node, since
//! what comes by those belongs to the loop's next pass. A header that got something by an edge
//! that leads back waits for the whole loop, and for what may still enter it: one pass is over
//! before the next begins. So what a node takes never depends on what ended first.

use fixedbitset::FixedBitSet;

use crate::graph::flow::Flow;

/// For each place what it waits for. The places are the nodes, and behind them, one for each loop,
/// the loop's header as it waits for the next pass.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    rows: Vec<FixedBitSet>,
}

impl Reach {
    pub(crate) fn of(flow: &Flow) -> Self {
        let places = flow.nodes + flow.loops.len();
        let mut rows = vec![FixedBitSet::with_capacity(places); places];
        let held = (0..flow.nodes).filter(|node| flow.innermost[*node].is_none());
        let mut contexts = vec![(None, held.collect::<Vec<usize>>())];
        for (i, it) in flow.loops.iter().enumerate() {
            let own = it.members.ones().filter(|n| flow.innermost[*n] == Some(i));
            contexts.push((Some(i), own.collect()));
        }
        for (context, nodes) in contexts {
            let inner = flow.loops.iter().enumerate();
            let inner: Vec<usize> = inner
                .filter(|(_, it)| it.parent == context)
                .map(|(i, _)| i)
                .collect();
            if nodes.is_empty() && inner.is_empty() {
                continue;
            }
            let before = before(flow, context);
            for node in nodes {
                rows[node].union_with(&before[node]);
                rows[node].set(node, false);
            }
            for i in inner {
                let (header, next) = (flow.loops[i].header, flow.nodes + i);
                rows[next].union_with(&before[header]);
                rows[next].union_with(&flow.loops[i].members);
                rows[next].set(header, false);
            }
        }
        for (place, row) in rows.iter_mut().enumerate() {
            let node = node_of(flow, place);
            for (i, it) in flow.loops.iter().enumerate() {
                // What waits for a loop's next pass holds up nobody in the loop.
                if row.contains(it.header) && !flow.holds(i, node) {
                    row.insert(flow.nodes + i);
                }
            }
        }
        Self { rows }
    }

    /// What the place waits for while it is active.
    pub(crate) fn row(&self, place: usize) -> &FixedBitSet {
        &self.rows[place]
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.rows.len()
    }
}

/// The node that waits at a place.
pub(crate) fn node_of(flow: &Flow, place: usize) -> usize {
    match place.checked_sub(flow.nodes) {
        None => place,
        Some(of_loop) => flow.loops[of_loop].header,
    }
}

/// What reaches each node without an edge that leads back in this loop or one around it.
fn before(flow: &Flow, context: Option<usize>) -> Vec<FixedBitSet> {
    let places = flow.nodes + flow.loops.len();
    let mut before = vec![FixedBitSet::with_capacity(places); flow.nodes];
    let around: Vec<usize> = std::iter::successors(context, |it| flow.loops[*it].parent)
        .map(|it| flow.loops[it].header)
        .collect();
    let mut changed = true;
    while changed {
        changed = false;
        for node in &flow.order {
            let mut row = std::mem::take(&mut before[*node]);
            let count = if flow.is_cyclic() {
                row.count_ones(..)
            } else {
                0
            };
            for edge in &flow.into[*node] {
                let edge = flow.edges[*edge];
                let Some(from) = edge.from else { continue };
                if edge.back && around.contains(node) {
                    continue;
                }
                row.insert(from);
                if from != *node {
                    row.union_with(&before[from]);
                }
            }
            // Along the order one round is enough, unless something leads back.
            changed |= flow.is_cyclic() && row.count_ones(..) != count;
            before[*node] = row;
        }
    }
    before
}
