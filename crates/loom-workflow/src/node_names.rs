//! What the nodes of a workflow are called.

use std::collections::HashMap;

use loom_core::{Info, Name};

/// How much of a long name an error shows.
const START_CHARS: usize = 40;

/// The names of a workflow's nodes so far, each one once.
#[derive(Default)]
pub(crate) struct NodeNames {
    /// Each with the highest number that was put behind it, so that none is tried again.
    taken: HashMap<Name, u64>,
    wrong: Vec<String>,
}

impl NodeNames {
    /// A name for the node that holds this step: the step's own, `agent_node` for an unnamed
    /// agent, `step_3` for a closure in the third place; with `_2`, `_3` behind it if it is taken.
    pub(crate) fn of_step(&mut self, info: &Info, place: usize) -> Name {
        let own = info.node_name();
        let name = if own.is_empty() {
            format!("step_{place}").into()
        } else {
            own
        };
        self.take(name)
    }

    /// This name, or the next free one made from it.
    pub(crate) fn take(&mut self, name: Name) -> Name {
        let name = match self.taken.contains_key(&name) {
            false => {
                self.check("a step", &name);
                name
            }
            true => self.next_free(&name),
        };
        self.taken.insert(name.clone(), 1);
        name
    }

    /// Takes a name that somebody gave on purpose: noted as wrong if it is taken.
    pub(crate) fn take_once(&mut self, name: &Name) {
        self.check("a node", name);
        if self.taken.insert(name.clone(), 1).is_some() {
            self.wrong.push(format!("two nodes are named {name:?}"));
        }
    }

    /// Notes a name that is no name.
    pub(crate) fn check(&mut self, what: &str, name: &Name) {
        if let Err(error) = name.check() {
            self.wrong.push(format!("{what}: {}", error.message()));
        }
    }

    /// Notes a cap of a node's that lets nothing run.
    pub(crate) fn check_cap(&mut self, node: &Name, cap: &str, is_zero: bool) {
        if is_zero {
            self.wrong
                .push(format!("{node:?}: {cap} is 0: then nothing could run"));
        }
    }

    /// What is wrong with the names and caps given so far.
    pub(crate) fn into_wrong(self) -> Vec<String> {
        self.wrong
    }

    fn next_free(&mut self, name: &Name) -> Name {
        let mut n = self.taken.get(name).copied().unwrap_or(1);
        let free = loop {
            n += 1;
            let candidate = Name::from(format!("{name}_{n}"));
            if !self.taken.contains_key(&candidate) {
                break candidate;
            }
        };
        self.taken.insert(name.clone(), n);
        if name.check().is_ok() && free.check().is_err() {
            // The number makes it too long: whoever is told of that alone doesn't see why.
            let start: String = name.chars().take(START_CHARS).collect();
            self.wrong.push(format!(
                "two steps are named \"{start}…\", which is too long for a number behind it"
            ));
        } else {
            self.check("a step", &free);
        }
        free
    }
}
