//! A node of a dag: a step with the handles on what it takes, its types forgotten.

use loom_core::{Accepts, Branch, Data, IntoStep, Result};

use crate::dag::handles::Handles;
use crate::dag::values::Values;
use crate::node::StepNode;
use crate::payload::Payload;

/// A node that can begin.
pub(crate) trait Begin: Send + Sync {
    /// Takes what it needs; gives the branch that runs it.
    fn begin<'a>(&'a self, values: &mut Values) -> Result<Branch<'a, Payload>>;
}

pub(crate) struct DagStep<V, N, R, O> {
    takes: V,
    step: N,
    /// What the step's result counts as.
    finish: fn(R) -> Result<O>,
}

impl<V, N, R, O> DagStep<V, N, R, O> {
    pub(crate) fn new(takes: V, step: N, finish: fn(R) -> Result<O>) -> Self {
        Self {
            takes,
            step,
            finish,
        }
    }
}

impl<V, J, M, S, O> Begin for DagStep<V, StepNode<V::Value, J, M, S>, Result<S::Out>, O>
where
    V: Handles,
    J: Accepts<V::Value> + Data,
    M: 'static,
    S: IntoStep<J, M>,
    S::Out: Data,
    O: Send + 'static,
{
    fn begin<'a>(&'a self, values: &mut Values) -> Result<Branch<'a, Payload>> {
        let input = self.takes.take(values)?;
        Ok(Branch::of_one_effect(move |cx| async move {
            let output = (self.finish)(self.step.perform(&cx, input).await)?;
            Ok(Payload::new(output))
        }))
    }
}
