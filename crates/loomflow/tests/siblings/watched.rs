//! A loom under a recorder and an audit log, and what the two say.

use std::collections::BTreeMap;
use std::sync::Arc;

use loomflow::audit::{Audit, AuditKey, Row, Verdict};
use loomflow::otel::{OtelObserver, provider_builder};
use loomflow::{Happened, Loom, LoomBuilder, MemoryJournal, Recorder, Session};
use opentelemetry_sdk::trace::InMemorySpanExporter;

/// What outlives a process: the journal and the audit log.
pub(crate) struct Durable {
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) audit: Audit,
}

/// One process: a loom, a session of alice in it, and what it records.
pub(crate) struct Process {
    pub(crate) recorder: Recorder,
    exporter: InMemorySpanExporter,
    pub(crate) loom: Loom,
    pub(crate) session: Session,
}

impl Durable {
    pub(crate) fn new() -> Self {
        let audit = Audit::in_memory(AuditKey::generate().unwrap());
        Self {
            journal: Arc::default(),
            audit: audit.build().unwrap(),
        }
    }

    /// A process that works on the journal.
    pub(crate) fn process(&self) -> Process {
        self.wired(|loom| loom.journal(self.journal.clone()))
    }

    /// A process with these parts, and no journal unless it is one of them.
    pub(crate) fn wired(&self, wire: impl FnOnce(LoomBuilder) -> LoomBuilder) -> Process {
        let (recorder, exporter) = (Recorder::default(), InMemorySpanExporter::default());
        let provider = provider_builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let loom = Loom::builder()
            .install(self.audit.clone())
            .observe(OtelObserver::new(&provider))
            .observe(recorder.clone());
        let loom = wire(loom).build();
        Process {
            recorder,
            exporter,
            session: loom.session("alice").id("conv_42"),
            loom,
        }
    }

    /// The rows so far, after a check that the log is whole and nothing in it is left open.
    pub(crate) fn told(&self) -> Vec<String> {
        let report = self.audit.verify();
        assert_eq!(report.verdict, Verdict::Ok);
        assert_eq!(report.open, []);
        let rows = self.audit.rows();
        for row in &rows {
            assert_eq!(row.user.as_ref().unwrap().as_str(), "alice");
            assert_eq!(row.session.as_str(), "conv_42");
        }
        rows.iter().map(line).collect()
    }
}

/// A row in short: `again: step_completed gate`.
fn line(row: &Row) -> String {
    let again = if row.replayed { "again: " } else { "" };
    let failed = match (row.action.as_str(), row.end.as_deref()) {
        ("tool_result", Some("failed")) => " failed",
        _ => "",
    };
    format!("{again}{} {}{failed}", row.action, row.name)
}

impl Process {
    /// The lines of the recorded tree, after a check that every span was opened, closed and
    /// exported once.
    pub(crate) fn tree(&self) -> Vec<String> {
        let mut spans: BTreeMap<String, [u32; 2]> = BTreeMap::new();
        for event in self.recorder.events() {
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
        let mut recorded: Vec<String> = self.ids();
        let exported = self.exporter.get_finished_spans().unwrap().into_iter();
        let ids = exported.map(|it| it.span_context.span_id().to_string());
        let mut exported: Vec<String> = ids.collect();
        recorded.sort_unstable();
        exported.sort_unstable();
        assert_eq!(exported, recorded);
        self.recorder.tree().lines()
    }

    fn ids(&self) -> Vec<String> {
        let spans = self.recorder.spans().into_iter();
        spans.map(|it| it.span.to_string()).collect()
    }
}
