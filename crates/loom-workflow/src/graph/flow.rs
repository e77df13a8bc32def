//! `Flow`: a graph's nodes and edges by number, what goes back, and which loops there are.
//!
//! A *back edge* leads to an ancestor in the depth-first search from the start that follows edges
//! in the order of their declaration. Where back edges lead is the *header* of a loop; the loop
//! holds what lies on the ways from the header to them (Havlak, "Nesting of reducible and
//! irreducible loops", 1997), and its side branches: nodes that are entered from the loop alone,
//! lead nowhere but to the end and stand in no loop of their own.

use fixedbitset::FixedBitSet;

/// One edge. Nodes are numbered in the order of their declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// `None` for the start.
    pub(crate) from: Option<usize>,
    /// `None` for the end.
    pub(crate) to: Option<usize>,
    /// Whether it leads back.
    pub(crate) back: bool,
}

/// A loop: what runs again and again until something leaves it.
#[derive(Clone, Debug)]
pub(crate) struct Loop {
    pub(crate) header: usize,
    pub(crate) members: FixedBitSet,
    /// The loop it stands in.
    pub(crate) parent: Option<usize>,
}

/// Nodes, edges and loops.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) nodes: usize,
    /// In the order of their declaration.
    pub(crate) edges: Vec<Edge>,
    /// The edges out of each node; the last one's are the start's.
    pub(crate) out: Vec<Vec<usize>>,
    /// The edges into each node.
    pub(crate) into: Vec<Vec<usize>>,
    /// Outer loops before inner ones.
    pub(crate) loops: Vec<Loop>,
    /// The innermost loop that holds each node.
    pub(crate) innermost: Vec<Option<usize>>,
    /// The nodes so that every edge that doesn't lead back goes from an earlier to a later one.
    pub(crate) order: Vec<usize>,
}

impl Flow {
    /// The flow along these edges; every node must be reachable from the start.
    pub(crate) fn new(nodes: usize, edges: Vec<Edge>) -> Self {
        let mut flow = Self {
            nodes,
            out: vec![Vec::new(); nodes + 1],
            into: vec![Vec::new(); nodes],
            edges,
            loops: Vec::new(),
            innermost: vec![None; nodes],
            order: Vec::new(),
        };
        for (i, edge) in flow.edges.iter().enumerate() {
            flow.out[edge.from.unwrap_or(nodes)].push(i);
            if let Some(to) = edge.to {
                flow.into[to].push(i);
            }
        }
        let spans = flow.search();
        flow.find_loops(&spans);
        flow
    }

    pub(crate) fn is_cyclic(&self) -> bool {
        !self.loops.is_empty()
    }

    /// Whether the node is held by the loop.
    pub(crate) fn holds(&self, within: usize, node: usize) -> bool {
        self.loops[within].members.contains(node)
    }

    /// Searches depth-first from the start: marks back edges and orders the nodes. Gives when each
    /// node was found, and how many had been found when all below it were.
    fn search(&mut self) -> Vec<Span> {
        let mut spans = vec![Span::default(); self.nodes + 1];
        let mut on_way = FixedBitSet::with_capacity(self.nodes + 1);
        let mut found = 1;
        // Each node on the way down, with the next of its edges to follow.
        let mut way = vec![(self.nodes, 0)];
        spans[self.nodes].first = found;
        while let Some((node, next)) = way.last_mut() {
            let node = *node;
            let Some(edge) = self.out[node].get(*next).copied() else {
                spans[node].last = found;
                on_way.set(node, false);
                if node < self.nodes {
                    self.order.push(node);
                }
                way.pop();
                continue;
            };
            *next += 1;
            let Some(to) = self.edges[edge].to else {
                continue;
            };
            if on_way.contains(to) {
                self.edges[edge].back = true;
            } else if spans[to].first == 0 {
                found += 1;
                spans[to].first = found;
                on_way.insert(to);
                way.push((to, 0));
            }
        }
        self.order.reverse();
        spans
    }

    /// Finds the loops, outer before inner.
    fn find_loops(&mut self, spans: &[Span]) {
        let back = self.edges.iter().filter(|edge| edge.back);
        let mut headers: Vec<usize> = back.filter_map(|edge| edge.to).collect();
        headers.sort_unstable_by_key(|header| spans[*header].first);
        headers.dedup();
        let bodies: Vec<FixedBitSet> = headers.iter().map(|it| self.body(*it, spans)).collect();
        let mut straight = FixedBitSet::with_capacity(self.nodes);
        straight.insert_range(..);
        for body in &bodies {
            straight.difference_with(body);
        }
        for (header, mut members) in headers.into_iter().zip(bodies) {
            self.add_side_branches(&mut members, straight.clone());
            for member in members.ones() {
                // Whatever holds the header holds the loop, and was found before.
                if member != header {
                    self.innermost[member] = Some(self.loops.len());
                }
            }
            let parent = self.innermost[header].replace(self.loops.len());
            self.loops.push(Loop {
                header,
                members,
                parent,
            });
        }
    }

    /// The header and what lies on the ways from it to its back edges.
    fn body(&self, header: usize, spans: &[Span]) -> FixedBitSet {
        let mut members = FixedBitSet::with_capacity(self.nodes);
        members.insert(header);
        let below = |node: usize| {
            spans[header].first <= spans[node].first && spans[node].first <= spans[header].last
        };
        let ends = self.into[header].iter().map(|edge| self.edges[*edge]);
        let mut found: Vec<usize> = ends
            .filter(|edge| edge.back)
            .filter_map(|edge| edge.from)
            .collect();
        while let Some(node) = found.pop() {
            if members.put(node) {
                continue;
            }
            let before = self.into[node].iter().map(|edge| self.edges[*edge].from);
            found.extend(before.flatten().filter(|from| below(*from)));
        }
        members
    }

    /// Adds the largest set of nodes, of those in no loop, that are entered from this loop and each
    /// other alone and lead nowhere but to each other and the end.
    fn add_side_branches(&self, members: &mut FixedBitSet, mut side: FixedBitSet) {
        let mut changed = true;
        while changed {
            changed = false;
            // Along the order, what is ruled out rules out what follows it at once.
            for node in &self.order {
                let stays = |node: usize| members.contains(node) || side.contains(node);
                if side.contains(*node) && !self.is_side(*node, &side, stays) {
                    side.set(*node, false);
                    changed = true;
                }
            }
        }
        members.union_with(&side);
    }

    fn is_side(&self, node: usize, side: &FixedBitSet, stays: impl Fn(usize) -> bool) -> bool {
        let mut entered = self.into[node].iter().map(|edge| self.edges[*edge].from);
        let mut left = self.out[node].iter().map(|edge| self.edges[*edge].to);
        entered.all(|from| from.is_some_and(&stays))
            && left.all(|to| to.is_none_or(|to| side.contains(to)))
    }
}

/// When a node was found, from 1, and how many had been found when all below it were; 0 for not
/// yet.
#[derive(Clone, Copy, Default)]
struct Span {
    first: usize,
    last: usize,
}
