//! From a described graph to a declared one.

use std::sync::Arc;

use loom_core::{BoxFuture, Error, Info, Kind, Name, Result, RunContext, Safety};
use serde_json::Value;

use crate::graph::Graph;
use crate::graph::alike::hint;
use crate::graph::body::{Body, Visit};
use crate::graph::draft::{By, Draft, DraftEdge, DraftNode};
use crate::graph::joined::Inputs;
use crate::graph::router;
use crate::graph::spec::{EdgeSpec, GraphSpec, NodeSpec};
use crate::graph::steps::Steps;

/// The graph that this describes, with what is unknown in it noted.
pub(crate) fn graph(spec: &GraphSpec, steps: &Steps) -> Graph {
    let mut draft = Draft::new(spec.name.clone());
    draft.wrong.clone_from(&steps.doubled);
    for node in &spec.nodes {
        add_node(&mut draft, node, steps);
    }
    for edge in &spec.edges {
        add_edge(&mut draft, edge);
    }
    let caps = &mut draft.caps;
    caps.steps_max = spec.steps_max.unwrap_or(caps.steps_max);
    caps.visits_max = spec.visits_max.unwrap_or(caps.visits_max);
    caps.concurrency_max = spec.concurrency_max.unwrap_or(caps.concurrency_max);
    Graph::of(draft)
}

fn add_node(draft: &mut Draft, node: &NodeSpec, steps: &Steps) {
    let step = node.step.as_ref().unwrap_or(&node.name);
    let body = steps.steps.get(step).cloned().unwrap_or_else(|| {
        draft.wrong.push(format!(
            "the node {:?}: no step is registered as {step:?} ({})",
            node.name,
            hint(step, steps.steps.keys())
        ));
        Arc::new(Unknown)
    });
    draft.nodes.push(DraftNode {
        name: node.name.clone(),
        body: Arc::new(Registered {
            name: step.clone(),
            body,
        }),
        routed_by: node.router.clone(),
    });
    if let Some(router) = &node.router {
        let picks = steps.routers.get(router).cloned().unwrap_or_else(|| {
            draft.wrong.push(format!(
                "the node {:?}: no router is registered as {router:?} ({})",
                node.name,
                hint(router, steps.routers.keys())
            ));
            // Else its labels would be told to have no router at all.
            router::of_text(str::to_owned)
        });
        draft.routers.push((node.name.clone(), picks));
    }
    if node.settle {
        draft.settled.push(node.name.clone());
    }
    if node.sink {
        draft.sinks.push(node.name.clone());
    }
}

fn add_edge(draft: &mut Draft, edge: &EdgeSpec) {
    let by = match (&edge.label, edge.otherwise) {
        (Some(label), false) => By::Label(label.clone()),
        (None, true) => By::Otherwise,
        (None, false) => By::All,
        (Some(label), true) => {
            draft.wrong.push(format!(
                "the edge {:?} -> {:?} is for the label {label:?} and for all others: it may be for one",
                edge.from, edge.to
            ));
            By::Otherwise
        }
    };
    draft.edges.push(DraftEdge {
        from: edge.from.clone(),
        to: edge.to.clone(),
        by,
    });
}

/// A step by the name it was registered under.
struct Registered {
    name: Name,
    body: Arc<dyn Body>,
}

impl Body for Registered {
    fn joins(&self) -> bool {
        self.body.joins()
    }

    fn info(&self) -> Info {
        let mut info = self.body.info();
        if info.name.is_empty() {
            info.name = self.name.clone();
        }
        match info.name == self.name {
            true => info,
            false => Info::new(self.name.clone(), Kind::Function).with_parts([info]),
        }
    }

    fn safety(&self) -> Safety {
        self.body.safety()
    }

    fn run<'a>(
        &'a self,
        cx: &'a RunContext,
        visit: Visit<'a>,
        inputs: Inputs,
    ) -> BoxFuture<'a, Result<Arc<Value>>> {
        self.body.run(cx, visit, inputs)
    }
}

/// Stands in for a step that isn't registered, until `build()` says so.
struct Unknown;

impl Body for Unknown {
    fn joins(&self) -> bool {
        false
    }

    fn info(&self) -> Info {
        Info::default()
    }

    fn safety(&self) -> Safety {
        Safety::default()
    }

    fn run<'a>(
        &'a self,
        _cx: &'a RunContext,
        _visit: Visit<'a>,
        _inputs: Inputs,
    ) -> BoxFuture<'a, Result<Arc<Value>>> {
        Box::pin(async { Err(Error::invalid("the step isn't registered")) })
    }
}
