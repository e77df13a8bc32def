//! `Reach`: who may still deliver to whom, worked out once when a graph is built.
//!
//! A node waits for whatever is active, that is running or waiting itself, and may still reach it
//! in this pass: along any edges but those that lead back in a loop that holds the node, since
//! what comes by those belongs to the loop's next pass. A header that got something by an edge
//! that leads back waits for the whole loop, and for what may still enter it: one pass is over
//! before the next begins. So what a node takes never depends on what ended first.

use std::collections::HashMap;

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
        let whole = Region::whole(flow);
        whole.fill(flow, None, &mut rows);
        // Outer loops come first, so what a loop stands in is there when it is looked at.
        let mut regions: Vec<Option<Region>> = Vec::with_capacity(flow.loops.len());
        for i in 0..flow.loops.len() {
            let around = around(flow, i, &regions, &whole);
            let region = Region::of_loop(flow, i, &around);
            region.fill(flow, Some(i), &mut rows);
            regions.push(Some(region));
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

/// The regions a loop stands in, the innermost first.
fn around<'a>(
    flow: &Flow,
    of_loop: usize,
    regions: &'a [Option<Region>],
    whole: &'a Region,
) -> Vec<&'a Region> {
    let parents = std::iter::successors(flow.loops[of_loop].parent, |it| flow.loops[*it].parent);
    let inner = parents.filter_map(|it| regions[it].as_ref());
    inner.chain([whole]).collect()
}

/// A loop, or the whole graph: for each node in it, what reaches it without an edge that leads back
/// in this loop or one around it.
struct Region {
    before: HashMap<usize, FixedBitSet>,
}

impl Region {
    fn whole(flow: &Flow) -> Self {
        let mut region = Self::empty(flow, flow.order.iter().copied());
        region.complete(flow, &flow.order, None, &[]);
        region
    }

    fn of_loop(flow: &Flow, of_loop: usize, around: &[&Region]) -> Self {
        let it = &flow.loops[of_loop];
        let held = flow.order.iter().copied();
        let held: Vec<usize> = held.filter(|node| it.members.contains(*node)).collect();
        let mut region = Self::empty(flow, held.iter().copied());
        region.complete(flow, &held, Some(it.header), around);
        region
    }

    fn empty(flow: &Flow, nodes: impl Iterator<Item = usize>) -> Self {
        let places = flow.nodes + flow.loops.len();
        let empty = |node| (node, FixedBitSet::with_capacity(places));
        Self {
            before: nodes.map(empty).collect(),
        }
    }

    /// Follows the edges until nothing new reaches anything. What comes from outside is known
    /// there: no way leads back out of the loop and into it again.
    fn complete(&mut self, flow: &Flow, held: &[usize], header: Option<usize>, around: &[&Region]) {
        let mut changed = true;
        while changed {
            changed = false;
            for node in held {
                let mut row = self.before.remove(node).unwrap_or_default();
                let count = row.count_ones(..);
                for edge in flow.into[*node].iter().map(|edge| flow.edges[*edge]) {
                    let Some(from) = edge.from else { continue };
                    if edge.back && header == Some(*node) {
                        continue;
                    }
                    row.insert(from);
                    if from == *node {
                        continue;
                    }
                    let before = self.before.get(&from);
                    let before =
                        before.or_else(|| around.iter().find_map(|it| it.before.get(&from)));
                    if let Some(before) = before {
                        row.union_with(before);
                    }
                }
                // Along the order one round is enough, unless something leads back.
                changed |= flow.is_cyclic() && row.count_ones(..) != count;
                self.before.insert(*node, row);
            }
        }
    }

    /// Fills the rows of what stands in this loop and in none inside it, and of the next passes of
    /// those inside it.
    fn fill(&self, flow: &Flow, own: Option<usize>, rows: &mut [FixedBitSet]) {
        for (node, before) in &self.before {
            if flow.innermost[*node] == own {
                rows[*node].union_with(before);
                rows[*node].set(*node, false);
            }
        }
        for (i, inner) in flow.loops.iter().enumerate() {
            if inner.parent == own {
                let next = &mut rows[flow.nodes + i];
                next.union_with(&self.before[&inner.header]);
                next.union_with(&inner.members);
                next.set(inner.header, false);
            }
        }
    }
}
