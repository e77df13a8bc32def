//! What holds of every record, however the run went.

use std::collections::{BTreeMap, HashMap};

use loomflow::audit::{Audit, Verdict};
use loomflow::{Ending, Happened, OwnedEvent, SpanId, UserId};

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

fn check_rows(events: &[OwnedEvent], audit: &Audit) {
    let report = audit.verify();
    assert_eq!(report.verdict, Verdict::Ok, "{report:?}");
    let recorded = |event: &OwnedEvent| match (&event.what, event.effect.span_name()) {
        (_, "loom.turn" | "loom.model.stream") => None,
        (Happened::Opened { .. }, _) => Some((event.span.to_string(), None)),
        (Happened::Closed { ending, .. }, _) => {
            Some((event.span.to_string(), Some(ending.as_str().to_owned())))
        }
        _ => None,
    };
    let is_boundary = |action: &str| !matches!(action, "permission_denied" | "limit_reached");
    let rows = audit.rows();
    let rows = rows
        .iter()
        .filter(|row| is_boundary(&row.action))
        .map(|row| (row.span.to_string(), row.end.clone()));
    assert_eq!(
        rows.collect::<Vec<_>>(),
        events.iter().filter_map(recorded).collect::<Vec<_>>()
    );
}
