//! `Action`: what a row says happened, and which rows belong together.

use loom_core::{EffectKind, Ending};

/// What a row says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// An effect was opened.
    Opening(Family),
    /// An effect that was opened ended.
    Closing(Family, End),
    /// A model call is over; it has no opening row.
    ModelCall(End),
    /// Something was said of an effect, mostly between its opening and its closing.
    Remark(Remark),
}

/// What may be said of an effect, any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// A gate refused it.
    PermissionDenied,
    /// Somebody was asked something.
    ApprovalRequested,
    /// Somebody answered, and not with no.
    ApprovalGranted,
    /// Somebody said no.
    ApprovalRefused,
    /// It is tried again.
    Retry,
    /// A limit was reached; what that refused has no row but this.
    LimitReached,
    /// It is for another user than the run.
    ActingAs,
    /// The run is resumed after a pause or a crash.
    Resumed,
    /// It was begun in an earlier attempt, and nothing tells how it ended.
    Unfinished,
}

/// The effects that have an opening and a closing row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Workflow,
    Step,
    Run,
    Tool,
}

/// How an effect ended, as rows spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Failed,
    Denied,
    Interrupted,
    Paused,
    Cancelled,
}

impl Action {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Opening(family) => family.opening(),
            Self::Closing(family, end) => family.closings()[end as usize],
            Self::ModelCall(_) => "model_call",
            Self::Remark(remark) => remark.word(),
        }
    }

    /// Who did it.
    pub(crate) fn actor(self) -> &'static str {
        match self {
            Self::Opening(Family::Workflow | Family::Step)
            | Self::Closing(Family::Workflow | Family::Step, _) => "workflow",
            Self::Opening(Family::Run) | Self::Closing(Family::Run, _) => "agent",
            Self::Opening(Family::Tool) | Self::ModelCall(_) => "model",
            Self::Closing(Family::Tool, _) => "tool",
            Self::Remark(remark) => remark.actor(),
        }
    }

    /// How what it is about ended, if it says so.
    pub(crate) fn end(self) -> Option<End> {
        match self {
            Self::Closing(_, end) | Self::ModelCall(end) => Some(end),
            Self::Opening(_) | Self::Remark(_) => None,
        }
    }

    /// The action of a row that says these words.
    pub(crate) fn read(word: &str, end: Option<&str>) -> Option<Self> {
        let Some(end) = end else {
            let openings = Family::ALL.map(Self::Opening).into_iter();
            return openings
                .chain(Remark::ALL.map(Self::Remark))
                .find(|it| it.word() == word);
        };
        let end = End::ALL.into_iter().find(|it| it.as_str() == end)?;
        let closing = Family::ALL.map(|family| Self::Closing(family, end));
        closing
            .into_iter()
            .chain([Self::ModelCall(end)])
            .find(|it| it.word() == word)
    }
}

impl Remark {
    const ALL: [Self; 9] = [
        Self::PermissionDenied,
        Self::ApprovalRequested,
        Self::ApprovalGranted,
        Self::ApprovalRefused,
        Self::Retry,
        Self::LimitReached,
        Self::ActingAs,
        Self::Resumed,
        Self::Unfinished,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission_denied",
            Self::ApprovalRequested => "approval_requested",
            Self::ApprovalGranted => "approval_granted",
            Self::ApprovalRefused => "approval_refused",
            Self::Retry => "retry",
            Self::LimitReached => "limit_reached",
            Self::ActingAs => "acting_as",
            Self::Resumed => "resumed",
            Self::Unfinished => "unfinished",
        }
    }

    fn actor(self) -> &'static str {
        match self {
            Self::PermissionDenied
            | Self::ApprovalRequested
            | Self::ApprovalGranted
            | Self::ApprovalRefused => "gate",
            Self::Retry
            | Self::LimitReached
            | Self::ActingAs
            | Self::Resumed
            | Self::Unfinished => "system",
        }
    }
}

impl Family {
    pub(crate) const ALL: [Self; 4] = [Self::Workflow, Self::Step, Self::Run, Self::Tool];

    /// The family of an effect that has one; turns have no rows, model calls one when they are over.
    pub(crate) fn of(kind: EffectKind) -> Option<Self> {
        match kind {
            EffectKind::Workflow => Some(Self::Workflow),
            EffectKind::Step => Some(Self::Step),
            EffectKind::Agent => Some(Self::Run),
            EffectKind::Tool => Some(Self::Tool),
            EffectKind::Turn | EffectKind::Model => None,
        }
    }

    /// Whether it is a run by itself.
    pub(crate) fn is_run(self) -> bool {
        matches!(self, Self::Workflow | Self::Run)
    }

    fn opening(self) -> &'static str {
        match self {
            Self::Workflow => "workflow_started",
            Self::Step => "step_started",
            Self::Run => "run_started",
            Self::Tool => "tool_call",
        }
    }

    /// In the order of [`End::ALL`].
    fn closings(self) -> [&'static str; 6] {
        match self {
            Self::Workflow => [
                "workflow_completed",
                "workflow_failed",
                "workflow_denied",
                "workflow_interrupted",
                "workflow_paused",
                "workflow_cancelled",
            ],
            Self::Step => [
                "step_completed",
                "step_failed",
                "step_denied",
                "step_interrupted",
                "step_paused",
                "step_cancelled",
            ],
            Self::Run => [
                "run_completed",
                "run_failed",
                "run_denied",
                "run_interrupted",
                "run_paused",
                "run_cancelled",
            ],
            Self::Tool => [
                "tool_result",
                "tool_result",
                "tool_denied",
                "tool_interrupted",
                "tool_paused",
                "tool_cancelled",
            ],
        }
    }
}

impl End {
    const ALL: [Self; 6] = [
        Self::Completed,
        Self::Failed,
        Self::Denied,
        Self::Interrupted,
        Self::Paused,
        Self::Cancelled,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn of(ending: Ending) -> Self {
        match ending {
            Ending::Completed => Self::Completed,
            Ending::Denied => Self::Denied,
            Ending::Interrupted => Self::Interrupted,
            Ending::Paused => Self::Paused,
            Ending::Cancelled { .. } => Self::Cancelled,
            // `Ending` may grow; what this format has no word for didn't complete.
            Ending::Failed | _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_back_from_its_words() {
        let closings = Family::ALL
            .into_iter()
            .flat_map(|family| End::ALL.map(|end| Action::Closing(family, end)));
        let all: Vec<Action> = Family::ALL
            .map(Action::Opening)
            .into_iter()
            .chain(closings)
            .chain(End::ALL.map(Action::ModelCall))
            .chain(Remark::ALL.map(Action::Remark))
            .collect();
        assert_eq!(all.len(), 43);
        for action in all {
            let end = action.end().map(End::as_str);
            assert_eq!(Action::read(action.word(), end), Some(action));
        }
    }

    #[test]
    fn words_that_contradict_each_other_are_no_action() {
        assert_eq!(Action::read("step_completed", Some("failed")), None);
        assert_eq!(Action::read("step_completed", None), None);
        assert_eq!(Action::read("step_started", Some("completed")), None);
        assert_eq!(Action::read("tool_result", Some("denied")), None);
        assert_eq!(Action::read("loop_started", None), None);
        assert_eq!(Action::read("approval_granted", Some("completed")), None);
    }
}
