//! `Schedule`: what becomes of each delivery in one run of a graph, without running anything.

use std::collections::VecDeque;
use std::sync::Arc;

use loom_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::graph::active::Active;
use crate::graph::flow::Flow;
use crate::graph::reach::{Reach, node_of};

/// Something on its way, by the number of the edge it came along.
pub(crate) type Parcel = (usize, Arc<Value>);

/// The state of one run: who has what, who is active, who may begin.
///
/// Whatever is active and blocked watches one of those it waits for, and is looked at again when
/// that one ends. A step so costs what its edges cost, and a look at few words of the active set.
pub(crate) struct Schedule<'a> {
    flow: &'a Flow,
    reach: &'a Reach,
    /// What reached each node in this pass.
    parcels: Vec<Vec<Parcel>>,
    /// Who is looked at again when a place ends.
    watch: Watch,
    active: Active,
    ready: VecDeque<usize>,
    ended: Vec<Parcel>,
    /// Places that are to be looked at; empty in between.
    looked_at: Vec<usize>,
}

impl<'a> Schedule<'a> {
    pub(crate) fn new(flow: &'a Flow, reach: &'a Reach) -> Self {
        let places = reach.places();
        Self {
            flow,
            reach,
            parcels: vec![Vec::new(); flow.nodes],
            watch: Watch::new(places),
            active: Active::none(places),
            ready: VecDeque::new(),
            ended: Vec::new(),
            looked_at: Vec::new(),
        }
    }

    /// Sends a value along edges.
    pub(crate) fn send(&mut self, value: &Arc<Value>, edges: impl IntoIterator<Item = usize>) {
        self.deliver(value, edges);
    }

    /// The next node that may begin, with what reached it in the order of the edges. It runs until
    /// it is [ended](Schedule::end).
    pub(crate) fn begin(&mut self) -> Option<(usize, Vec<Parcel>)> {
        let place = self.ready.pop_front()?;
        let node = node_of(self.flow, place);
        if place != node {
            // From now on it is in the pass it waited for.
            self.active.insert(node);
            self.active.remove(place);
            self.watch.release(place, &mut self.looked_at);
            self.look();
        }
        let mut parcels = std::mem::take(&mut self.parcels[node]);
        parcels.sort_by_key(|(edge, _)| *edge);
        Some((node, parcels))
    }

    /// A node that ran gave a value, which goes along these of its edges.
    pub(crate) fn end(
        &mut self,
        node: usize,
        value: &Arc<Value>,
        edges: impl IntoIterator<Item = usize>,
    ) {
        self.active.remove(node);
        self.watch.release(node, &mut self.looked_at);
        self.deliver(value, edges);
    }

    /// What reached the end, in the order of the edges.
    ///
    /// # Errors
    /// `Internal` while anything is active.
    pub(crate) fn into_ended(mut self) -> Result<Vec<Parcel>> {
        if !self.active.is_empty() {
            return Err(Error::new(ErrorKind::Failed, "nodes wait for each other"));
        }
        self.ended.sort_by_key(|(edge, _)| *edge);
        Ok(self.ended)
    }

    fn deliver(&mut self, value: &Arc<Value>, edges: impl IntoIterator<Item = usize>) {
        for number in edges {
            let edge = self.flow.edges[number];
            let Some(to) = edge.to else {
                self.ended.push((number, value.clone()));
                continue;
            };
            let parcels = &mut self.parcels[to];
            if parcels.is_empty() {
                parcels.reserve_exact(self.flow.into[to].len());
                let place = match self.flow.innermost[to].filter(|_| edge.back) {
                    Some(of_loop) => self.flow.nodes + of_loop,
                    None => to,
                };
                self.active.insert(place);
                self.looked_at.push(place);
            }
            parcels.push((number, value.clone()));
        }
        self.look();
    }

    /// Lets places that wait for nobody any more begin, in the order of their declaration.
    fn look(&mut self) {
        let mut places = std::mem::take(&mut self.looked_at);
        places.sort_unstable_by_key(|place| node_of(self.flow, *place));
        for place in places.drain(..) {
            match self.active.last_in(self.reach.row(place)) {
                Some(other) => self.watch.add(place, other),
                None => self.ready.push_back(place),
            }
        }
        self.looked_at = places;
    }
}

/// Who watches whom: a place watches one other at most, so the lists are threaded through two
/// vectors.
struct Watch {
    /// The last one that watches a place.
    last: Vec<usize>,
    /// The one before, of those that watch the same.
    before: Vec<usize>,
}

const NOBODY: usize = usize::MAX;

impl Watch {
    fn new(places: usize) -> Self {
        Self {
            last: vec![NOBODY; places],
            before: vec![NOBODY; places],
        }
    }

    fn add(&mut self, place: usize, watched: usize) {
        self.before[place] = std::mem::replace(&mut self.last[watched], place);
    }

    /// Moves those that watch a place to others.
    fn release(&mut self, watched: usize, to: &mut Vec<usize>) {
        let mut next = std::mem::replace(&mut self.last[watched], NOBODY);
        while next != NOBODY {
            to.push(next);
            next = std::mem::replace(&mut self.before[next], NOBODY);
        }
    }
}
