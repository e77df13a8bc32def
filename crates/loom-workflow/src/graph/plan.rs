//! Running a graph: nodes as branches of the workflow's run, begun as the schedule says.

use std::marker::PhantomData;
use std::sync::Arc;

use loom_core::{
    BoxFuture, Branch, Data, Effect, Error, ErrorKind, Name, Result, ResultExt, RunContext,
};
use serde_json::Value;

use crate::graph::body::{Body, Visit};
use crate::graph::flow::Flow;
use crate::graph::joined::{GraphOutput, Inputs};
use crate::graph::reach::Reach;
use crate::graph::router::Router;
use crate::graph::schedule::{Parcel, Schedule};
use crate::workflow::Plan;

/// A graph that was checked, as it is run.
pub(crate) struct GraphPlan<I, O> {
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) flow: Flow,
    /// The source of each edge.
    pub(crate) sources: Arc<[Name]>,
    pub(crate) reach: Reach,
    pub(crate) caps: Caps,
    pub(crate) types: PhantomData<fn(I) -> O>,
}

pub(crate) struct PlanNode {
    /// What is announced for each visit.
    pub(crate) effect: Effect,
    pub(crate) body: Arc<dyn Body>,
    /// Absent for one with plain edges.
    pub(crate) router: Option<Router>,
    pub(crate) is_settled: bool,
}

/// What bounds one run of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// Bodies that run at the same time; further ones wait.
    pub(crate) concurrency_max: usize,
    /// Steps of a run, where the graph has a cycle.
    pub(crate) steps_max: u32,
    /// Visits of one node in a run, where the graph has a cycle.
    pub(crate) visits_max: u32,
}

impl<I: Data, O: GraphOutput> Plan<I, O::Out> for GraphPlan<I, O> {
    fn run<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<O::Out>> {
        Box::pin(async move {
            let input = Arc::new(input.to_value()?);
            let start = self.flow.out[self.flow.nodes].iter().copied();
            let mut schedule = Schedule::new(&self.flow, &self.reach);
            schedule.send(&input, start);
            drop(input);
            let mut counts = Counts::new(self);
            let mut live = cx.branches();
            loop {
                while !live.is_paused() && live.len() < self.caps.concurrency_max {
                    let Some((node, parcels)) = schedule.begin() else {
                        break;
                    };
                    if let Err(reached) = counts.begin(cx, node) {
                        return Err(live.fail(reached));
                    }
                    live.push(node, self.visit(node, parcels));
                }
                let Some((node, value)) = live.next().await? else {
                    break;
                };
                match self.edges_from(node, &value) {
                    Ok(edges) => schedule.end(node, &value, edges.iter().copied()),
                    Err(error) => return Err(live.fail(error)),
                }
            }
            self.output(schedule.into_ended()?)
        })
    }
}

impl<I, O> GraphPlan<I, O> {
    /// One visit of a node.
    fn visit<'a>(&'a self, node: usize, parcels: Vec<Parcel>) -> Branch<'a, Arc<Value>> {
        let it = &self.nodes[node];
        let visit = Visit {
            effect: &it.effect,
            is_settled: it.is_settled,
        };
        let inputs = self.inputs(parcels, it.body.joins());
        Branch::of_one_effect(move |cx| async move { it.body.run(&cx, visit, inputs).await })
    }

    fn inputs(&self, parcels: Vec<Parcel>, joins: bool) -> Inputs {
        Inputs {
            parcels,
            sources: self.sources.clone(),
            joins,
        }
    }

    /// The edges that what a node gave goes along.
    fn edges_from(&self, node: usize, value: &Value) -> Result<&[usize]> {
        let out = &self.flow.out[node];
        match &self.nodes[node].router {
            None => Ok(out),
            Some(router) => {
                let picked = router
                    .pick(value)
                    .context(self.nodes[node].effect.name().as_str())?;
                Ok(&out[picked..=picked])
            }
        }
    }
}

impl<I, O: GraphOutput> GraphPlan<I, O> {
    fn output(&self, ended: Vec<Parcel>) -> Result<O::Out> {
        if ended.is_empty() {
            return Err(Error::new(
                ErrorKind::Failed,
                "the graph ran to its end without anything reaching END",
            ));
        }
        O::gather(self.inputs(ended, O::JOINS)).context("END")
    }
}

/// How far a run of a graph with cycles came; one without is bounded by itself.
struct Counts<'a> {
    caps: &'a Caps,
    nodes: &'a [PlanNode],
    is_cyclic: bool,
    steps: u32,
    visits: Vec<u32>,
}

impl<'a> Counts<'a> {
    fn new<I, O>(plan: &'a GraphPlan<I, O>) -> Self {
        let is_cyclic = plan.flow.is_cyclic();
        Self {
            caps: &plan.caps,
            nodes: &plan.nodes,
            is_cyclic,
            steps: 0,
            visits: if is_cyclic {
                vec![0; plan.nodes.len()]
            } else {
                Vec::new()
            },
        }
    }

    /// Counts a visit that is about to begin.
    fn begin(&mut self, cx: &RunContext, node: usize) -> Result<()> {
        if !self.is_cyclic {
            return Ok(());
        }
        self.steps += 1;
        self.visits[node] += 1;
        let reached = if self.steps > self.caps.steps_max {
            cx.limit_reached("steps_max", self.caps.steps_max.into())
        } else if self.visits[node] > self.caps.visits_max {
            cx.limit_reached("visits_max", self.caps.visits_max.into())
        } else {
            return Ok(());
        };
        Err(reached).context(self.nodes[node].effect.name().as_str())
    }
}
