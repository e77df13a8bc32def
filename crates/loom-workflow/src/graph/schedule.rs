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
    /// Who is looked at again when the place ends.
    watching: Vec<Vec<usize>>,
    active: Active,
    ready: VecDeque<usize>,
    ended: Vec<Parcel>,
}

impl<'a> Schedule<'a> {
    pub(crate) fn new(flow: &'a Flow, reach: &'a Reach) -> Self {
        let places = reach.places();
        Self {
            flow,
            reach,
            parcels: vec![Vec::new(); flow.nodes],
            watching: vec![Vec::new(); places],
            active: Active::none(places),
            ready: VecDeque::new(),
            ended: Vec::new(),
        }
    }

    /// Sends a value along edges.
    pub(crate) fn send(&mut self, value: &Arc<Value>, edges: impl IntoIterator<Item = usize>) {
        self.deliver(value, edges, Vec::new());
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
            let watching = std::mem::take(&mut self.watching[place]);
            self.look_at(watching);
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
        let looked_at = std::mem::take(&mut self.watching[node]);
        self.deliver(value, edges, looked_at);
    }

    /// What reached the end, in the order of the edges.
    ///
    /// # Errors
    /// `Internal` while anything is active.
    pub(crate) fn into_ended(mut self) -> Result<Vec<Parcel>> {
        if !self.active.is_empty() {
            return Err(Error::new(ErrorKind::Internal, "nodes wait for each other"));
        }
        self.ended.sort_by_key(|(edge, _)| *edge);
        Ok(self.ended)
    }

    fn deliver(
        &mut self,
        value: &Arc<Value>,
        edges: impl IntoIterator<Item = usize>,
        mut looked_at: Vec<usize>,
    ) {
        for number in edges {
            let edge = self.flow.edges[number];
            let Some(to) = edge.to else {
                self.ended.push((number, value.clone()));
                continue;
            };
            let is_first = self.parcels[to].is_empty();
            self.parcels[to].push((number, value.clone()));
            if is_first {
                let place = match self.flow.innermost[to].filter(|_| edge.back) {
                    Some(of_loop) => self.flow.nodes + of_loop,
                    None => to,
                };
                self.active.insert(place);
                looked_at.push(place);
            }
        }
        self.look_at(looked_at);
    }

    /// Lets places that wait for nobody any more begin, in the order of their declaration.
    fn look_at(&mut self, mut places: Vec<usize>) {
        places.sort_unstable_by_key(|place| node_of(self.flow, *place));
        for place in places {
            match self.active.last_in(self.reach.row(place)) {
                Some(other) => self.watching[other].push(place),
                None => self.ready.push_back(place),
            }
        }
    }
}
