//! What the nodes of a workflow are called.

use loom_core::{Info, Name};

/// The names of a workflow's nodes so far, each one once.
#[derive(Default)]
pub(crate) struct NodeNames {
    taken: Vec<Name>,
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
        let name = match self.taken.contains(&name) {
            false => name,
            true => self.next_free(&name),
        };
        self.check("a step", &name);
        self.taken.push(name.clone());
        name
    }

    /// Notes a name that is no name.
    pub(crate) fn check(&mut self, what: &str, name: &Name) {
        if let Err(error) = name.check() {
            self.wrong.push(format!("{what}: {}", error.message()));
        }
    }

    /// What is wrong with the names given so far.
    pub(crate) fn into_wrong(self) -> Vec<String> {
        self.wrong
    }

    fn next_free(&self, name: &Name) -> Name {
        let mut n = 2u64;
        loop {
            let candidate = Name::from(format!("{name}_{n}"));
            if !self.taken.contains(&candidate) {
                return candidate;
            }
            n += 1;
        }
    }
}
