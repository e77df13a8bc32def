//! `ErrorKind`: the sorts of errors, and what follows from each.

/// What sort of thing went wrong. It decides whether a retry helps, whether a model reads it,
/// and how the span closes.
///
/// | kind | made by | retried | told to the model | closes as |
/// |---|---|---|---|---|
/// | `Failed` | a step's or tool's own error; another run's end | yes | yes | failed |
/// | `Upstream` | a model or service | if retryable | yes | failed |
/// | `Timeout` | a `.timeout(..)` | yes | yes | failed |
/// | `Invalid` | bad input, arguments, output, definition | no | yes | failed |
/// | `Denied` | a gate | no | yes | denied |
/// | `LimitReached` | a limit of one run: turns, steps, visits, depth, nesting | no | yes | interrupted |
/// | `Panicked` | a caught panic | no | yes, the message only | failed |
/// | `Stopped` | the door, once the run ends or the effect waits for an answer | no | no | as the run's state says |
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
    /// A gate refused.
    Denied,
    /// A limit of one run was reached. A limit of the whole tree ends the run instead.
    LimitReached,
    /// A panic was caught.
    Panicked,
    /// The run is ending, or this effect waits for an answer. It has no power of its own: made by
    /// anything but the door it is an ordinary failure, and swallowing it changes nothing.
    Stopped,
}

impl ErrorKind {
    const ALL: [Self; 8] = [
        Self::Failed,
        Self::Upstream,
        Self::Timeout,
        Self::Invalid,
        Self::Denied,
        Self::LimitReached,
        Self::Panicked,
        Self::Stopped,
    ];

    /// The kind's name in records: `failed`, `upstream`, `timeout` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Upstream => "upstream",
            Self::Timeout => "timeout",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::LimitReached => "limit_reached",
            Self::Panicked => "panicked",
            Self::Stopped => "stopped",
        }
    }

    /// The kind of this name in records.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub(super) fn is_ever_retryable(self) -> bool {
        matches!(self, Self::Failed | Self::Timeout | Self::Upstream)
    }

    pub(super) fn is_plain_failure(self) -> bool {
        self.is_ever_retryable() || self == Self::Invalid
    }
}
