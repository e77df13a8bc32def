//! Which runs are listed, and which are forgotten.

use std::time::SystemTime;

use crate::ids::UserId;
use crate::scope::{AdminScope, Scope};

use super::head::{RunHead, RunStatus};
use super::types::JournalRun;

/// Whose runs a query is about.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Whose<'a> {
    /// Those of one partition.
    Scope(&'a Scope),
    /// Those of all partitions, for operators and workers.
    Everybody(&'a AdminScope),
}

/// Which runs [`Journal::runs`](super::Journal::runs) lists; all conditions hold at once.
///
/// ```
/// use loom_core::{RunQuery, RunStatus, Scope, SessionId};
///
/// let scope = Scope::new(None, SessionId::new("conv_42")?);
/// let query = RunQuery::of(&scope).status(RunStatus::Paused).max(20);
/// assert_eq!((query.status, query.max), (Some(RunStatus::Paused), 20));
/// # Ok::<(), loom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunQuery<'a> {
    /// Whose runs.
    pub whose: Whose<'a>,
    /// Only runs of this status.
    pub status: Option<RunStatus>,
    /// Only runs that a worker may resume: open ones that nobody holds, because their lease lapsed
    /// or was released with [`Released::Shutdown`](super::Released::Shutdown).
    pub lapsed: bool,
    /// Only runs with a timer that is due by then.
    pub due_by: Option<SystemTime>,
    /// Where the page begins: the [`Page::next`] of the page before.
    pub after: Option<String>,
    /// How many runs a page has at most: 100 unless set.
    pub max: usize,
}

impl<'a> RunQuery<'a> {
    /// Asks for the runs of one partition.
    pub fn of(scope: &'a Scope) -> Self {
        Self::whose(Whose::Scope(scope))
    }

    /// Asks for the runs of all partitions.
    pub fn everybody(admin: &'a AdminScope) -> Self {
        Self::whose(Whose::Everybody(admin))
    }

    fn whose(whose: Whose<'a>) -> Self {
        Self {
            whose,
            status: None,
            lapsed: false,
            due_by: None,
            after: None,
            max: 100,
        }
    }

    /// Only runs of this status.
    #[must_use]
    pub fn status(mut self, status: RunStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Only runs that a worker may resume.
    #[must_use]
    pub fn lapsed(mut self) -> Self {
        self.lapsed = true;
        self
    }

    /// Only runs with a timer that is due by then.
    #[must_use]
    pub fn due_by(mut self, time: SystemTime) -> Self {
        self.due_by = Some(time);
        self
    }

    /// Continues after the page that had this [`Page::next`].
    #[must_use]
    pub fn after(mut self, next: impl Into<String>) -> Self {
        self.after = Some(next.into());
        self
    }

    /// At most this many runs in a page.
    #[must_use]
    pub fn max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// What the page has.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page, and where the next one begins.
    pub fn new(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next }
    }
}

/// A run that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRun {
    /// Whose it is and which one.
    pub run: JournalRun,
    /// How far it has come.
    pub head: RunHead,
}

/// What [`Journal::forget`](super::Journal::forget) forgets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forget {
    /// One run.
    Run(JournalRun),
    /// All runs of a partition.
    Scope(Scope),
    /// All runs of a user, or of nobody, in all sessions.
    User(Option<UserId>),
}
