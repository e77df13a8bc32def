//! What comes of doing something twice is declared where it is announced.

use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    Effect, EffectKind, Info, IntoStep, Kind, Loom, Result, RunContext, Runnable, Safety, Step,
    Tool, UserId, step,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::steps::call;

/// Gives the safety of the effect that it is.
async fn shows(cx: RunContext, _: String) -> Result<Safety> {
    Ok(cx.effect().safety())
}

#[derive(Deserialize, JsonSchema)]
struct Call {}

async fn shows_call(cx: RunContext, _: Call) -> Result<Safety> {
    Ok(cx.effect().safety())
}

#[test]
fn an_effect_that_declares_nothing_is_idempotent_unless_it_is_a_call_of_a_tool() {
    let kinds = [
        EffectKind::Workflow,
        EffectKind::Step,
        EffectKind::Agent,
        EffectKind::Turn,
        EffectKind::Model,
    ];
    for kind in kinds {
        assert_eq!(Effect::new(kind, "it").safety(), Safety::Idempotent);
    }
    assert_eq!(Effect::tool("it", "c1").safety(), Safety::NotIdempotent);
    assert_eq!(Effect::turn(1).safety(), Safety::Idempotent);
}

#[test]
fn a_call_announces_what_its_tool_declares() {
    let session = Loom::builder().build().session("alice");
    let tool = || Tool::new("it", "Shows.", shows_call);
    let declared = |tool: Tool| call(&session, tool, json!({})).unwrap().into_text();
    assert_eq!(declared(tool()), "not_idempotent");
    assert_eq!(declared(tool().idempotent()), "idempotent");
    assert_eq!(declared(tool().read_only()), "read_only");
    assert_eq!(tool().read_only().destructive().safety(), Safety::ReadOnly);
}

#[test]
fn a_step_by_hand_announces_what_its_step_declares() {
    let session = Loom::builder().build().session("alice");
    let desk = |cx: RunContext, _: String| async move {
        let plain = cx.step("plain", &shows, "").await?;
        let once = cx.step("once", &step(shows).once(), "").await?;
        let user = UserId::new("bob")?;
        let other = cx.acting_as(user, "other", &step(shows).once(), "").await?;
        Ok::<_, loom_core::Error>((plain, once, other))
    };
    assert_eq!(
        block_on(session.run(&desk, "")).unwrap().output,
        (
            Safety::Idempotent,
            Safety::NotIdempotent,
            Safety::NotIdempotent
        )
    );
}

#[test]
fn every_wrapper_is_as_dangerous_as_what_it_holds() {
    fn safety<M>(step: &impl IntoStep<String, M, Out = Safety>) -> [Safety; 2] {
        [step.step_safety(), step.step_info().safety]
    }
    let limit = Duration::from_secs(1);
    let once = || step(shows).once();
    assert_eq!(
        safety(&step(shows).retry(2).timeout(limit)),
        [Safety::Idempotent; 2]
    );
    let dangerous = [
        safety(&once()),
        safety(&once().named("it")),
        safety(&once().timeout(limit)),
        safety(&once().retry(2)),
        safety(&once().map(|it: Safety| it)),
        safety(&once().or_else(shows)),
        safety(&step(shows).or_else(once())),
        safety(&Step::new(once())),
        safety(&step(Step::new(once())).named("it")),
    ];
    assert_eq!(dangerous, [[Safety::NotIdempotent; 2]; 9]);
}

/// Holds a step that isn't idempotent, and is idempotent itself.
struct Desk;

impl Runnable<String> for Desk {
    type Out = String;

    async fn run(&self, _: &RunContext, text: String) -> Result<String> {
        Ok(text)
    }

    fn info(&self) -> Info {
        let refund = Tool::new("refund", "Refunds.", shows_call);
        let lookup = Tool::new("lookup", "Looks.", shows_call).read_only();
        Info::new("desk", Kind::Agent).with_parts([lookup.info(), refund.info()])
    }
}

#[test]
fn the_whole_is_as_dangerous_as_its_most_dangerous_part() {
    let desk = step(Desk).timeout(Duration::from_secs(1));
    let desk = |_: ()| {
        (
            IntoStep::<String, _>::step_info(&desk).safety,
            desk.step_safety(),
        )
    };
    assert_eq!(desk(()), (Safety::NotIdempotent, Safety::Idempotent));
}

#[test]
fn safety_changes_no_definition() {
    let deep = |safety: Safety| {
        let innermost = Info::new("a", Kind::Function).with_safety(safety);
        (0..200).fold(innermost, |inner, _| {
            Info::new("it", Kind::Workflow).with_parts([inner])
        })
    };
    for (one, other) in [
        (shows.step_info(), step(shows).once().step_info()),
        (deep(Safety::ReadOnly), deep(Safety::NotIdempotent)),
    ] {
        assert_ne!(one.safety, other.safety);
        assert_eq!(other.difference_from(&one), None);
        assert_eq!(one.definition_hash(), other.definition_hash());
    }
}
