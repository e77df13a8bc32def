//! What became of a node in a run, and what that looks like.

use loom_core::Ending;

/// What became of a node, and how often it was visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) state: State,
    pub(super) visits: usize,
}

/// What became of one visit of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    NotTaken,
    Running,
    Paused,
    Done,
    Failed,
    Cancelled,
}

impl State {
    /// The state of what ended like this. What a gate or a limit stopped didn't do its work: it
    /// failed; what was stopped because of something else didn't.
    pub(super) fn of(ending: Ending) -> Self {
        match ending {
            Ending::Completed => Self::Done,
            Ending::Paused => Self::Paused,
            Ending::Cancelled { .. } => Self::Cancelled,
            // Also endings that are yet to come: they aren't known to be good.
            _ => Self::Failed,
        }
    }

    /// One word, also the name of its class in Mermaid.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotTaken => "untaken",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// One character, for the tree.
    pub(super) fn mark(self) -> char {
        match self {
            Self::NotTaken => '·',
            Self::Running => '▶',
            Self::Paused => '‖',
            Self::Done => '✓',
            Self::Failed => '✗',
            Self::Cancelled => '⊘',
        }
    }

    /// The colour it is filled with.
    pub(super) fn fill(self) -> &'static str {
        match self {
            Self::NotTaken => "#f3f3f3",
            Self::Running => "#fff2c2",
            Self::Paused => "#dbe8fd",
            Self::Done => "#d8f0d8",
            Self::Failed => "#fbd3d3",
            Self::Cancelled => "#e7def4",
        }
    }

    /// The colour that a cluster is filled with: fainter, so that what is inside stands out.
    pub(super) fn fill_around(self) -> &'static str {
        match self {
            Self::NotTaken => "#f9f9f9",
            Self::Running => "#fffaea",
            Self::Paused => "#f2f7fe",
            Self::Done => "#f1faf1",
            Self::Failed => "#fdf0f0",
            Self::Cancelled => "#f7f4fb",
        }
    }

    /// The colour of its border.
    pub(super) fn stroke(self) -> &'static str {
        match self {
            Self::NotTaken => "#b5b5b5",
            Self::Running => "#c79400",
            Self::Paused => "#3f74c8",
            Self::Done => "#37863a",
            Self::Failed => "#c03434",
            Self::Cancelled => "#7d57ab",
        }
    }
}
