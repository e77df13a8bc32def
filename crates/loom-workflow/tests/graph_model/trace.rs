//! `Trace`: all that one run of a graph shows, of the model as of the real thing.

use std::collections::BTreeMap;

use loom_core::ErrorKind;

/// A body that ran: its node, the number of the visit, what it was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Visit {
    pub(crate) node: String,
    pub(crate) visit: u32,
    pub(crate) inputs: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ended {
    Output(String),
    Failed(ErrorKind, String),
    /// Waiting for answers to questions, by their paths.
    Paused(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trace {
    /// The bodies that ran, as they began.
    pub(crate) begun: Vec<Visit>,
    /// How many ran before each choice of which one ends next.
    pub(crate) running: Vec<usize>,
    /// The nodes whose visits completed, in that order.
    pub(crate) visited: Vec<String>,
    pub(crate) ended: Ended,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Trace {
            begun: Vec::new(),
            running: Vec::new(),
            visited: Vec::new(),
            ended: Ended::Paused(Vec::new()),
        }
    }

    /// What each visit was given, in whatever order they came.
    pub(crate) fn given(&self) -> BTreeMap<(&str, u32), &str> {
        let mut given = BTreeMap::new();
        for it in &self.begun {
            given.insert((it.node.as_str(), it.visit), it.inputs.as_str());
        }
        given
    }
}
