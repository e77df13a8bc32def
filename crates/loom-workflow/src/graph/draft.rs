//! A graph as it is declared, before anybody checked it.

use std::sync::Arc;

use loom_core::Name;

use crate::concurrency::CONCURRENCY_MAX;
use crate::graph::body::Body;
use crate::graph::plan::Caps;
use crate::graph::router::Picks;

pub(crate) struct Draft {
    pub(crate) name: Name,
    pub(crate) nodes: Vec<DraftNode>,
    pub(crate) edges: Vec<DraftEdge>,
    /// Each router with the node it stands at.
    pub(crate) routers: Vec<(Name, Picks)>,
    /// The nodes whose failures are values.
    pub(crate) settled: Vec<Name>,
    /// The nodes whose outputs go nowhere.
    pub(crate) sinks: Vec<Name>,
    pub(crate) caps: Caps,
    /// What is known to be wrong already.
    pub(crate) wrong: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct DraftNode {
    pub(crate) name: Name,
    pub(crate) body: Arc<dyn Body>,
    /// The name of its router, where that has one.
    pub(crate) routed_by: Option<Name>,
}

#[derive(Clone, Debug)]
pub(crate) struct DraftEdge {
    pub(crate) from: Name,
    pub(crate) to: Name,
    pub(crate) by: By,
}

/// What takes an edge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum By {
    /// Everything its source gives.
    All,
    /// What the router of its source gives this label.
    Label(Name),
    /// What the router of its source gives a label that no edge has.
    Otherwise,
}

impl Draft {
    pub(crate) fn new(name: Name) -> Self {
        Self {
            name,
            nodes: Vec::new(),
            edges: Vec::new(),
            routers: Vec::new(),
            settled: Vec::new(),
            sinks: Vec::new(),
            caps: Caps {
                concurrency_max: CONCURRENCY_MAX,
                steps_max: 100,
                visits_max: 25,
            },
            wrong: Vec::new(),
        }
    }
}
