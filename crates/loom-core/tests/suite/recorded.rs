//! A loom under a recorder; the recorded tree and story, checked to be well-formed.

use std::collections::{BTreeMap, BTreeSet};

use loom_core::{Happened, Loom, LoomBuilder, OwnedEvent, Session, SpanId, key};
use loom_testing::Recorder;

/// A recorder, and a session of alice that it watches.
pub(crate) fn recorded() -> (Recorder, Session) {
    recorded_by(Loom::builder())
}

/// The same under a loom that is wired with more; the recorder is its last observer.
pub(crate) fn recorded_by(loom: LoomBuilder) -> (Recorder, Session) {
    let recorder = Recorder::default();
    let loom = loom.observe(recorder.clone()).build();
    (recorder, loom.session("alice"))
}

/// The lines of the recorded tree of runs that are over.
pub(crate) fn tree(recorder: &Recorder) -> Vec<String> {
    assert_well_formed(recorder);
    recorder.tree().lines()
}

/// What happened in runs that are over, a line an event: `open a/b`, `close a/b completed`.
pub(crate) fn story(recorder: &Recorder) -> Vec<String> {
    assert_well_formed(recorder);
    recorder.events().iter().map(line).collect()
}

fn line(event: &OwnedEvent) -> String {
    let path = &event.path;
    match &event.what {
        Happened::Opened { .. } => format!("open {path}"),
        Happened::Noted { note, .. } => format!("note {path} {note}"),
        Happened::Decided { gate, denied: None } => format!("gate {path} {gate} allows"),
        Happened::Decided {
            gate,
            denied: Some(why),
        } => format!("gate {path} {gate} denies: {why}"),
        Happened::Asked { question } => format!("ask {path} {}", question.name),
        Happened::Answered {
            question,
            refused: None,
            changed: None,
        } => format!("answer {path} {}: yes", question.name),
        Happened::Answered {
            question,
            refused: None,
            changed: Some(arguments),
        } => format!("answer {path} {}: yes, with {arguments}", question.name),
        Happened::Answered {
            question,
            refused: Some(why),
            ..
        } => format!("answer {path} {}: no, {why}", question.name),
        Happened::Delta { text } => format!("delta {path} {text}"),
        Happened::Closed { ending, .. } => format!("close {path} {ending}"),
        Happened::Settled { .. } => format!("settled {path}"),
        other => format!("{other:?} {path}"),
    }
}

/// Every span opened below an open one and closed once, after those below it; nothing happened to
/// a span that wasn't open, save that a root was refused by a limit; and each run's last event says
/// that it is settled.
pub(crate) fn assert_well_formed(recorder: &Recorder) {
    let mut open: BTreeMap<SpanId, Option<SpanId>> = BTreeMap::new();
    let mut closed: BTreeSet<SpanId> = BTreeSet::new();
    let mut settled: BTreeSet<SpanId> = BTreeSet::new();
    let mut refused: BTreeSet<SpanId> = BTreeSet::new();
    for event in recorder.events() {
        let (span, said) = (event.span, line(&event));
        match event.what {
            Happened::Opened { .. } => {
                let parent = event.parent_span.filter(|_| !is_root(&event));
                assert!(
                    is_root(&event) || parent.is_some_and(|it| open.contains_key(&it)),
                    "{said}: its parent isn't open"
                );
                assert!(!closed.contains(&span), "{said}: again");
                assert!(!refused.contains(&span), "{said}: it was refused");
                assert_eq!(open.insert(span, event.parent_span), None, "{said}: twice");
            }
            Happened::Closed { .. } => {
                assert!(open.remove(&span).is_some(), "{said}: it wasn't open");
                assert!(
                    !open.values().any(|it| *it == Some(span)),
                    "{said}: a child is open"
                );
                closed.insert(span);
            }
            Happened::Settled { .. } => {
                let is_over = closed.contains(&span) || refused.contains(&span);
                assert!(is_over, "{said}: it wasn't closed");
                assert!(settled.insert(span), "{said}: twice");
            }
            Happened::Noted {
                note: "limit_reached",
                ..
            } if is_root(&event) && !open.contains_key(&span) && !closed.contains(&span) => {
                assert!(refused.insert(span), "{said}: twice");
            }
            _ => assert!(open.contains_key(&span), "{said}: it isn't open"),
        }
    }
    assert_eq!(open.len(), 0, "still open: {:?}", recorder.tree().lines());
    let last = recorder.events().pop().map(|it| it.what);
    assert!(
        matches!(last, None | Some(Happened::Settled { .. })),
        "last: {last:?}"
    );
}

fn is_root(event: &OwnedEvent) -> bool {
    !event.path.contains('/')
}

/// The paths of the effects in which a limit was noted, and the limit.
pub(crate) fn limits_noted(recorder: &Recorder) -> Vec<String> {
    let noted = |event: &OwnedEvent| match &event.what {
        Happened::Noted {
            note: "limit_reached",
            attributes,
        } => {
            let (limit, value) = (attributes.text(key::LIMIT), attributes.int(key::VALUE));
            Some(format!("{} {} {}", event.path, limit?, value?))
        }
        _ => None,
    };
    recorder.events().iter().filter_map(noted).collect()
}
