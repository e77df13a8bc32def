//! `ErrorKind`: the sorts of errors, and what follows from each.

/// What sort of thing went wrong. It decides whether a retry helps, whether a model is told,
/// and how the span closes.
///
/// | kind | made by | retried | told to the model | closes as |
/// |---|---|---|---|---|
/// | `Failed` | a step's or tool's own error | yes | yes | failed |
/// | `Upstream` | a model or service | if retryable | yes | failed |
/// | `Timeout` | a `.timeout(..)` | yes | yes | failed |
/// | `Invalid` | bad input, arguments, output, definition | no | yes | failed |
/// | `Denied` | a gate | no | yes | denied |
/// | `Panicked` | a caught panic | no | yes, the message only | failed |
/// | `Interrupted` | a limit: a run's own, or one of the whole tree | no | own: yes, tree: no | interrupted |
/// | `Cancelled` | a handle, a deadline, a sibling, a dropped future | no | no | cancelled |
/// | `Paused` | a question without an answer | no | no | paused |
/// | `Internal` | a bug or a broken store of ours | no | no | failed |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A step's or tool's own error: the default for errors of users' functions.
    Failed,
    /// A model or another service failed.
    Upstream,
    /// A time limit passed.
    Timeout,
    /// Bad input, arguments, output or definition.
    Invalid,
    /// A gate said no.
    Denied,
    /// A limit was reached.
    Interrupted,
    /// The run was cancelled.
    Cancelled,
    /// The run waits for an answer.
    Paused,
    /// A panic was caught.
    Panicked,
    /// A bug or a broken store of ours.
    Internal,
}

impl ErrorKind {
    /// The kind's name in records: `failed`, `upstream`, `timeout` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Upstream => "upstream",
            Self::Timeout => "timeout",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Panicked => "panicked",
            Self::Internal => "internal",
        }
    }

    /// The kind of this name in records.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Failed,
            Self::Upstream,
            Self::Timeout,
            Self::Invalid,
            Self::Denied,
            Self::Interrupted,
            Self::Cancelled,
            Self::Paused,
            Self::Panicked,
            Self::Internal,
        ];
        all.into_iter().find(|kind| kind.as_str() == name)
    }

    pub(super) fn is_ever_retryable(self) -> bool {
        matches!(self, Self::Failed | Self::Timeout | Self::Upstream)
    }

    pub(super) fn is_plain_failure(self) -> bool {
        self.is_ever_retryable() || self == Self::Invalid
    }
}
