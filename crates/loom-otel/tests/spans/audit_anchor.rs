//! The root's span is exported when the run has settled and says where the audit log stands.

use loom_core::{Anchor, Error, ErrorKind, Event, Observer, Result, RunContext, RunId, Settlement};
use opentelemetry_sdk::trace::InMemorySpanExporter;

use crate::exported::{Telemetry, block_on, values};

/// Settles with an anchor, and notes which spans had been exported by then.
struct Audit {
    exporter: InMemorySpanExporter,
    result: fn() -> Result<Option<Anchor>>,
}

impl Observer for Audit {
    fn on_event(&self, _event: &Event<'_>) {}

    async fn settle(&self, _run: &RunId) -> Settlement {
        let exported = self.exporter.get_finished_spans().unwrap();
        let names: Vec<_> = exported.iter().map(|it| it.name.to_string()).collect();
        assert_eq!(names, ["loom.workflow.step"]);
        Settlement::new("audit", (self.result)())
    }
}

async fn pass(n: u64) -> Result<u64> {
    Ok(n)
}

async fn one_step(cx: RunContext, n: u64) -> Result<u64> {
    cx.step("pass", &pass, n).await
}

fn settled_with(result: fn() -> Result<Option<Anchor>>) -> Telemetry {
    let telemetry = Telemetry::new();
    let audit = Audit {
        exporter: telemetry.exporter.clone(),
        result,
    };
    let loom = telemetry.loom().observe(audit).build();
    block_on(loom.session("alice").run(&one_step, 1u64)).unwrap();
    assert_eq!(loom.observer_faults(), 0);
    telemetry
}

#[test]
fn the_anchor_stands_on_the_root_whose_end_is_when_it_closed() {
    let telemetry = settled_with(|| {
        Ok(Some(Anchor {
            log: "log_1".into(),
            size: 42,
            head: "abcd".into(),
        }))
    });
    let spans = telemetry.spans();
    let root = |value: &str| vec![("loom.workflow.run".to_owned(), value.to_owned())];
    assert_eq!(values(&spans, "loom.audit.log"), root("log_1"));
    assert_eq!(values(&spans, "loom.audit.size"), root("42"));
    assert_eq!(values(&spans, "loom.audit.head"), root("abcd"));
    let recorded = &telemetry.recorder.spans()[0];
    assert_eq!(Some(spans[1].end_time), recorded.closed);
}

#[test]
fn a_run_whose_log_could_not_settle_has_no_anchor() {
    let telemetry = settled_with(|| Err(Error::new(ErrorKind::Failed, "disk full")));
    assert_eq!(values(&telemetry.spans(), "loom.audit.log"), []);
    assert_eq!(
        telemetry.lines(),
        ["loom.workflow.run", "  loom.workflow.step pass"]
    );
}
