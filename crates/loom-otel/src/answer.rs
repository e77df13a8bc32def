//! `Answer`: what was said to a question, without its words.

use loom_core::{Question, Whereabouts};

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
    pub(crate) fn of(cx: &Whereabouts, question: &Question, refused: Option<&str>) -> Self {
        match (refused, is_approval(cx, question)) {
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

/// Whether a gate asked, and not the effect's own body by `cx.ask`.
///
/// Only the path tells, which ends in `#2` for the second gate of a name: without this, any answer
/// but "no" to a step's own question would be shown as allowed.
pub(crate) fn is_approval(cx: &Whereabouts, question: &Question) -> bool {
    question.path.starts_with(&format!("{}#ask:", cx.path()))
}
