//! Whether a header says what an entry of its kind may say.

use loom_core::{RunId, SessionId, SpanId, TraceId, UserId};

use crate::action::{Action, End};
use crate::entry::{Header, Kind, VERSION, is_name};

/// What a header is about.
pub(crate) enum Shape {
    Open,
    Event(Subject),
}

/// The fields every event has, as what they are.
pub(crate) struct Subject {
    pub(crate) action: Action,
    pub(crate) run: RunId,
    pub(crate) parent_run: Option<RunId>,
    pub(crate) user: Option<UserId>,
    /// Empty for the anonymous partition.
    pub(crate) by: Option<String>,
    pub(crate) session: SessionId,
    pub(crate) name: String,
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) parent_span: Option<SpanId>,
}

impl Shape {
    /// What the header is about, or in words why no writer wrote it.
    pub(crate) fn of(header: &Header<'_>) -> Result<Self, String> {
        if header.v != VERSION {
            return Err(format!("version {} isn't {VERSION}", header.v));
        }
        if header.ds >= header.seq {
            return Err(format!(
                "it says {} entries were safe before entry {} was",
                header.ds, header.seq
            ));
        }
        match header.kind {
            Kind::Open if header.is_bare() => Ok(Self::Open),
            Kind::Open => Err("an open entry has fields of an event".into()),
            Kind::Event => Subject::of(header).map(Self::Event),
        }
    }
}

impl Subject {
    fn of(header: &Header<'_>) -> Result<Self, String> {
        let action = action(header)?;
        let name = needed(header.name.as_deref(), "name")?;
        if !is_name(name) {
            return Err("the name is longer than 256 bytes".into());
        }
        if header.replayed == Some(false) {
            return Err("replayed is written only when it is true".into());
        }
        let span = |id: [u8; 8]| {
            SpanId::new(u64::from_be_bytes(id)).ok_or_else(|| "a span is all zero".to_owned())
        };
        let trace = header.trace.ok_or("the trace is missing")?.0;
        Ok(Self {
            action,
            run: id(needed(header.run.as_deref(), "run")?, RunId::new)?,
            parent_run: maybe_id(header.prun.as_deref(), RunId::new)?,
            user: maybe_id(header.user.as_deref(), UserId::new)?,
            by: by(header)?,
            session: id(needed(header.sess.as_deref(), "sess")?, SessionId::new)?,
            name: name.to_owned(),
            trace: TraceId::new(u128::from_be_bytes(trace)).ok_or("the trace is all zero")?,
            span: span(header.span.ok_or("the span is missing")?.0)?,
            parent_span: header.pspan.map(|it| span(it.0)).transpose()?,
        })
    }
}

/// The action, with an end, a reason and an actor that belong to it.
fn action(header: &Header<'_>) -> Result<Action, String> {
    let word = needed(header.action.as_deref(), "action")?;
    let end = header.end.as_deref();
    let action = Action::read(word, end).ok_or_else(|| match end {
        Some(end) => format!("no row says {word:?} with the end {end:?}"),
        None => format!("no row says {word:?} without an end"),
    })?;
    let actor = needed(header.actor.as_deref(), "actor")?;
    if actor != action.actor() {
        return Err(format!("{actor:?} isn't who does {word:?}"));
    }
    let cancelled = action.end() == Some(End::Cancelled);
    match header.why.as_deref() {
        None if cancelled => Err(format!("{word:?} says no reason")),
        Some(_) if !cancelled => Err(format!("{word:?} has no reason to give")),
        Some(why) if !is_word(why) => Err(format!("{why:?} is no reason")),
        Some(_) | None => Ok(action),
    }
}

/// Who asked: written only where that is somebody else than the user, and empty for the anonymous
/// partition.
fn by(header: &Header<'_>) -> Result<Option<String>, String> {
    match (header.by.as_deref(), header.user.as_deref()) {
        (None, _) => Ok(None),
        (Some(_), None) => Err("it says by whom, and not for whom".into()),
        (Some(by), Some(user)) if by == user => Err("by is written only for somebody else".into()),
        (Some(""), Some(_)) => Ok(Some(String::new())),
        (Some(by), Some(_)) => id(by, UserId::new).map(|by| Some(by.to_string())),
    }
}

/// Any word will do: reasons may grow, and an honest log must not look attacked for it.
fn is_word(why: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c == '_';
    (1..=32).contains(&why.len()) && why.chars().all(letters)
}

fn needed<'h>(field: Option<&'h str>, what: &str) -> Result<&'h str, String> {
    field.ok_or_else(|| format!("the {what} is missing"))
}

fn id<'h, I>(text: &'h str, new: fn(&'h str) -> loom_core::Result<I>) -> Result<I, String> {
    new(text).map_err(|e| e.to_string())
}

fn maybe_id<'h, I>(
    text: Option<&'h str>,
    new: fn(&'h str) -> loom_core::Result<I>,
) -> Result<Option<I>, String> {
    text.map(|text| id(text, new)).transpose()
}
