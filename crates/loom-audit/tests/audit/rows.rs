//! Which rows a run writes, in which order, and what each says.

use loom_audit::{Audit, Row, verify};
use loom_core::{
    Anchor, CancelReason, Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Handle, Limits,
    Loom, MemoryJournal, Result, RunContext, RunErrorKind, Verdict,
};
use serde_json::{Value, json};

use crate::composed::{action_allowed, composed_log, fixed, fixed_key, gated_action};

/// `action name`, and the end where the row has one.
pub(crate) fn told(rows: &[Row]) -> Vec<String> {
    let words = |row: &Row| {
        let parts = [
            Some(&row.action),
            Some(&row.name),
            row.end.as_ref(),
            row.why.as_ref(),
        ];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join(" ")
    };
    rows.iter().map(words).collect()
}

pub(crate) fn payloads(rows: &[Row]) -> Vec<Value> {
    rows.iter().filter_map(|row| row.payload.clone()).collect()
}

pub(crate) fn memory() -> Audit {
    fixed().build().unwrap()
}

/// The log is whole and extends every anchor that runs gave.
pub(crate) fn extends(audit: &Audit, anchors: &[Anchor]) {
    let expected: Vec<_> = anchors.iter().map(Into::into).collect();
    let report = verify(&audit.bytes(), &[fixed_key()], &expected);
    assert_eq!(report.verdict, loom_audit::Verdict::Ok, "{report:?}");
    assert_eq!(report.anchored, audit.anchor().size);
    assert_eq!(report.open, []);
}

#[test]
fn a_composed_run_writes_the_contracts_rows_in_its_order() {
    let rows = composed_log().rows();
    assert_eq!(
        told(&rows),
        [
            "workflow_started gated_action",
            "step_started gate",
            "step_completed gate completed",
            "step_started agent_node",
            "run_started helper",
            "tool_call action",
            "workflow_started action",
            "step_started authorize",
            "step_completed authorize completed",
            "step_started execute",
            "step_completed execute completed",
            "workflow_completed action completed",
            "tool_result action completed",
            "run_completed helper completed",
            "step_completed agent_node completed",
            "step_started log_completion",
            "step_completed log_completion completed",
            "workflow_completed gated_action completed",
        ]
    );
}

#[test]
fn every_row_names_the_one_user_session_and_trace_and_its_own_run() {
    let rows = composed_log().rows();
    let root = &rows[0];
    for row in &rows {
        assert_eq!(row.user.as_ref().unwrap().as_str(), "alice");
        assert_eq!(row.session.as_str(), "conv_1");
        assert_eq!(row.trace, root.trace);
    }
    let runs: Vec<_> = rows.iter().map(|row| (&row.run, &row.parent_run)).collect();
    let (agent, inner) = (&rows[4], &rows[6]);
    assert_eq!(runs[3], (&root.run, &None));
    assert_eq!(runs[4], (&agent.run, &Some(root.run.clone())));
    assert_eq!(runs[5], runs[4]);
    assert_eq!(runs[6], (&inner.run, &Some(agent.run.clone())));
    assert_eq!(runs[7..12], [runs[6]; 5]);
    assert_eq!(runs[12..14], [runs[4]; 2]);
    assert_eq!(runs[14..18], [runs[0]; 4]);
}

#[test]
fn payloads_say_sizes_and_digests_and_no_contents() {
    let rows = composed_log().rows();
    assert_eq!(
        payloads(&rows)[..6],
        [
            json!({"in": 12}),
            json!({"in": 12}),
            json!({"out": 12}),
            json!({"in": 12}),
            json!({"in": 12, "model": "opus", "turns_max": 50}),
            json!({
                "call": "c1",
                "turn": 0,
                "destructive": true,
                "bytes": 33,
                // hmac.new(hkdf(key, "loom-audit/1 digest"), value's JSON, sha256)
                "args": {"amount": "e5452b58b9e839c9", "input": "95eb11ace8e4e67d"},
            }),
        ]
    );
    assert_eq!(
        payloads(&rows)[12..14],
        [
            json!({"call": "c1", "out": 18}),
            json!({"turns": 2, "tokens_in": 30, "tokens_out": 4, "out": 18}),
        ]
    );
}

#[test]
fn who_did_it_follows_from_what_was_done() {
    let rows = composed_log().rows();
    let actors: Vec<&str> = rows.iter().map(|row| row.actor.as_str()).collect();
    assert_eq!(
        actors[..6],
        [
            "workflow", "workflow", "workflow", "workflow", "agent", "model"
        ]
    );
    assert_eq!(actors[11..14], ["workflow", "tool", "agent"]);
}

#[test]
fn an_anonymous_run_has_no_user() {
    let audit = memory();
    let loom = Loom::builder()
        .permissions(action_allowed())
        .install(audit.clone())
        .build();
    futures::executor::block_on(loom.anonymous().run(&gated_action, "pay")).unwrap();
    assert!(audit.rows().iter().all(|row| row.user.is_none()));
    assert_eq!(audit.verify().users, 0);
}

/// Opens a tool call and, in it, a step that ends with this error.
async fn end_with(cx: RunContext, kind: ErrorKind) -> Result<u64> {
    let ended = |_, ()| async move { Err(Error::new(kind, "that is it")) };
    let run = Effect::new(EffectKind::Agent, "helper");
    cx.perform(run, (), |cx, ()| async move {
        cx.perform(Effect::tool("action", "c1"), (), |cx, ()| async move {
            cx.perform(Effect::new(EffectKind::Step, "load"), (), ended)
                .await
        })
        .await
    })
    .await
}

/// The rows' ends from the innermost effect outwards.
fn ends(audit: &Audit) -> Vec<String> {
    let rows = audit.rows();
    let closing: Vec<Row> = rows.into_iter().filter(|row| row.end.is_some()).collect();
    told(&closing)
}

#[test]
fn every_ending_that_an_error_brings_has_its_row_for_every_kind_of_effect() {
    let endings = [
        (ErrorKind::Failed, "failed", "tool_result action failed"),
        (ErrorKind::Denied, "denied", "tool_denied action denied"),
        (
            ErrorKind::LimitReached,
            "interrupted",
            "tool_interrupted action interrupted",
        ),
    ];
    for (kind, word, tool) in endings {
        let audit = memory();
        let loom = Loom::builder().install(audit.clone()).build();
        let work = move |cx: RunContext, (): ()| end_with(cx, kind);
        futures::executor::block_on(loom.session("alice").run(&work, ())).unwrap_err();
        assert_eq!(
            ends(&audit),
            [
                format!("step_{word} load {word}"),
                tool.to_owned(),
                format!("run_{word} helper {word}"),
                format!("workflow_{word} function {word}"),
            ]
        );
        assert_eq!(
            audit.rows()[4].payload,
            Some(json!({ "kind": kind.as_str() }))
        );
        assert_eq!(audit.verify().open, []);
    }
}

/// An agent run with a tool call with a step, which does this.
async fn inside<F, Fut>(cx: RunContext, work: F) -> Result<u64>
where
    F: FnOnce(RunContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<u64>> + Send,
{
    let step = Effect::new(EffectKind::Step, "load");
    cx.perform(
        Effect::new(EffectKind::Agent, "helper"),
        (),
        |cx, ()| async move {
            cx.perform(Effect::tool("action", "c1"), (), |cx, ()| async move {
                cx.perform(step, (), |cx, ()| work(cx)).await
            })
            .await
        },
    )
    .await
}

#[test]
fn a_pause_and_a_cancellation_have_their_rows_for_every_kind_of_effect() {
    async fn waiting(cx: RunContext, (): ()) -> Result<u64> {
        inside(
            cx,
            |cx| async move { cx.ask("how_many", "How many?").await },
        )
        .await
    }
    async fn cancelled(cx: RunContext, (): ()) -> Result<u64> {
        inside(cx, |cx| async move {
            cx.handle().cancel();
            std::future::pending().await
        })
        .await
    }
    let audit = memory();
    let loom = Loom::builder()
        .journal(MemoryJournal::default())
        .install(audit.clone())
        .build();
    let session = loom.session("alice");
    let paused = futures::executor::block_on(session.run(&waiting, ())).unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    assert_eq!(
        ends(&audit),
        [
            "step_paused load paused",
            "tool_paused action paused",
            "run_paused helper paused",
            "workflow_paused waiting paused",
        ]
    );
    let audit = memory();
    let loom = Loom::builder().install(audit.clone()).build();
    futures::executor::block_on(loom.session("alice").run(&cancelled, ())).unwrap_err();
    assert_eq!(
        ends(&audit),
        [
            "step_cancelled load cancelled requested",
            "tool_cancelled action cancelled requested",
            "run_cancelled helper cancelled requested",
            "workflow_cancelled cancelled cancelled requested",
        ]
    );
}

#[tokio::test]
async fn a_cancelled_run_closes_every_row_with_the_reason() {
    async fn wait(cx: RunContext, handle_of: ()) -> Result<u64> {
        let handle: Handle = cx.handle();
        cx.step(
            "wait",
            &move |(): ()| {
                handle.cancel();
                std::future::pending::<Result<u64>>()
            },
            handle_of,
        )
        .await
    }
    let audit = memory();
    let loom = Loom::builder().install(audit.clone()).build();
    let error = loom.session("alice").run(&wait, ()).await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        told(&audit.rows()),
        [
            "workflow_started wait",
            "step_started wait",
            "step_cancelled wait cancelled requested",
            "workflow_cancelled wait cancelled requested",
        ]
    );
}

struct NoTools;

impl Gate for NoTools {
    fn name(&self) -> &'static str {
        "no_tools"
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        match effect.kind() {
            EffectKind::Tool => Verdict::deny("no tools today"),
            _ => Verdict::Allow,
        }
    }
}

#[test]
fn a_denial_has_a_row_of_its_own_and_an_allowance_has_none() {
    let audit = memory();
    let loom = Loom::builder().gate(NoTools).install(audit.clone()).build();
    futures::executor::block_on(loom.session("alice").run(&gated_action, "pay")).unwrap_err();
    let rows = audit.rows();
    assert_eq!(
        told(&rows)[5..8],
        [
            "tool_call action",
            "permission_denied action",
            "tool_denied action denied"
        ]
    );
    assert_eq!(rows[6].actor, "gate");
    assert_eq!(rows[6].span, rows[5].span);
    assert_eq!(rows[6].payload, Some(json!({"gate": "no_tools"})));
}

#[test]
fn a_limit_that_was_reached_has_a_row_and_what_it_refused_has_none() {
    let audit = memory();
    let loom = Loom::builder()
        .limits(Limits::default().with_depth_max(2))
        .permissions(action_allowed())
        .install(audit.clone())
        .build();
    futures::executor::block_on(loom.session("alice").run(&gated_action, "pay")).unwrap_err();
    let rows = audit.rows();
    assert_eq!(
        told(&rows)[5..8],
        [
            "tool_call action",
            "limit_reached action",
            "tool_interrupted action interrupted"
        ]
    );
    assert_eq!(rows[6].actor, "system");
    assert_eq!(
        rows[6].payload,
        Some(json!({"limit": "depth_max", "value": 2}))
    );
}

#[test]
fn a_row_serialises_to_one_flat_object() {
    let row = &composed_log().rows()[2];
    assert_eq!(
        serde_json::to_value(row).unwrap(),
        json!({
            "seq": 4,
            "ts": row.ts,
            "actor": "workflow",
            "action": "step_completed",
            "name": "gate",
            "end": "completed",
            "user": "alice",
            "session": "conv_1",
            "run": row.run,
            "trace": row.trace,
            "span": row.span,
            "parent_span": row.parent_span,
            "payload": {"out": 12},
        })
    );
}
