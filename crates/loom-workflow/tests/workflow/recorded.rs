//! A loom under a recorder, with a journal or without, and the recorded tree of spans, each closed exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;

use loom_core::{Happened, Loom, MemoryJournal, Session};
use loom_testing::Recorder;

/// A recorder, and a session of alice that it watches.
pub(crate) fn recorded() -> (Recorder, Session) {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    (recorder, loom.session("alice"))
}

/// The same in a loom of its own over this journal, as another process would have it.
pub(crate) fn journaled(journal: &Arc<MemoryJournal>) -> (Recorder, Session) {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone());
    let loom = loom.journal(Arc::clone(journal)).build();
    (recorder, loom.session("alice").id("shop"))
}

/// The lines of the recorded tree, after a check that every span was opened and closed once.
pub(crate) fn tree(recorder: &Recorder) -> Vec<String> {
    assert_each_closed_once(recorder);
    recorder.tree().lines()
}

pub(crate) fn assert_each_closed_once(recorder: &Recorder) {
    let mut spans: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    for event in recorder.events() {
        let [opened, closed] = spans.entry(event.span.to_string()).or_default();
        match event.what {
            Happened::Opened { .. } => *opened += 1,
            Happened::Closed { .. } => *closed += 1,
            _ => (),
        }
    }
    for (span, counts) in spans {
        assert_eq!(counts, [1, 1], "openings and closings of the span {span}");
    }
}
