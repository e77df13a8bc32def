//! The rows of what is said of an effect besides that it began and ended: retries, acting for
//! others, limits, permissions that are off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use loom_audit::Detail;
use loom_core::{
    Effect, EffectKind, Error, ErrorKind, Info, Kind, Limits, Result, RunContext, RunErrorKind,
    Runnable, Scope, UserId, key, step,
};
use serde_json::json;

use crate::composed::{fixed, fixed_loom};
use crate::rows::{extends, memory, payloads, told};

#[tokio::test(start_paused = true)]
async fn each_further_attempt_has_a_row_in_the_span_of_the_step() {
    async fn pay(cx: RunContext, cents: u64) -> Result<u64> {
        let calls = Arc::new(AtomicU32::new(0));
        let flaky = move |cents: u64| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                match call {
                    0 => Err(Error::new(ErrorKind::Failed, "no line")),
                    1 => Err(Error::new(ErrorKind::Timeout, "no answer")),
                    _ => Ok(cents),
                }
            }
        };
        let wait = Duration::from_millis(1000);
        cx.step(
            "call_bank",
            &step(flaky).retry(3).backoff(wait, wait),
            cents,
        )
        .await
    }
    let audit = memory();
    let session = fixed_loom(&audit).build().session("alice");
    let outcome = session.run(&pay, 500_u64).await.unwrap();
    let rows = audit.rows();
    assert_eq!(
        told(&rows),
        [
            "workflow_started pay",
            "step_started call_bank",
            "retry call_bank",
            "retry call_bank",
            "step_completed call_bank completed",
            "workflow_completed pay completed",
        ]
    );
    assert_eq!(
        payloads(&rows)[2..4],
        [
            json!({"attempt": 2, "error_kind": "failed", "wait_ms": 851}),
            json!({"attempt": 3, "error_kind": "timeout", "wait_ms": 213}),
        ]
    );
    for row in &rows[2..4] {
        assert_eq!((row.actor.as_str(), row.span), ("system", rows[1].span));
    }
    extends(&audit, &outcome.anchors);
}

#[test]
fn falling_back_on_another_step_has_no_row() {
    async fn broken(_: u64) -> Result<u64> {
        Err(Error::new(ErrorKind::Failed, "no line"))
    }
    async fn spare(cents: u64) -> Result<u64> {
        Ok(cents)
    }
    async fn pay(cx: RunContext, cents: u64) -> Result<u64> {
        cx.step("call_bank", &step(broken).or_else(spare), cents)
            .await
    }
    let audit = memory();
    let session = fixed_loom(&audit).build().session("alice");
    let outcome = futures::executor::block_on(session.run(&pay, 500_u64)).unwrap();
    assert_eq!(outcome.output, 500);
    assert_eq!(
        told(&audit.rows()),
        [
            "workflow_started pay",
            "step_started call_bank",
            "step_completed call_bank completed",
            "workflow_completed pay completed",
        ]
    );
    extends(&audit, &outcome.anchors);
}

async fn nothing(_: RunContext, (): ()) -> Result<()> {
    Ok(())
}

async fn look(cx: RunContext, (): ()) -> Result<()> {
    cx.step("open_file", &nothing, ()).await
}

async fn support(cx: RunContext, customer: String) -> Result<()> {
    cx.acting_as(UserId::new(customer)?, "look", &look, ())
        .await?;
    cx.step("sign_off", &nothing, ()).await
}

#[test]
fn what_is_done_for_another_user_says_for_whom_and_by_whom_all_the_way_down() {
    let audit = memory();
    let session = fixed_loom(&audit).build().session("support");
    let outcome = futures::executor::block_on(session.run(&support, "alice")).unwrap();
    let rows = audit.rows();
    let whose: Vec<String> = rows
        .iter()
        .zip(told(&rows))
        .map(|(row, told)| {
            let by = row.by.as_ref().map(|by| format!(" by {by}"));
            let user = row.user.as_ref().unwrap();
            format!("{user}{}: {told}", by.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        whose,
        [
            "support: workflow_started support",
            "alice by support: step_started look",
            "alice by support: acting_as look",
            "alice by support: step_started open_file",
            "alice by support: step_completed open_file completed",
            "alice by support: step_completed look completed",
            "support: step_started sign_off",
            "support: step_completed sign_off completed",
            "support: workflow_completed support completed",
        ]
    );
    assert_eq!(rows[2].payload, Some(json!({"as": "alice"})));
    assert_eq!(
        (rows[2].actor.as_str(), rows[2].span),
        ("system", rows[1].span)
    );
    assert_eq!(audit.verify().users, 2);
    extends(&audit, &outcome.anchors);
}

#[test]
fn what_the_anonymous_partition_does_for_a_user_says_by_whom_with_an_empty_text() {
    let audit = memory();
    let session = fixed_loom(&audit).build().anonymous();
    let outcome = futures::executor::block_on(session.run(&support, "alice")).unwrap();
    let rows = audit.rows();
    let whose: Vec<_> = rows
        .iter()
        .map(|row| (row.user.as_ref().map(UserId::as_str), row.by.as_deref()))
        .collect();
    let (anonymous, acting) = ((None, None), (Some("alice"), Some("")));
    assert_eq!(
        whose,
        [
            anonymous, acting, acting, acting, acting, acting, anonymous, anonymous, anonymous
        ]
    );
    assert_eq!(serde_json::to_value(&rows[1]).unwrap()["by"], "");
    assert!(audit.lines()[2].contains(r#""user":"alice","by":"","sess""#));
    extends(&audit, &outcome.anchors);
}

#[test]
fn looking_at_all_users_data_has_a_row_and_in_full_the_reason() {
    async fn count(cx: RunContext, (): ()) -> Result<()> {
        let _everybody = Scope::admin(&cx, "monthly count");
        Ok(())
    }
    for (detail, payload) in [
        (Detail::Summary, json!({"as": "*"})),
        (Detail::Full, json!({"as": "*", "reason": "monthly count"})),
    ] {
        let audit = fixed().detail(detail).build().unwrap();
        let session = fixed_loom(&audit).build().session("operator");
        let outcome = futures::executor::block_on(session.run(&count, ())).unwrap();
        let rows = audit.rows();
        assert_eq!(
            told(&rows),
            [
                "workflow_started count",
                "acting_as count",
                "workflow_completed count completed",
            ]
        );
        assert_eq!(rows[1].payload, Some(payload));
        assert_eq!((&rows[1].user, &rows[1].by), (&rows[0].user, &None));
        extends(&audit, &outcome.anchors);
    }
}

/// An agent, as far as the door knows one.
struct Helper;

impl Runnable<String> for Helper {
    type Out = u64;

    async fn run(&self, cx: &RunContext, input: String) -> Result<u64> {
        let run = Effect::new(EffectKind::Agent, "helper").with(key::MODEL, "opus");
        cx.perform(run, input, |cx, _| async move {
            // Only a root's word counts.
            let nested = Effect::new(EffectKind::Workflow, "nested").with(key::PERMISSIONS, "off");
            cx.perform(nested, (), |_, ()| async { Ok(7) }).await
        })
        .await
    }

    fn info(&self) -> Info {
        Info::new("helper", Kind::Agent)
    }
}

#[test]
fn a_run_without_permissions_says_so_where_it_begins_and_nowhere_else() {
    for (off, helper, function) in [
        (
            true,
            json!({"in": 5, "model": "opus", "permissions": "off"}),
            json!({"permissions": "off"}),
        ),
        (false, json!({"in": 5, "model": "opus"}), json!({})),
    ] {
        let audit = memory();
        let loom = fixed_loom(&audit);
        let loom = if off {
            loom.without_permissions()
        } else {
            loom
        };
        let session = loom.build().session("alice");
        let first = futures::executor::block_on(session.run(&Helper, "pay")).unwrap();
        let second = futures::executor::block_on(session.run(&nothing, ())).unwrap();
        let rows = audit.rows();
        assert_eq!(
            told(&rows),
            [
                "run_started helper",
                "workflow_started nested",
                "workflow_completed nested completed",
                "run_completed helper completed",
                "workflow_started nothing",
                "workflow_completed nothing completed",
            ]
        );
        assert_eq!(
            payloads(&rows),
            [
                helper,
                json!({}),
                json!({"out": 1}),
                json!({"out": 1}),
                function,
                json!({"out": 4})
            ]
        );
        let anchors = [&first.anchors[..], &second.anchors[..]].concat();
        extends(&audit, &anchors);
    }
}

#[test]
fn a_root_that_a_limit_refuses_has_the_row_of_the_limit_alone() {
    let audit = memory();
    let loom = fixed_loom(&audit).limits(Limits::default().with_effects_max(0));
    let session = loom.build().session("alice");
    let error = futures::executor::block_on(session.run(&nothing, ())).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    let rows = audit.rows();
    assert_eq!(told(&rows), ["limit_reached nothing"]);
    assert_eq!(
        payloads(&rows),
        [json!({"limit": "effects_max", "value": 0})]
    );
    assert_eq!(rows[0].run, error.report().unwrap().run_id);
    extends(&audit, &error.report().unwrap().anchors);
}
