//! `OwnedEvent`: an event that can be kept and sent.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;

use crate::attributes::Attributes;
use crate::data::Look;
use crate::effect::EffectKind;
use crate::ending::Ending;
use crate::event::{Event, EventKind, Note};
use crate::gate::Verdict;
use crate::ids::{RunId, SessionId, UserId};
use crate::name::Name;
use crate::outcome::Anchor;
use crate::question::Question;
use crate::trace::{SpanId, TraceId};

/// An [`Event`] that borrows nothing. Serialises to one flat JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OwnedEvent {
    /// Whose partition; `None` for an anonymous run.
    pub user: Option<UserId>,
    /// The session.
    pub session: SessionId,
    /// The nearest enclosing run.
    pub run: RunId,
    /// The run that encloses `run`.
    pub parent_run: Option<RunId>,
    /// The trace.
    pub trace: TraceId,
    /// The effect's span.
    pub span: SpanId,
    /// The span it is nested in.
    pub parent_span: Option<SpanId>,
    /// What sort of effect it is.
    pub effect: EffectKind,
    /// The effect's name.
    pub name: Name,
    /// Where the effect stands in the run.
    pub path: String,
    /// Who asked, where that is somebody else than `user`; empty text for the anonymous partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether the output was recorded by an earlier attempt and is used again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// When it happened.
    #[serde(rename = "at_ns", serialize_with = "unix_ns")]
    pub at: SystemTime,
    /// What happened.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened, in an [`OwnedEvent`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happened {
    /// The effect was opened.
    Opened {
        /// What went in, where it crossed an edge.
        input: Option<Value>,
        /// What was known beforehand.
        attributes: Attributes,
    },
    /// Something noteworthy happened.
    Noted {
        /// The note's name.
        note: &'static str,
        /// Further facts.
        attributes: Attributes,
    },
    /// A gate was asked.
    Decided {
        /// The gate's name.
        gate: String,
        /// Why it said no; `None` if it didn't.
        denied: Option<String>,
    },
    /// Somebody was asked something.
    Asked {
        /// What.
        question: Question,
    },
    /// Somebody answered.
    Answered {
        /// What was asked.
        question: Question,
        /// Why it must not happen; `None` if it may, or the question wasn't whether.
        refused: Option<String>,
        /// The arguments it may happen with instead, where somebody changed them.
        #[serde(skip_serializing_if = "Option::is_none")]
        changed: Option<Value>,
    },
    /// A piece of a streamed reply.
    Delta {
        /// Its text.
        text: String,
    },
    /// Its recorded output is used again.
    Replayed,
    /// The effect ended.
    Closed {
        /// How.
        #[serde(serialize_with = "ending_text")]
        ending: Ending,
        /// The error's kind.
        error_kind: Option<&'static str>,
        /// The error's message, without the path.
        error: Option<String>,
        /// What it returned.
        output: Option<Value>,
        /// What was recorded while it ran.
        attributes: Attributes,
    },
    /// The run is settled.
    Settled {
        /// Where its records stand.
        anchors: Vec<Anchor>,
        /// The names of observers that couldn't settle.
        unsettled: Vec<Name>,
    },
}

impl OwnedEvent {
    /// A copy of an event. Values that have no JSON form are left out.
    pub fn of(event: &Event<'_>) -> Self {
        let (cx, effect) = (event.cx, event.effect());
        Self {
            user: cx.user().cloned(),
            session: cx.session_id().clone(),
            run: cx.run_id().clone(),
            parent_run: cx.parent_run_id().cloned(),
            trace: cx.trace_id(),
            span: cx.span_id(),
            parent_span: cx.parent_span_id(),
            effect: effect.kind(),
            name: effect.name().clone(),
            path: cx.path(),
            by: cx
                .by()
                .map(|it| it.map_or_else(String::new, ToString::to_string)),
            replayed: cx.is_replayed(),
            at: event.at,
            what: happened(event),
        }
    }
}

fn happened(event: &Event<'_>) -> Happened {
    let value = |look: Option<&dyn Look>| look.and_then(|it| it.look().ok());
    match &event.kind {
        EventKind::Opened { input } => Happened::Opened {
            input: value(*input).or_else(|| event.effect().input().cloned()),
            attributes: event.effect().attributes().clone(),
        },
        EventKind::Noted { note, attributes } => Happened::Noted {
            note: note.name(),
            attributes: facts(note, attributes),
        },
        EventKind::Decided { gate, verdict } => Happened::Decided {
            gate: (*gate).to_owned(),
            denied: match verdict {
                Verdict::Allow | Verdict::Ask(_) => None,
                Verdict::Deny(why) => Some(why.clone()),
            },
        },
        EventKind::Asked { question } => Happened::Asked {
            question: (*question).clone(),
        },
        EventKind::Answered {
            question,
            refused,
            changed,
        } => Happened::Answered {
            question: (*question).clone(),
            refused: refused.map(str::to_owned),
            changed: changed.cloned(),
        },
        EventKind::Delta { text } => Happened::Delta {
            text: (*text).to_owned(),
        },
        EventKind::Replayed => Happened::Replayed,
        EventKind::Closed(closed) => Happened::Closed {
            ending: closed.ending,
            error_kind: closed.error.map(|e| e.kind().as_str()),
            error: closed.error.map(|e| e.message().to_owned()),
            output: value(closed.output),
            attributes: closed.attributes.clone(),
        },
        EventKind::Settled { settlements } => Happened::Settled {
            unsettled: settlements
                .iter()
                .filter(|it| it.result.is_err())
                .map(|it| it.name.clone())
                .collect(),
            anchors: settlements
                .iter()
                .filter_map(|it| it.result.as_ref().ok()?.clone())
                .collect(),
        },
    }
}

/// A note's attributes, with what the note itself carries.
fn facts(note: &Note, attributes: &Attributes) -> Attributes {
    let mut all = attributes.clone();
    match note {
        Note::LimitReached { limit, value } => {
            all.set(crate::key::LIMIT, *limit);
            all.set(crate::key::VALUE, *value);
        }
        Note::Retry { attempt } => all.set(crate::key::ATTEMPT, *attempt),
        Note::Resumed { attempt } => all.set(crate::key::ATTEMPT, *attempt),
        Note::Fallback | Note::ActingAs { .. } | Note::Unfinished | Note::Custom { .. } => (),
    }
    all
}

fn ending_text<S: serde::Serializer>(ending: &Ending, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ending)
}

fn unix_ns<S: serde::Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_u64(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
