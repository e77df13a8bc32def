//! Running a dag: a node begins when the last of what it takes is there.

use std::collections::VecDeque;
use std::marker::PhantomData;

use loom_core::{BoxFuture, Data, Result, RunContext};

use crate::dag::handles::Handles;
use crate::dag::step::Begin;
use crate::dag::values::Values;
use crate::discard::discard;
use crate::payload::Payload;
use crate::workflow::Plan;

/// A dag that was checked, as it is run.
pub(crate) struct DagPlan<I, V> {
    nodes: Vec<Box<dyn Begin>>,
    /// How often each value is taken, the input's first.
    uses: Vec<usize>,
    /// Who takes what each node gives, in order; one that takes it twice is there twice.
    takers: Vec<Vec<usize>>,
    /// How much of what each node takes must be given by other nodes.
    awaited: Vec<usize>,
    output: V,
    concurrency_max: usize,
    types: PhantomData<fn(I)>,
}

impl<I, V> DagPlan<I, V> {
    pub(crate) fn new(
        nodes: Vec<Box<dyn Begin>>,
        takes: &[Vec<usize>],
        ends: &[usize],
        output: V,
        concurrency_max: usize,
    ) -> Self {
        let mut uses = vec![0; nodes.len() + 1];
        let mut takers = vec![Vec::new(); nodes.len()];
        let mut awaited = vec![0; nodes.len()];
        for place in takes.iter().flatten().chain(ends) {
            uses[*place] += 1;
        }
        for (node, places) in takes.iter().enumerate() {
            for from in places.iter().filter_map(|place| place.checked_sub(1)) {
                takers[from].push(node);
                awaited[node] += 1;
            }
        }
        Self {
            nodes,
            uses,
            takers,
            awaited,
            output,
            concurrency_max,
            types: PhantomData,
        }
    }
}

impl<I: Data, V: Handles> Plan<I, V::Value> for DagPlan<I, V> {
    fn run<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<V::Value>> {
        Box::pin(async move {
            let mut values = Values::none(&self.uses);
            values.put(0, Payload::new(input));
            let mut awaited = self.awaited.clone();
            let mut ready: VecDeque<usize> =
                (0..awaited.len()).filter(|it| awaited[*it] == 0).collect();
            let mut live = cx.branches();
            loop {
                while !live.is_paused() && live.len() < self.concurrency_max {
                    let Some(node) = ready.pop_front() else {
                        break;
                    };
                    match self.nodes[node].begin(&mut values) {
                        Ok(branch) => live.push(node, branch),
                        Err(error) => return Err(live.fail(error)),
                    }
                }
                let (node, value) = match live.next().await {
                    Ok(Some(ended)) => ended,
                    Ok(None) => break,
                    Err(error) => {
                        discard(values);
                        return Err(error);
                    }
                };
                values.put(node + 1, value);
                for taker in &self.takers[node] {
                    awaited[*taker] -= 1;
                    if awaited[*taker] == 0 {
                        ready.push_back(*taker);
                    }
                }
            }
            self.output.take(&mut values)
        })
    }
}
