//! What holds of every record, however the run went.

use std::collections::{BTreeMap, HashMap};

use loomflow::audit::{Audit, Row, Verdict};
use loomflow::{
    EffectKind, Ending, Happened, OwnedEvent, RunId, SessionId, SpanId, TraceId, UserId,
};

/// One closing event for each opened one, children before parents, one user, one trace; and the
/// rows tell the same and verify.
pub(crate) fn check_record(events: &[OwnedEvent], audit: &Audit) {
    let mut open: BTreeMap<SpanId, &OwnedEvent> = BTreeMap::new();
    let mut closed: HashMap<SpanId, Ending> = HashMap::new();
    for event in events {
        assert_eq!(
            event.user.as_ref().map(UserId::as_str),
            Some("alice"),
            "{event:?}"
        );
        assert_eq!(
            (event.trace, &event.session),
            (events[0].trace, &events[0].session),
            "{event:?}"
        );
        match &event.what {
            Happened::Opened { .. } => {
                assert!(
                    event.parent_span.is_none_or(|it| open.contains_key(&it)),
                    "opened in a closed parent: {event:?}"
                );
                assert!(
                    open.insert(event.span, event).is_none(),
                    "opened twice: {event:?}"
                );
            }
            Happened::Closed { ending, .. } => {
                assert!(
                    open.remove(&event.span).is_some(),
                    "closed what wasn't open: {event:?}"
                );
                assert!(
                    closed.insert(event.span, *ending).is_none(),
                    "closed twice: {event:?}"
                );
                let orphan = open.values().find(|it| it.parent_span == Some(event.span));
                assert!(
                    orphan.is_none(),
                    "closed before its child {orphan:?}: {event:?}"
                );
            }
            Happened::Settled { .. } => assert!(open.is_empty(), "settled while open: {open:?}"),
            _ => assert!(
                open.contains_key(&event.span),
                "something happened in a closed span: {event:?}"
            ),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    check_rows(events, audit);
}

/// What a row says of an event, apart from its number, its time and its payload.
#[derive(Debug, PartialEq)]
struct Said {
    action: String,
    end: Option<String>,
    why: Option<String>,
    user: Option<UserId>,
    session: SessionId,
    run: RunId,
    parent_run: Option<RunId>,
    trace: TraceId,
    span: SpanId,
    parent_span: Option<SpanId>,
}

fn check_rows(events: &[OwnedEvent], audit: &Audit) {
    let report = audit.verify();
    assert_eq!(report.verdict, Verdict::Ok, "{report:?}");
    let rows: Vec<Said> = audit.rows().into_iter().map(said_by).collect();
    assert_eq!(rows, events.iter().filter_map(said_of).collect::<Vec<_>>());
}

fn said_by(row: Row) -> Said {
    Said {
        action: row.action,
        end: row.end,
        why: row.why,
        user: row.user,
        session: row.session,
        run: row.run,
        parent_run: row.parent_run,
        trace: row.trace,
        span: row.span,
        parent_span: row.parent_span,
    }
}

/// What the contract wants a row to say of the event; `None` if it wants no row.
fn said_of(event: &OwnedEvent) -> Option<Said> {
    let (action, ending) = match &event.what {
        Happened::Opened { .. } => (opening(event.effect)?.to_owned(), None),
        Happened::Closed { ending, .. } => (closing(event.effect, *ending)?, Some(*ending)),
        Happened::Decided {
            denied: Some(_), ..
        } => ("permission_denied".to_owned(), None),
        Happened::Noted { note, .. } => ((*note).to_owned(), None),
        _ => return None,
    };
    Some(Said {
        action,
        end: ending.map(|it| it.as_str().to_owned()),
        why: ending.and_then(|it| Some(it.cancel_reason()?.as_str().to_owned())),
        user: event.user.clone(),
        session: event.session.clone(),
        run: event.run.clone(),
        parent_run: event.parent_run.clone(),
        trace: event.trace,
        span: event.span,
        parent_span: event.parent_span,
    })
}

fn opening(effect: EffectKind) -> Option<&'static str> {
    match effect {
        EffectKind::Workflow => Some("workflow_started"),
        EffectKind::Step => Some("step_started"),
        EffectKind::Agent => Some("run_started"),
        EffectKind::Tool => Some("tool_call"),
        _ => None,
    }
}

fn closing(effect: EffectKind, ending: Ending) -> Option<String> {
    let family = match effect {
        EffectKind::Workflow => "workflow",
        EffectKind::Step => "step",
        EffectKind::Agent => "run",
        EffectKind::Tool if matches!(ending, Ending::Completed | Ending::Failed) => {
            return Some("tool_result".to_owned());
        }
        EffectKind::Tool => "tool",
        _ => return None,
    };
    Some(format!("{family}_{}", ending.as_str()))
}
