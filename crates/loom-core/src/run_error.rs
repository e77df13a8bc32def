//! `RunError`: how a run ended that returned no output.

use std::fmt;

use crate::control::Cause;
use crate::ending::{CancelReason, Ending};
use crate::error::Error;
use crate::outcome::Report;
use crate::question::Question;

/// What a run ended with instead of an output: how, why, what it did until then, and what it
/// waits for.
///
/// ```
/// use loom_core::{ErrorKind, Loom, Result, RunErrorKind};
///
/// async fn refuse(_: ()) -> Result<()> {
///     Err(loom_core::Error::invalid("no such invoice"))
/// }
///
/// # futures::executor::block_on(async {
/// let ended = Loom::builder().build().session("alice").run(&refuse, ()).await.unwrap_err();
/// assert_eq!(ended.kind(), RunErrorKind::Failed);
/// assert_eq!(ended.error().kind(), ErrorKind::Invalid);
/// assert_eq!(ended.to_string(), "refuse: no such invoice");
/// # });
/// ```
pub struct RunError(Box<Ended>);

struct Ended {
    kind: RunErrorKind,
    error: Error,
    questions: Vec<Question>,
    report: Option<Report>,
}

/// How a run ended that returned no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunErrorKind {
    /// It failed, or couldn't begin.
    Failed,
    /// A gate refused.
    Denied,
    /// A limit was reached: its own, or one of the whole tree.
    Interrupted,
    /// It was cancelled.
    Cancelled(CancelReason),
    /// It waits for answers: see [`RunError::questions`].
    Paused,
    /// A part it can't do without stopped working: the journal, or an installed part such as an
    /// audit log.
    Broken,
}

impl RunErrorKind {
    /// The kind in one word: `failed`, `denied`, `interrupted`, `cancelled`, `paused`, `broken`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
            Self::Cancelled(_) => "cancelled",
            Self::Paused => "paused",
            Self::Broken => "broken",
        }
    }

    /// The kind of a run whose root closed like this; `None` for one that completed.
    pub(crate) fn of(ending: Ending) -> Option<Self> {
        Some(match ending {
            Ending::Completed => return None,
            Ending::Failed => Self::Failed,
            Ending::Denied => Self::Denied,
            Ending::Interrupted => Self::Interrupted,
            Ending::Paused => Self::Paused,
            Ending::Cancelled { why } => Self::Cancelled(why),
        })
    }
}

impl RunError {
    pub(crate) fn new(kind: RunErrorKind, error: Error) -> Self {
        Self(Box::new(Ended {
            kind,
            error,
            questions: Vec::new(),
            report: None,
        }))
    }

    pub(crate) fn waiting_for(mut self, questions: Vec<Question>) -> Self {
        self.0.questions = questions;
        self
    }

    pub(crate) fn reporting(mut self, report: Report) -> Self {
        self.0.report = Some(report);
        self
    }

    /// How the run ended.
    pub fn kind(&self) -> RunErrorKind {
        self.0.kind
    }

    /// What went wrong: its kind, message, path and source.
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// What went wrong, without the path.
    pub fn message(&self) -> &str {
        self.0.error.message()
    }

    /// The path of the innermost effect it happened in.
    pub fn path(&self) -> Option<&str> {
        self.0.error.path()
    }

    /// What a paused run waits for: exactly the questions that are open; empty for any other.
    pub fn questions(&self) -> &[Question] {
        &self.0.questions
    }

    /// What the run did until it ended; `None` if it never began.
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_ref()
    }
}

impl From<Error> for RunError {
    /// A run that couldn't begin.
    fn from(error: Error) -> Self {
        Self::new(RunErrorKind::Failed, error)
    }
}

impl From<Cause> for RunError {
    fn from(cause: Cause) -> Self {
        let kind = match cause.is_broken {
            true => RunErrorKind::Broken,
            false => RunErrorKind::of(cause.ending).unwrap_or(RunErrorKind::Failed),
        };
        Self::new(kind, cause.error)
    }
}

impl From<RunError> for Error {
    /// What the end of a run is for the run that called it: `Invalid`, `Upstream` and `Timeout`
    /// keep kind and retryability, anything else is `Failed` and not retryable.
    fn from(ended: RunError) -> Self {
        ended.0.error.seen_from_outside()
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.error, f)
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunError")
            .field("kind", &self.0.kind)
            .field("error", &self.0.error)
            .field("questions", &self.0.questions)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.error)
    }
}
