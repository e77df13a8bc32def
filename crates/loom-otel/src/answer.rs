//! `Answer`: what was said to a question, without its words.

use loom_core::{Origin, Question};

/// What was said to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The effect may happen.
    Allowed,
    /// The effect must not happen, or the answer to a question of its own was "no".
    Refused,
    /// The question wasn't whether something may happen, so what was said is content.
    Told,
}

impl Answer {
    pub(crate) fn of(question: &Question, refused: Option<&str>) -> Self {
        match (refused, is_approval(question)) {
            (Some(_), _) => Self::Refused,
            (None, true) => Self::Allowed,
            (None, false) => Self::Told,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Told => "answered",
        }
    }
}

/// Whether a gate asked, and not the effect's own body by `cx.ask`, or the journal about an effect
/// that is unfinished.
pub(crate) fn is_approval(question: &Question) -> bool {
    question.origin == Origin::Approval
}
