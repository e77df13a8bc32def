//! What a journal keeps of a run, and what it answers to a writer.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::ids::RunId;
use crate::scope::Scope;

use super::head::RunHead;

/// Which root run a record belongs to: a run is found only in its own partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JournalRun {
    /// Whose run it is.
    pub scope: Scope,
    /// The root run's id.
    pub root: RunId,
}

/// What a record is about.
///
/// A store keeps a kind by its [name](SlotKind::as_str) and looks at none but [`SlotKind::Question`]
/// and [`SlotKind::Answer`]; kinds that are added later need no change of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlotKind {
    /// The run itself: its input, limits, usage and trace.
    Run,
    /// What the run's definition was when it began, to detect that it changed.
    Definition,
    /// An effect that was about to begin.
    Intent,
    /// The output of an effect, or the error it ended with.
    Output,
    /// A question that was asked.
    Question,
    /// The answer to a question.
    Answer,
    /// A point in time the run waits for.
    Timer,
}

impl SlotKind {
    /// Returns the kind's name, as serde writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Definition => "definition",
            Self::Intent => "intent",
            Self::Output => "output",
            Self::Question => "question",
            Self::Answer => "answer",
            Self::Timer => "timer",
        }
    }
}

/// Names one record of a run: what it is about, and the path of the effect it belongs to.
///
/// Paths are compared byte by byte; the path of what belongs to the whole run is empty.
///
/// ```
/// use loom_core::{SlotKey, SlotKind};
///
/// let key = SlotKey::new(SlotKind::Output, "refund/load");
/// assert_eq!((key.kind.as_str(), &*key.path), ("output", "refund/load"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotKey {
    /// What the record is about.
    pub kind: SlotKind,
    /// The path of the effect it belongs to.
    pub path: String,
}

impl SlotKey {
    /// Names the record of this kind at this path.
    pub fn new(kind: SlotKind, path: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.into(),
        }
    }
}

/// One record of a run. The value is opaque to a store, which returns it to the byte.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Which record it is.
    pub key: SlotKey,
    /// What was recorded.
    pub value: Arc<Value>,
}

/// What is written in one step: the run's new head and the records that belong to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// How far the run has come; replaces the stored head.
    pub head: RunHead,
    /// Each replaces the stored record of its key; of two with the same key the later one stays.
    pub records: Vec<Record>,
}

/// The right to write a run's records. Each claim has a higher token than all claims before it,
/// and what is written under a lower token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: JournalRun,
    /// Rises with every claim.
    pub token: u64,
}

/// A run that was claimed, with everything that was recorded of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Claimed {
    /// The right to write.
    pub lease: Lease,
    /// The stored head; `None` for a run of which nothing has been written.
    pub head: Option<RunHead>,
    /// All stored records, in no particular order. Replay reads nothing more.
    pub records: Vec<Record>,
}

impl Claimed {
    /// A claim with what is stored of the run.
    pub fn new(lease: Lease, head: Option<RunHead>, records: Vec<Record>) -> Self {
        Self {
            lease,
            head,
            records,
        }
    }
}

/// What a renewal brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renewed {
    /// Whether it was [requested](super::Journal::request_cancel) that the run be cancelled.
    pub cancel_requested: bool,
}

impl Renewed {
    /// A lease that was renewed.
    pub fn new(cancel_requested: bool) -> Self {
        Self { cancel_requested }
    }
}

/// Why a batch wasn't written, or a lease wasn't renewed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Lost {
    /// The lease is over: it was released, or the run was claimed by another worker or forgotten.
    TakenOver,
    /// The batch pauses a run that needn't wait: a question was answered, or a timer is due.
    Answered,
    /// The store refused the batch, or doesn't work.
    Store(Error),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TakenOver => "the run was taken over by another worker",
            Self::Answered => "the run needn't wait: a question was answered, or a timer is due",
            Self::Store(_) => "the journal's store failed",
        })
    }
}

impl std::error::Error for Lost {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::TakenOver | Self::Answered => None,
        }
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// How a lease is released, which decides who may resume a run that is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Released {
    /// The run is over.
    Ended,
    /// The run waits for answers or a timer.
    Paused,
    /// The process shuts down: any worker may resume the run.
    Shutdown,
    /// The run's caller dropped it: only the caller may resume it.
    Dropped,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Answered {
    /// It was written.
    Written,
    /// There is an answer already; it stays.
    Already,
    /// There is no such run, or no question at this path: the same, whichever was guessed wrong.
    NotAsked,
    /// The question was asked, but the run doesn't wait for it.
    NotWaiting,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slot_kind_is_named_as_serde_writes_it() {
        for kind in [
            SlotKind::Run,
            SlotKind::Definition,
            SlotKind::Intent,
            SlotKind::Output,
            SlotKind::Question,
            SlotKind::Answer,
            SlotKind::Timer,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.as_str()));
            let read: SlotKind = serde_json::from_value(json!(kind.as_str())).unwrap();
            assert_eq!(read, kind);
        }
    }

    #[test]
    fn a_store_that_failed_is_the_source_of_what_was_lost() {
        let lost = Lost::from(Error::invalid("the revision 1 isn't higher than 1"));
        let source = std::error::Error::source(&lost).map(ToString::to_string);
        assert_eq!(
            (lost.to_string(), source.as_deref()),
            (
                "the journal's store failed".to_owned(),
                Some("the revision 1 isn't higher than 1")
            )
        );
    }
}
