//! `Report`: what was found in a log.

use std::fmt;

use loom_core::{RunId, SpanId};
use serde::Serialize;

/// What a log is worth. Ordered: the worst is the least.
///
/// ```
/// use loom_audit::Verdict;
///
/// assert!(Verdict::Forged < Verdict::Torn);
/// assert_eq!(Verdict::Unanchored.exit_code(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// No line's MAC fits a given key, so that nothing can be said of the log.
    WrongKey,
    /// A MAC, a link or a form that doesn't fit, in a line that parses.
    Forged,
    /// It isn't the log that an anchor is of: its entry there is another one.
    Forked,
    /// A line doesn't parse, and a later one vouches that it was safely written.
    Damaged,
    /// It is shorter than an anchor says.
    Truncated,
    /// It, or a line in it, belongs to another log.
    WrongLog,
    /// It ends in the middle of an entry, as after a crash, and nobody has mended that yet.
    Torn,
    /// It is whole as far as it goes, but nothing says how far it should go.
    Unanchored,
    /// It is whole, and reaches at least as far as the anchors that were given.
    Ok,
}

impl Verdict {
    /// The exit code of a program that verifies: 0 for whole, 1 for tampered with, 2 for not
    /// checkable, 3 for neither.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Forged | Self::Forked | Self::Damaged | Self::Truncated | Self::WrongLog => 1,
            Self::WrongKey => 2,
            Self::Torn | Self::Unanchored => 3,
        }
    }

    /// The verdict in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong key",
            Self::Forged => "forged",
            Self::Forked => "forked",
            Self::Damaged => "damaged",
            Self::Truncated => "truncated",
            Self::WrongLog => "wrong log",
            Self::Torn => "torn",
            Self::Unanchored => "unanchored",
            Self::Ok => "ok",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong with a log, or that can't be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What the log would be worth if this were all.
    pub verdict: Verdict,
    /// The line it is found in, counted from 1; the one after the last for what is missing.
    pub line: u64,
    /// The byte it is found at, counted from 0 at the start of the log.
    pub offset: u64,
    /// What it is, in words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verdict,
            line,
            offset,
            what,
        } = self;
        write!(f, "{verdict}: line {line}, byte {offset}: {what}")
    }
}

/// What was opened and has no closing row, as after a kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OpenEffect {
    /// The entry that says it was opened.
    pub seq: u64,
    /// That entry's action, for example `tool_call`.
    pub action: String,
    /// What it is of.
    pub name: String,
    /// The nearest enclosing run.
    pub run: RunId,
    /// Its span.
    pub span: SpanId,
}

/// A row that says something of an effect or a run that was over: about a span that had closed, or
/// of a run after its root had closed, without a `resumed` row in between. Nobody without the key
/// can write one, so it changes no verdict: it shows that the program that wrote the log recorded
/// something beyond what the run's anchor covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LateRow {
    /// The entry.
    pub seq: u64,
    /// Its action, for example `retry`.
    pub action: String,
    /// What it is about.
    pub name: String,
    /// The nearest enclosing run.
    pub run: RunId,
    /// The span.
    pub span: SpanId,
    /// What was over, in words.
    pub what: String,
}

/// What [`verify`](crate::verify) found in a log.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The worst of the findings' verdicts; `Ok` if there are none.
    pub verdict: Verdict,
    /// What was found, in the order of the lines; the first 1,000 of them.
    pub findings: Vec<Finding>,
    /// How many more were found than are listed; a tear counts once, however many lines it has.
    pub findings_more: u64,
    /// The log's id, if a line of it could be read.
    pub log: Option<String>,
    /// How many entries it has, up to the tear if it ends in one.
    pub size: u64,
    /// The hash of the last of them; 64 zeros if there is none.
    pub head: String,
    /// The size of the largest anchor that it was found to extend; 0 for none.
    pub anchored: u64,
    /// How many lines are signed entries.
    pub entries: u64,
    /// How many of those are rows about runs.
    pub events: u64,
    /// How many users these are of; anonymous runs don't count.
    pub users: u64,
    /// How many agent and workflow runs were opened; one that was resumed counts again.
    pub runs: u64,
    /// What was opened and never closed, in the order it was opened. What a crash left open is
    /// closed by the `resumed` row of a later attempt.
    pub open: Vec<OpenEffect>,
    /// The rows that came too late, whatever the verdict; the first 1,000 of them. After a line
    /// that can't be read, only rows that are late by what follows it.
    pub late: Vec<LateRow>,
    /// How many more were late than are listed.
    pub late_more: u64,
}
