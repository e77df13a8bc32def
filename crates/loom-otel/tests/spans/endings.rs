//! What a span says of how it ended.

use futures::FutureExt;
use loom_core::{
    CancelReason, Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Limits, Result,
    RunContext, RunErrorKind, Verdict,
};

use crate::exported::{Telemetry, block_on, values};

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
    pairs.iter().map(owned).collect()
}

async fn stuck(_: u64) -> Result<u64> {
    std::future::pending().await
}

async fn nested(cx: RunContext, n: u64) -> Result<u64> {
    cx.step("stuck", &stuck, n).await
}

#[test]
fn failures_have_an_error_status_and_type_but_no_message() {
    async fn bad(kind: u64) -> Result<u64> {
        let kind = match kind {
            0 => ErrorKind::Upstream,
            1 => ErrorKind::Invalid,
            2 => ErrorKind::LimitReached,
            _ => panic!("secret"),
        };
        Err(Error::new(kind, "secret"))
    }
    async fn all(cx: RunContext, (): ()) -> Result<()> {
        for kind in 0..4u64 {
            let _ = cx.step("bad", &bad, kind).await;
        }
        Ok(())
    }
    let telemetry = Telemetry::new();
    block_on(telemetry.loom().build().session("alice").run(&all, ())).unwrap();
    assert_eq!(
        telemetry.lines(),
        [
            "loom.workflow.run",
            "  loom.workflow.step bad ✗ upstream",
            "  loom.workflow.step bad ✗ invalid",
            "  loom.workflow.step bad ✗ limit_reached",
            "  loom.workflow.step bad ✗ panicked",
        ]
    );
    let spans = telemetry.spans();
    let step = "loom.workflow.step";
    assert_eq!(
        values(&spans, "error.type"),
        named(&[
            (step, "upstream"),
            (step, "invalid"),
            (step, "limit_reached"),
            (step, "panicked")
        ])
    );
    assert_eq!(
        values(&spans, "loom.ending"),
        named(&[
            ("loom.workflow.run", "completed"),
            (step, "failed"),
            (step, "failed"),
            (step, "interrupted"),
            (step, "failed"),
        ])
    );
    assert!(!format!("{spans:?}").contains("secret"));
}

struct NoRefunds;

impl Gate for NoRefunds {
    fn name(&self) -> &str {
        "no_refunds"
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        match effect.name().as_str() {
            "refund" => Verdict::deny("secret"),
            _ => Verdict::Allow,
        }
    }
}

#[test]
fn a_denied_span_says_so_and_which_gate_decided() {
    async fn ask(cx: RunContext, (): ()) -> Result<()> {
        let tool = Effect::tool("refund", "call_1");
        let denied = cx.perform(tool, (), |_cx, ()| async { Ok(()) }).await;
        assert_eq!(denied.unwrap_err().kind(), ErrorKind::Denied);
        Ok(())
    }
    let telemetry = Telemetry::new();
    let loom = telemetry.loom().gate(NoRefunds).build();
    block_on(loom.session("alice").id("conv").run(&ask, ())).unwrap();
    let tree = telemetry.tree();
    let (_, tool) = tree.split_once("\n  loom.tool").unwrap();
    assert_eq!(
        tool,
        r#" Internal 4..7
    ! Error { description: "denied" }
    - pattern: "agent"
    - user_id: "alice"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "ask/tool:refund[call_1]"
    - loom.span: "loom.tool"
    - gen_ai.conversation.id: "conv"
    - gen_ai.operation.name: "execute_tool"
    - gen_ai.tool.call.id: "call_1"
    - gen_ai.tool.name: "refund"
    - gen_ai.tool.type: "function"
    - loom.ending: "denied"
    - error.type: "denied"
    * permission_decided 5
      - loom.gate: "permissions"
      - loom.verdict: "allow"
    * permission_decided 6
      - loom.gate: "no_refunds"
      - loom.verdict: "deny"
"#
    );
}

#[test]
fn a_cancelled_span_says_why_and_is_no_failure() {
    let telemetry = Telemetry::new();
    let session = telemetry.loom().build().session("alice");
    let mut run = session.run(&nested, 1u64);
    assert!((&mut run).now_or_never().is_none());
    run.handle().cancel();
    let error = block_on(run).unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        telemetry.lines(),
        ["loom.workflow.run", "  loom.workflow.step stuck"]
    );
    let spans = telemetry.spans();
    let both = |value| named(&[("loom.workflow.run", value), ("loom.workflow.step", value)]);
    assert_eq!(values(&spans, "loom.ending"), both("cancelled"));
    assert_eq!(values(&spans, "loom.cancel_reason"), both("requested"));
    assert_eq!(values(&spans, "error.type"), []);
}

#[test]
fn a_dropped_run_exports_every_span_exactly_once() {
    let telemetry = Telemetry::new();
    let loom = telemetry.loom().build();
    let session = loom.session("alice");
    let mut run = session.run(&nested, 1u64);
    assert!((&mut run).now_or_never().is_none());
    assert_eq!(telemetry.spans(), []);
    drop(run);
    drop((session, loom));
    assert_eq!(
        telemetry.lines(),
        ["loom.workflow.run", "  loom.workflow.step stuck"]
    );
    let reasons = values(&telemetry.spans(), "loom.cancel_reason");
    assert_eq!(
        reasons,
        named(&[
            ("loom.workflow.run", "dropped"),
            ("loom.workflow.step", "dropped")
        ])
    );
    let recorded = telemetry.recorder.spans();
    let closed: Vec<_> = recorded.iter().filter_map(|it| it.closed).collect();
    let mut ended: Vec<_> = telemetry.spans().iter().map(|it| it.end_time).collect();
    ended.reverse();
    assert_eq!(ended, closed);
}

#[test]
fn what_a_failing_sibling_stops_is_cancelled_and_the_failure_alone_is_an_error() {
    async fn fail(_: u64) -> Result<u64> {
        Err(Error::new(ErrorKind::Failed, "no"))
    }
    async fn race(cx: RunContext, n: u64) -> Result<u64> {
        let mut slow = Box::pin(cx.step("stuck", &stuck, n));
        assert!((&mut slow).now_or_never().is_none());
        let failed = cx.step("fail", &fail, n).await;
        cx.cancel_with(CancelReason::SiblingFailed, slow);
        failed
    }
    let telemetry = Telemetry::new();
    let run = telemetry.loom().build().session("alice");
    block_on(run.run(&race, 1u64)).unwrap_err();
    assert_eq!(
        telemetry.lines(),
        [
            "loom.workflow.run ✗ failed",
            "  loom.workflow.step stuck",
            "  loom.workflow.step fail ✗ failed"
        ]
    );
    assert_eq!(
        values(&telemetry.spans(), "loom.cancel_reason"),
        named(&[("loom.workflow.step", "sibling_failed")])
    );
}

#[test]
fn a_limit_leaves_an_event_on_the_span_it_was_reached_in() {
    async fn deep(cx: RunContext, (): ()) -> Result<()> {
        let run = Effect::new(EffectKind::Workflow, "inner");
        cx.perform(run, (), |_cx, ()| async { Ok(()) }).await
    }
    let telemetry = Telemetry::new();
    let limits = Limits::default().with_depth_max(1);
    let loom = telemetry.loom().limits(limits).build();
    block_on(loom.session("alice").run(&deep, ())).unwrap_err();
    let tree = telemetry.tree();
    let (_, event) = tree.split_once("* ").unwrap();
    assert_eq!(
        event,
        "limit_reached 3\n    - loom.limit: \"depth_max\"\n    - loom.limit_value: 1\n"
    );
    assert_eq!(telemetry.lines(), ["loom.workflow.run ✗ limit_reached"]);
}
