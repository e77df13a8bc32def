//! `Event`: what observers are told.

use std::time::SystemTime;

use crate::attributes::Attributes;
use crate::context::EffectView;
use crate::data::Look;
use crate::effect::Effect;
use crate::ending::Ending;
use crate::error::Error;
use crate::gate::Verdict;
use crate::ids::UserId;
use crate::outcome::Settlement;
use crate::question::Question;
use crate::trace::SpanId;

/// Something that happened to an effect. Borrowed: an observer copies what it keeps.
#[non_exhaustive]
pub struct Event<'a> {
    /// Where it happened: whom the effect is for, its ids, its path.
    pub cx: &'a EffectView,
    /// When it happened; within a run never before an earlier event.
    pub at: SystemTime,
    /// What happened.
    pub kind: EventKind<'a>,
}

impl<'a> Event<'a> {
    /// The span of the effect it happened to.
    pub fn span_id(&self) -> SpanId {
        self.cx.span_id()
    }

    /// The effect it happened to.
    pub fn effect(&self) -> &'a Effect {
        self.cx.effect()
    }
}

/// What happened to an effect.
#[non_exhaustive]
pub enum EventKind<'a> {
    /// It was opened. Exactly one `Closed` follows.
    Opened {
        /// What goes in, where it crosses an edge.
        input: Option<&'a dyn Look>,
    },
    /// Something noteworthy happened inside it.
    Noted {
        /// What it was.
        note: &'a Note,
        /// Further facts.
        attributes: &'a Attributes,
    },
    /// A gate was asked about it.
    Decided {
        /// The gate's name.
        gate: &'a str,
        /// What it said.
        verdict: &'a Verdict,
    },
    /// Somebody was asked something.
    Asked {
        /// What.
        question: &'a Question,
    },
    /// Somebody answered.
    Answered {
        /// What was asked.
        question: &'a Question,
        /// Why it must not happen; `None` if it may, or the question wasn't whether.
        refused: Option<&'a str>,
        /// The arguments it may happen with instead, where somebody changed them.
        changed: Option<&'a serde_json::Value>,
    },
    /// A piece of a streamed reply.
    Delta {
        /// The piece's text.
        text: &'a str,
    },
    /// Its output was recorded by an earlier attempt of this run and is used again.
    Replayed,
    /// It ended.
    Closed(Closed<'a>),
    /// The root closed and every observer has settled; the last event of a run.
    Settled {
        /// What the observers that had something to settle said.
        settlements: &'a [Settlement],
    },
}

/// How an effect ended.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// How.
    pub ending: Ending,
    /// The error it ended with, unless it completed or was dropped.
    pub error: Option<&'a Error>,
    /// What it gave, if it completed.
    pub output: Option<&'a dyn Look>,
    /// What was recorded while it ran (`cx.record(..)`).
    pub attributes: &'a Attributes,
}

/// Something noteworthy inside an effect.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// A limit was reached: the limit's name and value.
    LimitReached {
        /// The limit's name, for example `turns_max`.
        limit: &'static str,
        /// Its value.
        value: u64,
    },
    /// A step is tried again.
    Retry {
        /// Which attempt begins, the first having been 1.
        attempt: u32,
    },
    /// A step failed, and the one it falls back on runs.
    Fallback,
    /// The effect is for another user than the run, or for all of them.
    ActingAs {
        /// For whom; `None` for all.
        user: Option<UserId>,
    },
    /// The run is resumed after a pause or a crash.
    Resumed {
        /// The number of the attempt that begins, the first having been 1.
        attempt: u32,
    },
    /// The effect was begun in an earlier attempt, and nothing tells how it ended.
    Unfinished,
    /// A user's own note.
    Custom {
        /// Its name.
        name: &'static str,
    },
}

impl Note {
    /// The note's name in records and traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LimitReached { .. } => "limit_reached",
            Self::Retry { .. } => "retry",
            Self::Fallback => "fallback",
            Self::ActingAs { .. } => "acting_as",
            Self::Resumed { .. } => "resumed",
            Self::Unfinished => "unfinished",
            Self::Custom { name } => name,
        }
    }
}
