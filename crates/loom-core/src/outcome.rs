//! `Outcome` and `Report`: what a run returned and what it did.

use std::ops::Deref;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RunId, SessionId};
use crate::name::Name;
use crate::trace::TraceId;
use crate::usage::{Charged, Usage};

/// What a run did, whether it returned an output or an error ([`RunError::report`](crate::RunError::report)).
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The root run's id.
    pub run_id: RunId,
    /// The session it ran in.
    pub session_id: SessionId,
    /// The one trace of everything in it.
    pub trace_id: TraceId,
    /// The names of the root run's own steps that completed, in order of completion, repeats kept.
    pub visited: Vec<Name>,
    /// What the whole run consumed, earlier attempts included, as its calls reported it.
    pub usage: Usage,
    /// What this attempt alone consumed, as its calls reported it: the same as `usage`, unless the
    /// run was resumed.
    pub attempt: Usage,
    /// What the limits were charged for the whole run: what was reserved where usage is unknown.
    pub charged: Charged,
    /// What the limits were charged for this attempt alone.
    pub charged_attempt: Charged,
    /// Where the records of this run stand, for a program that keeps such proofs.
    pub anchors: Vec<Anchor>,
    /// What the observers that had something to settle reported.
    pub settled: Vec<Settlement>,
}

/// A run's output and its [`Report`], whose fields are read directly: `outcome.visited`.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What the run returned.
    pub output: T,
    /// Boxed: it is large, and outcomes are handed on by value.
    pub(crate) report: Box<Report>,
}

impl<T> Outcome<T> {
    /// What the run did.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The output and the report, apart.
    pub fn into_parts(self) -> (T, Report) {
        (self.output, *self.report)
    }

    /// This outcome, if every record of it could be made durable.
    ///
    /// # Errors
    /// `Failed`, naming the observer that couldn't settle. The output is lost with it: look at
    /// `outcome.settled` instead to keep it.
    pub fn durable(self) -> Result<Self> {
        let mut settled = self.report.settled.iter();
        let failed = settled.find_map(|it| it.result.as_ref().err().map(|error| (&it.name, error)));
        let Some((name, error)) = failed else {
            return Ok(self);
        };
        let message = format!("the records of {name:?} aren't known to be durable: {error}");
        Err(Error::new(ErrorKind::Failed, message))
    }
}

impl<T> Deref for Outcome<T> {
    type Target = Report;
    fn deref(&self) -> &Report {
        &self.report
    }
}

/// Where a log stood when a run had been recorded: a proof that the log may later be held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anchor {
    /// The log's id.
    pub log: String,
    /// How many entries it had.
    pub size: u64,
    /// The hash of the last one, in hex.
    pub head: String,
}

/// What an observer reports when a run is over.
#[derive(Debug)]
#[non_exhaustive]
pub struct Settlement {
    /// The observer's name.
    pub name: Name,
    /// An anchor, where it keeps a log; or why it couldn't settle.
    pub result: Result<Option<Anchor>>,
}

impl Settlement {
    /// Of an observer that has nothing to settle.
    pub fn nothing() -> Self {
        Self {
            name: Name::EMPTY,
            result: Ok(None),
        }
    }

    /// Of an observer by this name.
    pub fn new(name: impl Into<Name>, result: Result<Option<Anchor>>) -> Self {
        Self {
            name: name.into(),
            result,
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.name.is_empty() && matches!(self.result, Ok(None))
    }
}
