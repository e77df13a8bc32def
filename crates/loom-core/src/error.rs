//! One `Error` at the seam: what happened, of which kind, and where.

mod kind;

use std::fmt;
use std::sync::Arc;

use crate::ending::Ending;
use crate::run_error::RunError;

pub use kind::ErrorKind;

/// Any error that may cross threads: what steps written by users may return.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a step can fail with.
///
/// An error describes a failure and controls nothing: whether a run ends or pauses is written in
/// the state of the run, so no wrapper, fallback or foreign error can hide it. Displayed with the
/// path of the effect it happened in: `refund/authorize: no such invoice`.
///
/// ```
/// use loom_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Invalid, "the amount is negative");
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.to_string(), "the amount is negative");
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    retryable: bool,
    message: String,
    path: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind; the message in lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            retryable: matches!(kind, ErrorKind::Failed | ErrorKind::Timeout),
            message: message.into(),
            path: None,
            source: None,
        }))
    }

    /// Bad input, arguments, output or definition.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An error of this kind that keeps the one it came from.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind};
    ///
    /// let error = Error::with_source(ErrorKind::Upstream, "asking", std::io::Error::other("reset"));
    /// assert_eq!(error.kind(), ErrorKind::Upstream);
    /// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "reset");
    /// ```
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<BoxError>,
    ) -> Self {
        let mut error = Self::new(kind, message);
        error.0.source = Some(Arc::from(source.into()));
        error
    }

    /// Converts any error: one of this crate's stays as it is, a [`RunError`] becomes the failure
    /// it is for the run around it, and any other is `Failed` with itself as the source.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind};
    ///
    /// let foreign = Error::from_any(std::io::Error::other("reset"));
    /// assert_eq!(foreign.kind(), ErrorKind::Failed);
    /// assert_eq!(Error::from_any(Error::invalid("no")).kind(), ErrorKind::Invalid);
    /// ```
    pub fn from_any(error: impl Into<BoxError>) -> Self {
        let other = match error.into().downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(other) => other,
        };
        match other.downcast::<RunError>() {
            Ok(ended) => (*ended).into(),
            Err(other) => Self::with_source(ErrorKind::Failed, other.to_string(), other),
        }
    }

    /// The run is ending, or the effect waits for an answer: what meets this returns.
    pub(crate) fn stopped(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Stopped, message)
    }

    /// Declares whether trying again may help; only `Upstream` errors need to say so. An error whose
    /// kind is never retryable stays as it is.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind};
    ///
    /// assert!(Error::new(ErrorKind::Upstream, "reset").retryable(true).is_retryable());
    /// assert!(!Error::invalid("no such invoice").retryable(true).is_retryable());
    /// ```
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable && self.0.kind.is_ever_retryable();
        self
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What went wrong, without the path: what a model reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The path of the innermost effect it happened in, once it left that effect.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// Whether trying the same again may help.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// How an effect closes that fails with this error by itself.
    pub(crate) fn ending(&self) -> Ending {
        match self.0.kind {
            ErrorKind::Denied => Ending::Denied,
            ErrorKind::LimitReached => Ending::Interrupted,
            ErrorKind::Failed
            | ErrorKind::Upstream
            | ErrorKind::Timeout
            | ErrorKind::Invalid
            | ErrorKind::Panicked
            | ErrorKind::Stopped => Ending::Failed,
        }
    }

    /// What it is for a run that isn't ending: one that merely calls itself stopped is a failure.
    pub(crate) fn into_failure(mut self) -> Self {
        if self.0.kind == ErrorKind::Stopped {
            (self.0.kind, self.0.retryable) = (ErrorKind::Failed, false);
        }
        self
    }

    /// The same as another kind of plain failure. What was decided, limited or caught stays what
    /// it is.
    pub(crate) fn of_kind(mut self, kind: ErrorKind, retryable: bool) -> Self {
        if self.0.kind.is_plain_failure() {
            (self.0.kind, self.0.retryable) = (kind, retryable);
        }
        self
    }

    pub(crate) fn in_context(mut self, context: &str) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    pub(crate) fn followed_by(mut self, more: &str) -> Self {
        self.0.message = format!("{}; {more}", self.0.message);
        self
    }

    pub(crate) fn at(mut self, path: impl FnOnce() -> String) -> Self {
        if self.0.path.is_none() {
            // Empty before anything was opened.
            self.0.path = Some(path()).filter(|path| !path.is_empty());
        }
        self
    }

    /// The failure that a run's end is for the run around it: only what can be judged out there
    /// keeps its kind. The message is the whole of it, so the source is what lies below.
    pub(crate) fn seen_from_outside(self) -> Self {
        let message = self.to_string();
        let keeps = matches!(
            self.0.kind,
            ErrorKind::Invalid | ErrorKind::Upstream | ErrorKind::Timeout
        );
        let kind = if keeps {
            self.0.kind
        } else {
            ErrorKind::Failed
        };
        let mut seen = Self::new(kind, message).retryable(keeps && self.0.retryable);
        seen.0.source = self.0.source;
        seen
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.path {
            Some(path) => write!(f, "{path}: {}", self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|it| it as _)
    }
}
