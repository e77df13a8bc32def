//! What a span tells of what happened inside it: the names and attributes of its events.

use loom_core::{Attributes, Event, EventKind, Note, Question, Verdict, key};
use opentelemetry::KeyValue;

use crate::answer::{Answer, is_approval};
use crate::semconv;
use crate::span_attributes::SpanAttributes;

/// A span event's name and attributes; `None` for what isn't exported as one.
pub(crate) fn of(event: &Event<'_>) -> Option<(&'static str, Vec<KeyValue>)> {
    match &event.kind {
        EventKind::Noted { note, attributes } => {
            Some((note.name(), noted(event, note, attributes)))
        }
        EventKind::Decided { gate, verdict } => {
            Some((semconv::PERMISSION_DECIDED, decided(gate, verdict)))
        }
        EventKind::Asked { question } => Some(asked(question)),
        EventKind::Answered {
            question,
            refused,
            changed,
        } => {
            let answer = Answer::of(question, *refused);
            Some(answered(question, answer, changed.is_some()))
        }
        // Deltas are content; all else is told by the span itself.
        _ => None,
    }
}

fn noted(event: &Event<'_>, note: &Note, facts: &Attributes) -> Vec<KeyValue> {
    let mut it = SpanAttributes::default();
    match note {
        Note::LimitReached { limit, value } => {
            it.set(semconv::LIMIT, *limit);
            it.set(
                semconv::LIMIT_VALUE,
                i64::try_from(*value).unwrap_or(i64::MAX),
            );
        }
        Note::Retry { attempt } => {
            it.set(semconv::ATTEMPT, i64::from(*attempt));
            it.set_some(semconv::WAIT_MS, facts.int(key::WAIT_MS));
            let kind = facts.text(key::ERROR_KIND).map(str::to_owned);
            it.set_some(semconv::ERROR_TYPE, kind);
        }
        Note::Fallback => {
            let kind = facts.text(key::ERROR_KIND).map(str::to_owned);
            it.set_some(semconv::ERROR_TYPE, kind);
        }
        Note::ActingAs { user: None } => it.set(semconv::ALL_USERS, true),
        // The span itself says for whom it is and by whom.
        Note::ActingAs { user: Some(_) } => (),
        Note::Resumed { attempt } => it.set(semconv::ATTEMPT, i64::from(*attempt)),
        Note::Unfinished => {
            let safety = facts.text(key::SAFETY).map(str::to_owned);
            it.set_some(semconv::SAFETY, safety);
        }
        // A user's own words are kept as they are.
        _ => it.set_all(event.effect().kind(), facts),
    }
    it.take()
}

fn decided(gate: &str, verdict: &Verdict) -> Vec<KeyValue> {
    // Why a gate denied or asks may quote what it saw, so it isn't said here.
    let verdict = match verdict {
        Verdict::Allow => semconv::VERDICT_ALLOW,
        Verdict::Ask(_) => semconv::VERDICT_ASK,
        _ => semconv::VERDICT_DENY,
    };
    vec![
        KeyValue::new(semconv::GATE, gate.to_owned()),
        KeyValue::new(semconv::VERDICT, verdict),
    ]
}

fn asked(question: &Question) -> (&'static str, Vec<KeyValue>) {
    let name = match is_approval(question) {
        true => semconv::APPROVAL_ASKED,
        false => semconv::QUESTION_ASKED,
    };
    (name, vec![named(question)])
}

fn answered(
    question: &Question,
    answer: Answer,
    has_changed: bool,
) -> (&'static str, Vec<KeyValue>) {
    match answer {
        Answer::Allowed | Answer::Refused => {
            let said = KeyValue::new(semconv::APPROVAL, answer.as_str());
            let changed = has_changed.then(|| KeyValue::new(semconv::APPROVAL_CHANGED, true));
            let said = [named(question), said].into_iter().chain(changed);
            (semconv::APPROVAL_ANSWERED, said.collect())
        }
        Answer::Told => (semconv::QUESTION_ANSWERED, vec![named(question)]),
    }
}

fn named(question: &Question) -> KeyValue {
    KeyValue::new(semconv::QUESTION, question.name.clone())
}
