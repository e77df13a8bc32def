//! How an effect ends: exactly one ending for each that was opened.

use std::fmt;

use serde::Serialize;

/// How an effect closed. For every opened span there is exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// It returned its output.
    Completed,
    /// It returned an error, timed out or panicked.
    Failed,
    /// A gate said no.
    Denied,
    /// A limit was reached.
    Interrupted,
    /// It waits for an answer.
    Paused,
    /// It was stopped from outside.
    Cancelled {
        /// By whom or what.
        why: CancelReason,
    },
}

impl Ending {
    /// The ending in one word, as records spell it: `completed`, `failed` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
            Self::Paused => "paused",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// Why it was cancelled, if it was.
    pub fn cancel_reason(self) -> Option<CancelReason> {
        match self {
            Self::Cancelled { why } => Some(why),
            Self::Completed | Self::Failed | Self::Denied | Self::Interrupted | Self::Paused => {
                None
            }
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled { why } => write!(f, "cancelled ({why})"),
            other => f.write_str(other.as_str()),
        }
    }
}

/// Who or what cancelled an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody asked for it through a handle.
    Requested,
    /// The run's deadline passed.
    Deadline,
    /// A `.timeout(..)` around it passed.
    TimedOut,
    /// Something that ran concurrently failed.
    SiblingFailed,
    /// A limit of the whole tree was reached elsewhere.
    LimitReached,
    /// Something concurrent waits for an answer, and it was given up for that. Branches that are
    /// joined by the core or a workflow never are: they come to their own end first.
    Paused,
    /// Its future was dropped.
    Dropped,
    /// Its process died; written when the run is resumed.
    ProcessDied,
    /// Another worker took the run over.
    TakenOver,
    /// A part that the run can't do without stopped working.
    Broken,
}

impl CancelReason {
    const ALL: [Self; 10] = [
        Self::Requested,
        Self::Deadline,
        Self::TimedOut,
        Self::SiblingFailed,
        Self::LimitReached,
        Self::Paused,
        Self::Dropped,
        Self::ProcessDied,
        Self::TakenOver,
        Self::Broken,
    ];

    /// The reason as records spell it, for example `timed_out`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Deadline => "deadline",
            Self::TimedOut => "timed_out",
            Self::SiblingFailed => "sibling_failed",
            Self::LimitReached => "limit_reached",
            Self::Paused => "paused",
            Self::Dropped => "dropped",
            Self::ProcessDied => "process_died",
            Self::TakenOver => "taken_over",
            Self::Broken => "broken",
        }
    }

    /// A non-zero code for an atomic cell, in which 0 means "none".
    pub(crate) fn code(self) -> u8 {
        self as u8 + 1
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_its_code() {
        for reason in CancelReason::ALL {
            assert_eq!(CancelReason::from_code(reason.code()), Some(reason));
        }
        assert_eq!(CancelReason::from_code(0), None);
        assert_eq!(CancelReason::from_code(11), None);
    }
}
