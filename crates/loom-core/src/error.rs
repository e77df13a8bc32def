//! One `Error` at the seam: what happened, of which kind, where, and what the run did until then.

mod kind;
mod sources;

use std::fmt;

use self::sources::facts_within;
use crate::ending::{CancelReason, Ending};
use crate::outcome::Report;
use crate::question::Question;

pub use kind::ErrorKind;

/// Any error that may cross threads: what steps written by users may give.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong in a run.
///
/// Displayed with the path of the effect it happened in: `refund/authorize: no such invoice`.
///
/// ```
/// use loom_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Invalid, "the amount is negative");
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.to_string(), "the amount is negative");
/// assert!(!error.is_retryable());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    facts: Facts,
    message: String,
    source: Option<BoxError>,
    /// Made of an error in which none of ours is to be seen; that it may still hide.
    foreign: bool,
    report: Option<Box<Report>>,
}

/// What of an error decides how its run goes on, whatever error it is wrapped in.
#[derive(Clone)]
pub(crate) struct Facts {
    kind: ErrorKind,
    path: Option<String>,
    cancelled: CancelReason,
    retryable: bool,
    tree_wide: bool,
    questions: Vec<Question>,
}

impl Facts {
    fn new(kind: ErrorKind) -> Self {
        Self {
            kind,
            path: None,
            cancelled: CancelReason::Requested,
            retryable: matches!(kind, ErrorKind::Failed | ErrorKind::Timeout),
            tree_wide: false,
            questions: Vec::new(),
        }
    }

    fn ends_tree(&self) -> bool {
        match self.kind {
            ErrorKind::Cancelled | ErrorKind::Paused | ErrorKind::Internal => true,
            ErrorKind::Interrupted => self.tree_wide,
            ErrorKind::Failed
            | ErrorKind::Upstream
            | ErrorKind::Timeout
            | ErrorKind::Invalid
            | ErrorKind::Denied
            | ErrorKind::Panicked => false,
        }
    }

    /// A run that ended is over for the one around it, too: what was decided, asked or limited in
    /// there is a plain failure out here.
    fn seen_from_outside(&self) -> Self {
        let kind = match self.kind.is_plain_failure() {
            true => self.kind,
            false => ErrorKind::Failed,
        };
        Self {
            retryable: self.retryable,
            ..Self::new(kind)
        }
    }

    /// The later ones count; of questions all that were asked.
    pub(crate) fn are_followed_by(&mut self, mut later: Self) {
        if later.kind == ErrorKind::Paused {
            let told = |it: &Question| later.questions.iter().any(|other| other.path == it.path);
            self.questions.retain(|it| !told(it));
            self.questions.append(&mut later.questions);
            later.questions = std::mem::take(&mut self.questions);
        }
        *self = later;
    }
}

impl Error {
    /// An error of this kind; the message in lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            facts: Facts::new(kind),
            message: message.into(),
            source: None,
            foreign: false,
            report: None,
        }))
    }

    /// Bad input, arguments, output or definition.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An error of this kind that keeps the one it came from.
    ///
    /// If an error that ends or pauses the run is that one or among its sources, this ends or pauses
    /// the run as well, with this message: no other kind takes that away.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind};
    ///
    /// let error = Error::with_source(ErrorKind::Upstream, "asking", std::io::Error::other("reset"));
    /// assert_eq!(error.kind(), ErrorKind::Upstream);
    /// let paused = Error::new(ErrorKind::Paused, "waits for an answer");
    /// let error = Error::with_source(ErrorKind::Upstream, "asking", paused);
    /// assert_eq!((error.kind(), error.message()), (ErrorKind::Paused, "asking"));
    /// ```
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<BoxError>,
    ) -> Self {
        let source = source.into();
        let mut facts = Facts::new(kind);
        if !facts.ends_tree()
            && let Some(within) = facts_within(&*source).filter(Facts::ends_tree)
        {
            facts = within;
        }
        Self::from_parts(facts, message, source)
    }

    fn from_parts(facts: Facts, message: impl Into<String>, source: BoxError) -> Self {
        let mut error = Self::new(facts.kind, message);
        (error.0.facts, error.0.source) = (facts, Some(source));
        error
    }

    /// Takes any error: one of ours as it is, any other with itself as the source. That is `Failed`,
    /// unless one of ours is among the sources of the other: then it is of that one's kind, so that
    /// an error that ends or pauses the run does so in whatever it is wrapped. An error that a run
    /// ended with, one that has a [`Error::run`], ends or pauses no other run.
    ///
    /// An error that shows nothing of what it was made of is taken for what ended below the effect if
    /// its function returns in that same poll, as it does with `?`. A function that awaits further
    /// work before it returns such an error isn't seen through: that is a failure of its own.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind};
    ///
    /// let foreign = Error::from_any(std::io::Error::other("reset"));
    /// assert_eq!(foreign.kind(), ErrorKind::Failed);
    /// let wrapped = Error::from_any(std::io::Error::other(Error::invalid("no such invoice")));
    /// assert_eq!(wrapped.kind(), ErrorKind::Invalid);
    /// ```
    pub fn from_any(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => {
                let facts = facts_within(&*other);
                let foreign = facts.is_none();
                let facts = facts.unwrap_or_else(|| Facts::new(ErrorKind::Failed));
                let mut error = Self::from_parts(facts, other.to_string(), other);
                error.0.foreign = foreign;
                error
            }
        }
    }

    /// An effect that was cancelled for this reason.
    pub fn cancelled(reason: CancelReason, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Cancelled, message);
        error.0.facts.cancelled = reason;
        error
    }

    /// A limit of the whole tree was reached.
    pub(crate) fn tree_wide(message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Interrupted, message);
        error.0.facts.tree_wide = true;
        error
    }

    /// The run waits for answers to these questions.
    pub(crate) fn paused(questions: Vec<Question>) -> Self {
        let asked: Vec<String> = questions.iter().map(Question::to_string).collect();
        let mut error = Self::new(
            ErrorKind::Paused,
            format!("waits for an answer: {}", asked.join("; ")),
        );
        error.0.facts.questions = questions;
        error
    }

    /// Says whether trying again may help; only `Upstream` errors need to be told. Nothing makes an
    /// error retryable whose kind never is.
    ///
    /// ```
    /// use loom_core::{Error, ErrorKind};
    ///
    /// assert!(Error::new(ErrorKind::Upstream, "reset").retryable(true).is_retryable());
    /// assert!(!Error::invalid("no such invoice").retryable(true).is_retryable());
    /// ```
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.facts.retryable = retryable && self.0.facts.kind.is_ever_retryable();
        self
    }

    /// What sort of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.facts.kind
    }

    /// What went wrong, without the path: what a model is told.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The path of the innermost effect it happened in, once it left that effect.
    pub fn path(&self) -> Option<&str> {
        self.0.facts.path.as_deref()
    }

    /// Whether trying the same again may help.
    pub fn is_retryable(&self) -> bool {
        self.0.facts.retryable
    }

    /// Whether a limit of the whole tree was reached: then no run of the tree goes on.
    pub fn is_tree_wide(&self) -> bool {
        self.0.facts.tree_wide
    }

    /// Whether nothing may handle this error: it ends or pauses the whole tree, so no model is
    /// told and no fallback is tried.
    pub fn ends_tree(&self) -> bool {
        self.0.facts.ends_tree()
    }

    /// How the effect that ends with this error closes.
    pub fn ending(&self) -> Ending {
        match self.0.facts.kind {
            ErrorKind::Denied => Ending::Denied,
            ErrorKind::Interrupted => Ending::Interrupted,
            ErrorKind::Cancelled => Ending::Cancelled {
                why: self.0.facts.cancelled,
            },
            ErrorKind::Paused => Ending::Paused,
            ErrorKind::Failed
            | ErrorKind::Upstream
            | ErrorKind::Timeout
            | ErrorKind::Invalid
            | ErrorKind::Panicked
            | ErrorKind::Internal => Ending::Failed,
        }
    }

    /// What the run did until it ended with this error; `None` before a run began.
    pub fn run(&self) -> Option<&Report> {
        self.0.report.as_deref()
    }

    /// What a paused run waits to be told; empty for any other error.
    pub fn questions(&self) -> &[Question] {
        &self.0.facts.questions
    }

    /// The run waits for what both wait for.
    pub(crate) fn asking_too(self, other: Self) -> Self {
        let (path, mut questions) = (self.0.facts.path, self.0.facts.questions);
        questions.extend(other.0.facts.questions);
        if questions.is_empty() {
            Self::new(ErrorKind::Paused, self.0.message)
        } else {
            Self::paused(questions)
        }
        .at(|| path.unwrap_or_default())
    }

    pub(crate) fn facts(&self) -> Facts {
        self.0.facts.clone()
    }

    /// Whether it may hide one of ours: once it left an effect it is that effect's own.
    pub(crate) fn may_hide_ours(&self) -> bool {
        self.0.foreign && self.0.facts.path.is_none()
    }

    /// The same as far as people read it; for the run it is what it hid.
    pub(crate) fn revealing(mut self, hidden: Facts) -> Self {
        (self.0.facts, self.0.foreign) = (hidden, false);
        self
    }

    /// What it is for the run around the one that ended with it.
    pub(crate) fn seen_from_outside(self) -> Self {
        if self.run().is_none() {
            return self;
        }
        let facts = self.0.facts.seen_from_outside();
        Self::from_parts(facts, self.to_string(), self.into())
    }

    /// The same as another kind of plain failure. What was decided, limited, asked or caught stays
    /// what it is: relabelled, something could handle it.
    pub(crate) fn of_kind(mut self, kind: ErrorKind, retryable: bool) -> Self {
        if self.0.facts.kind.is_plain_failure() {
            (self.0.facts.kind, self.0.facts.retryable) = (kind, retryable);
        }
        self
    }

    pub(crate) fn in_context(mut self, context: &str) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    pub(crate) fn at(mut self, path: impl FnOnce() -> String) -> Self {
        if self.0.facts.path.is_none() {
            // Empty before anything was opened.
            self.0.facts.path = Some(path()).filter(|path| !path.is_empty());
        }
        self
    }

    pub(crate) fn of_run(mut self, report: Report) -> Self {
        self.0.report = Some(Box::new(report));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.facts.path {
            Some(path) => write!(f, "{path}: {}", self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.0.facts.kind)
            .field("message", &self.0.message);
        if let Some(path) = &self.0.facts.path {
            debug.field("path", path);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|it| it as _)
    }
}
