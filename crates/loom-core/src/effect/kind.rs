//! `EffectKind`: the sorts of effects.

use serde::Serialize;

use crate::safety::Safety;

/// What sort of effect passes the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// A workflow's run.
    Workflow,
    /// A step of a workflow, or `cx.step`.
    Step,
    /// An agent's run.
    Agent,
    /// A turn of an agent's loop.
    Turn,
    /// A call of a model.
    Model,
    /// A call of a tool.
    Tool,
}

impl EffectKind {
    /// The span's name: the project's contract with readers of traces.
    pub fn span_name(self) -> &'static str {
        match self {
            Self::Workflow => "loom.workflow.run",
            Self::Step => "loom.workflow.step",
            Self::Agent => "loom.run",
            Self::Turn => "loom.turn",
            Self::Model => "loom.model.stream",
            Self::Tool => "loom.tool",
        }
    }

    /// Who emits such a span: `workflow` or `agent`.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Workflow | Self::Step => "workflow",
            Self::Agent | Self::Turn | Self::Model | Self::Tool => "agent",
        }
    }

    /// Whether it is a run: an agent's or a workflow's.
    pub fn is_run(self) -> bool {
        match self {
            Self::Workflow | Self::Agent => true,
            Self::Step | Self::Turn | Self::Model | Self::Tool => false,
        }
    }

    /// What an effect of this kind is that declares nothing.
    pub(super) fn safety(self) -> Safety {
        match self {
            Self::Tool => Safety::NotIdempotent,
            Self::Workflow | Self::Step | Self::Agent | Self::Turn | Self::Model => {
                Safety::Idempotent
            }
        }
    }
}
