//! What a run that was stopped was waiting for: read off its record.

use std::collections::BTreeMap;

use loomflow::{EffectKind, Happened, OwnedEvent, SpanId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Waits {
    Gate,
    Model,
    /// A tool that had begun, whatever it was doing.
    Tool,
    /// A step without anything open below it.
    Leaf,
}

/// What the spans that are open at the end of these events wait for.
pub(crate) fn waited_for(events: &[OwnedEvent]) -> Vec<Waits> {
    let mut open: BTreeMap<SpanId, (&OwnedEvent, bool)> = BTreeMap::new();
    for event in events {
        match &event.what {
            Happened::Opened { .. } => {
                open.insert(event.span, (event, false));
            }
            Happened::Decided { gate, .. } if gate == "guard" => {
                open.entry(event.span).and_modify(|it| it.1 = true);
            }
            Happened::Closed { .. } => {
                open.remove(&event.span);
            }
            _ => (),
        }
    }
    let is_leaf = |span: &SpanId| !open.values().any(|it| it.0.parent_span == Some(*span));
    let waits = |(span, (event, is_decided)): (&SpanId, &(&OwnedEvent, bool))| {
        if !is_decided {
            return Some(Waits::Gate);
        }
        match event.effect {
            EffectKind::Model => Some(Waits::Model),
            EffectKind::Tool => Some(Waits::Tool),
            EffectKind::Step if is_leaf(span) => Some(Waits::Leaf),
            _ => None,
        }
    };
    open.iter().filter_map(waits).collect()
}
