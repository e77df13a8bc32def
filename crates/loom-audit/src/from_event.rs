//! Which event makes which row.

use loom_core::{
    Attributes, Closed, EffectKind, EffectView, Event, EventKind, Note, UserId, Verdict,
};

use crate::action::{Action, End, Family, Remark};
use crate::entry::{Header, Kind, cut};
use crate::facts::Facts;
use crate::hash::Hex;
use crate::payload::Payload;
use crate::stamp::Stamp;

/// The row of an event, as a header to be numbered and linked, and its payload; most events have
/// none.
pub(crate) fn row_of<'a>(event: &Event<'a>, facts: &Facts) -> Option<(Header<'a>, Vec<u8>)> {
    let cx = event.cx;
    let (action, payload) = match &event.kind {
        EventKind::Opened { input } => {
            let family = Family::of(cx.effect().kind())?;
            let payload = Payload::guarded(|| facts.opened(family, cx, *input));
            (Action::Opening(family), payload)
        }
        EventKind::Closed(closed) => closing(cx, closed, facts)?,
        kind => {
            let (remark, payload) = remark(kind, facts)?;
            (Action::Remark(remark), payload)
        }
    };
    let mut header = header(cx, action, Stamp::of(event.at));
    if let EventKind::Closed(closed) = &event.kind {
        header.why = closed.ending.cancel_reason().map(|why| why.as_str().into());
    }
    Some((header, payload.finish()))
}

fn remark(kind: &EventKind<'_>, facts: &Facts) -> Option<(Remark, Payload)> {
    match kind {
        // An allowance has no row, and a gate that wants somebody asked has those of the asking.
        EventKind::Decided {
            gate,
            verdict: Verdict::Deny(why),
        } => Some((Remark::PermissionDenied, facts.permission_denied(gate, why))),
        EventKind::Asked { question } => {
            let payload = facts.question(question, None, None);
            Some((Remark::ApprovalRequested, payload))
        }
        EventKind::Answered {
            question,
            refused,
            changed,
        } => {
            let remark = match refused {
                None => Remark::ApprovalGranted,
                Some(_) => Remark::ApprovalRefused,
            };
            Some((remark, facts.question(question, *refused, *changed)))
        }
        EventKind::Noted { note, attributes } => noted(note, attributes, facts),
        _ => None,
    }
}

fn noted(note: &Note, attributes: &Attributes, facts: &Facts) -> Option<(Remark, Payload)> {
    match note {
        Note::LimitReached { limit, value } => {
            Some((Remark::LimitReached, Facts::limit_reached(limit, *value)))
        }
        Note::Retry { attempt } => Some((Remark::Retry, Facts::retry(*attempt, attributes))),
        Note::ActingAs { user } => {
            let payload = facts.acting_as(user.as_ref(), attributes);
            Some((Remark::ActingAs, payload))
        }
        Note::Resumed { attempt } => Some((Remark::Resumed, Facts::resumed(*attempt))),
        Note::Unfinished => Some((Remark::Unfinished, Facts::unfinished(attributes))),
        _ => None,
    }
}

fn closing(cx: &EffectView, closed: &Closed<'_>, facts: &Facts) -> Option<(Action, Payload)> {
    let end = End::of(closed.ending);
    match Family::of(cx.effect().kind()) {
        Some(family) => {
            let payload = Payload::guarded(|| facts.closed(family, cx.effect(), closed));
            Some((Action::Closing(family, end), payload))
        }
        None if cx.effect().kind() == EffectKind::Model && facts.is_full() => {
            let payload = Payload::guarded(|| facts.model_call(cx, closed));
            Some((Action::ModelCall(end), payload))
        }
        None => None,
    }
}

fn header(cx: &EffectView, action: Action, ts: Stamp) -> Header<'_> {
    let hex = |span: loom_core::SpanId| Hex(span.as_u64().to_be_bytes());
    Header {
        ts,
        kind: Kind::Event,
        run: Some(cx.run_id().as_str().into()),
        prun: cx.parent_run_id().map(|run| run.as_str().into()),
        user: cx.user().map(|user| user.as_str().into()),
        // The empty text is the anonymous partition.
        by: cx.by().map(|user| user.map_or("", UserId::as_str).into()),
        sess: Some(cx.session_id().as_str().into()),
        actor: Some(action.actor().into()),
        action: Some(action.word().into()),
        name: Some(cut(about(cx).effect().name())),
        end: action.end().map(|end| end.as_str().into()),
        replayed: cx.is_replayed().then_some(true),
        trace: Some(Hex(cx.trace_id().as_u128().to_be_bytes())),
        span: Some(hex(cx.span_id())),
        pspan: cx.parent_span_id().map(hex),
        ..Header::default()
    }
}

/// What a row is about: a turn is only a number, its agent has the name.
fn about(cx: &EffectView) -> &EffectView {
    match (cx.effect().kind(), cx.parent()) {
        (EffectKind::Turn, Some(agent)) => agent,
        _ => cx,
    }
}
