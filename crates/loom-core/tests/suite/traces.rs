//! One trace a root run: the caller's where it gave one.

use std::collections::BTreeSet;

use futures::executor::block_on;
use loom_core::{Result, RunContext, SpanId, TraceId, TraceParent};

use crate::recorded::{recorded, tree};
use crate::steps::echo;

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// The header for calls out of a step, and the one the run was called with.
async fn headers(cx: RunContext, _: String) -> Result<(String, Option<String>)> {
    let inner = |cx: RunContext, _: String| async move {
        Ok::<_, loom_core::Error>((
            cx.traceparent().to_string(),
            cx.caller().map(|it| it.to_string()),
        ))
    };
    cx.step("inner", &inner, "x").await
}

#[test]
fn a_run_joins_the_trace_of_its_caller_and_hands_it_on() {
    for (caller, flags) in [(CALLER, "01"), (UNSAMPLED, "00")] {
        let (recorder, session) = recorded();
        let parent: TraceParent = caller.parse().unwrap();
        let outcome = block_on(session.traceparent(parent).run(&headers, "go")).unwrap();
        let [root, inner] = &recorder.spans()[..] else {
            panic!("two spans")
        };
        assert_eq!(outcome.trace_id, parent.trace_id);
        assert_eq!([root.trace, inner.trace], [parent.trace_id; 2]);
        assert_eq!(
            [root.parent_span, inner.parent_span],
            [Some(parent.span_id), Some(root.span)]
        );
        let outgoing = format!("00-{}-{}-{flags}", parent.trace_id, inner.span);
        assert_eq!(outcome.output, (outgoing, Some(caller.to_owned())));
        assert_eq!(
            tree(&recorder),
            ["loom.workflow.run headers", "  loom.workflow.step inner"]
        );
    }
}

#[test]
fn a_run_without_a_caller_is_a_sampled_trace_of_its_own() {
    let (recorder, session) = recorded();
    let outcomes = [(); 2].map(|()| block_on(session.run(&headers, "go")).unwrap());
    assert_ne!(outcomes[0].trace_id, outcomes[1].trace_id);
    let spans = recorder.spans();
    for (outcome, spans) in outcomes.iter().zip(spans.chunks(2)) {
        assert_eq!([spans[0].trace, spans[1].trace], [outcome.trace_id; 2]);
        assert_eq!(
            [spans[0].parent_span, spans[1].parent_span],
            [None, Some(spans[0].span)]
        );
        let outgoing = format!("00-{}-{}-01", outcome.trace_id, spans[1].span);
        assert_eq!(outcome.output, (outgoing, None));
    }
}

#[test]
fn no_two_spans_share_an_id() {
    async fn many(cx: RunContext, n: u32) -> Result<u32> {
        for _ in 0..n {
            cx.step("one", &echo, "x").await?;
        }
        Ok(n)
    }
    let (recorder, session) = recorded();
    for _ in 0..5 {
        block_on(session.run(&many, 199u32)).unwrap();
    }
    let spans: BTreeSet<(TraceId, SpanId)> = recorder
        .spans()
        .iter()
        .map(|it| (it.trace, it.span))
        .collect();
    let ids: BTreeSet<SpanId> = spans.iter().map(|(_, span)| *span).collect();
    let traces: BTreeSet<TraceId> = spans.iter().map(|(trace, _)| *trace).collect();
    assert_eq!((spans.len(), ids.len(), traces.len()), (1000, 1000, 5));
}
