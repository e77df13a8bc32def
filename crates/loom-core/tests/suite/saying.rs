//! What an effect says while it runs: notes, recorded attributes, deltas, what it spent.

use futures::executor::block_on;
use loom_core::{
    Attributes, Effect, EffectKind, Happened, Result, RunContext, RunErrorKind, Tokens,
};

use crate::recorded::{recorded, story};

#[test]
fn notes_and_deltas_are_told_in_order_and_with_their_facts() {
    async fn talks(cx: RunContext, text: String) -> Result<String> {
        cx.note("remark", &Attributes::new().with("n", 1u32));
        cx.delta("hel");
        cx.delta("lo");
        Err(cx.limit_reached("turns_max", 50)).or(Ok(text))
    }
    let (recorder, session) = recorded();
    block_on(session.run(&talks, "go")).unwrap();
    assert_eq!(
        story(&recorder),
        [
            "open talks",
            "note talks remark",
            "delta talks hel",
            "delta talks lo",
            "note talks limit_reached",
            "close talks completed",
            "settled talks",
        ]
    );
    let notes = recorder
        .events()
        .into_iter()
        .filter_map(|it| match it.what {
            Happened::Noted { attributes, .. } => Some(attributes),
            _ => None,
        });
    let limit = Attributes::new()
        .with("limit", "turns_max")
        .with("value", 50u32);
    assert_eq!(
        notes.collect::<Vec<_>>(),
        [Attributes::new().with("n", 1u32), limit]
    );
    assert_eq!(recorder.spans()[0].streamed, "hello");
}

#[test]
fn a_limit_that_is_reached_ends_the_run_as_interrupted() {
    async fn limited(cx: RunContext, _: String) -> Result<String> {
        Err(cx.limit_reached("turns_max", 50))
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&limited, "go")).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (RunErrorKind::Interrupted, "limited: turns_max 50 reached")
    );
    assert_eq!(
        story(&recorder),
        [
            "open limited",
            "note limited limit_reached",
            "close limited interrupted",
            "settled limited"
        ]
    );
}

#[test]
fn what_is_recorded_closes_the_effect_it_was_recorded_in() {
    async fn records(cx: RunContext, text: String) -> Result<String> {
        cx.record_one("n", 1u32);
        let inner = Effect::new(EffectKind::Step, "inner").with("known", true);
        cx.perform(inner, (), |cx, ()| async move {
            cx.record(Attributes::new().with("n", 2u32).with("who", "inner"));
            cx.record_one("n", 3u32);
            Ok(())
        })
        .await?;
        Ok(text)
    }
    let (recorder, session) = recorded();
    block_on(session.run(&records, "go")).unwrap();
    let attributes: Vec<Attributes> = recorder
        .spans()
        .into_iter()
        .map(|it| it.attributes)
        .collect();
    let inner = Attributes::new()
        .with("known", true)
        .with("n", 3u32)
        .with("who", "inner");
    assert_eq!(attributes, [Attributes::new().with("n", 1u32), inner]);
}

#[test]
fn the_outcome_adds_up_what_models_and_tools_consumed_and_unknown_stays_unknown() {
    async fn consumes(cx: RunContext, text: String) -> Result<String> {
        let calls = [
            ("opus", Some(Tokens::new(10, 1).costing(40))),
            ("haiku", None),
            ("opus", Some(Tokens::new(5, 2).costing(30))),
            ("haiku", Some(Tokens::new(7, 7))),
        ];
        for (model, tokens) in calls {
            let call = Effect::new(EffectKind::Model, model);
            cx.perform(call, (), |cx, ()| async move {
                tokens.into_iter().for_each(|it| cx.spend(it));
                Ok(())
            })
            .await?;
        }
        cx.perform(Effect::tool("look", "c1"), (), |_, ()| async { Ok(()) })
            .await?;
        Ok(text)
    }
    let (_, session) = recorded();
    let usage = block_on(session.run(&consumes, "go"))
        .unwrap()
        .into_parts()
        .1
        .usage;
    assert_eq!(
        serde_json::to_value(usage).unwrap(),
        serde_json::json!({
            "model_calls": 4,
            "tool_calls": 1,
            "input_tokens": null,
            "output_tokens": null,
            "cost_micro_usd": null,
            "per_model": {
                "haiku": {"calls": 2, "input_tokens": null, "output_tokens": null, "cost_micro_usd": null},
                "opus": {"calls": 2, "input_tokens": 15, "output_tokens": 3, "cost_micro_usd": 70},
            },
        })
    );
}
