//! A limit of the tree ends all of it: nothing further opens, and one note says which it was.

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, EffectKind, Error, ErrorKind, Info, Kind, Limits, Loom, Result, RunContext,
    RunErrorKind, Runnable, Tokens, step,
};
use serde_json::json;

use crate::recorded::{limits_noted, recorded_by, story, tree};
use crate::steps::{echo, forever};

/// Calls a model that takes so many tokens and costs twice as many millionths of a dollar.
async fn model(cx: &RunContext, tokens: u64) -> Result<()> {
    let call = Effect::new(EffectKind::Model, "opus").reserving(tokens, 2 * tokens);
    cx.perform(call, (), |cx, ()| async move {
        cx.spend(Tokens::new(tokens, 0).costing(2 * tokens));
        Ok(())
    })
    .await
}

async fn tool(cx: &RunContext) -> Result<()> {
    cx.perform(Effect::tool("look", "c1"), (), |_, ()| async { Ok(()) })
        .await
}

/// Three turns of an agent in a step, each with a call of a model and one of a tool.
async fn turns(cx: RunContext, _: String) -> Result<()> {
    let step = |cx: RunContext, _: String| async move {
        let run = Effect::new(EffectKind::Agent, "agent");
        cx.perform(run, (), |cx, ()| async move {
            for n in 0..3 {
                cx.perform(Effect::turn(n), (), |cx, ()| async move {
                    model(&cx, 10).await?;
                    tool(&cx).await
                })
                .await?;
            }
            Ok(())
        })
        .await
    };
    cx.step("step", &step, "x").await
}

#[test]
fn each_limit_of_the_tree_ends_it_at_its_own_number() {
    let none = Limits::default();
    let table = [
        (none.with_effects_max(8), "effects_max 8", "/turn:1", 8),
        (none.with_effects_max(9), "effects_max 9", "", 9),
        (
            none.with_model_calls_max(1),
            "model_calls_max 1",
            "/turn:1",
            7,
        ),
        (
            none.with_tool_calls_max(2),
            "tool_calls_max 2",
            "/turn:2",
            11,
        ),
        (none.with_tokens_max(20), "tokens_max 20", "/turn:2", 10),
        (none.with_tokens_max(15), "tokens_max 15", "/turn:2", 10),
        (
            none.with_cost_micro_usd_max(20),
            "cost_micro_usd_max 20",
            "/turn:1",
            7,
        ),
    ];
    for (limits, limit, turn, opened) in table {
        let (recorder, session) = recorded_by(Loom::builder().limits(limits));
        let error = block_on(session.run(&turns, "go")).unwrap_err();
        assert_eq!(
            (error.kind(), error.error().kind()),
            (RunErrorKind::Interrupted, ErrorKind::LimitReached),
            "{limit}"
        );
        let place = format!("turns/step/agent{turn}");
        assert_eq!(error.to_string(), format!("{place}: {limit} reached"));
        assert_eq!(limits_noted(&recorder), [format!("{place} {limit}")]);
        assert_eq!(tree(&recorder).len(), opened, "{limit}");
        for span in recorder.spans() {
            let encloses = place.starts_with(&span.path);
            let expected = if encloses { "interrupted" } else { "completed" };
            assert_eq!(span.ending.unwrap().as_str(), expected, "{}", span.path);
        }
    }
}

#[test]
fn what_no_limit_bounds_completes() {
    let (recorder, session) = recorded_by(Loom::builder());
    let outcome = block_on(session.run(&turns, "go")).unwrap();
    assert_eq!(outcome.usage.model_calls, 3);
    assert_eq!(limits_noted(&recorder), Vec::<String>::new());
    let exact = Limits::default()
        .with_effects_max(12)
        .with_model_calls_max(3)
        .with_tool_calls_max(3)
        .with_tokens_max(30)
        .with_cost_micro_usd_max(60);
    let (recorder, session) = recorded_by(Loom::builder().limits(exact));
    block_on(session.run(&turns, "go")).unwrap();
    assert_eq!(limits_noted(&recorder), Vec::<String>::new());
}

/// A step that calls a model until the limit and returns, and a run that does so, too.
async fn swallows(cx: RunContext, text: String) -> Result<String> {
    let spends = |cx: RunContext, text: String| async move {
        model(&cx, 10).await?;
        // Its second poll would say that it is refused.
        assert!(model(&cx, 10).boxed().now_or_never().is_none());
        Ok::<_, Error>(text)
    };
    let stopped = cx.step("spends", &spends, text.clone()).await;
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Stopped);
    Ok(text)
}

#[test]
fn a_body_that_swallows_the_refusal_ends_with_the_limit_all_the_same() {
    let limits = Limits::default().with_tokens_max(10);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    let error = block_on(session.run(&swallows, "go")).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.to_string(), "swallows/spends: tokens_max 10 reached");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run swallows ✗ interrupted",
            "  loom.workflow.step spends ✗ interrupted",
            "    loom.model.stream opus",
        ]
    );
    assert_eq!(limits_noted(&recorder), ["swallows/spends tokens_max 10"]);
}

#[test]
fn no_step_wrapper_or_fallback_handles_a_limit_of_the_tree() {
    async fn spends(cx: RunContext, _: String) -> Result<String> {
        model(&cx, 10).await?;
        model(&cx, 10).await?;
        Ok("done".to_owned())
    }
    async fn stubborn(cx: RunContext, text: String) -> Result<String> {
        let tries = step(spends).retry(3).or_else(echo);
        let _ = cx.step("tries", &tries, text.clone()).await;
        let _ = cx.step("instead", &echo, text.clone()).await;
        Ok(text)
    }
    let limits = Limits::default().with_tokens_max(10);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    let error = block_on(session.run(&stubborn, "go")).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.to_string(), "stubborn/tries: tokens_max 10 reached");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run stubborn ✗ interrupted",
            "  loom.workflow.step tries ✗ interrupted",
            "    loom.model.stream opus",
        ]
    );
    assert_eq!(limits_noted(&recorder), ["stubborn/tries tokens_max 10"]);
}

#[test]
fn what_encloses_the_limit_is_interrupted_and_all_else_is_cancelled() {
    async fn waits(cx: RunContext, text: String) -> Result<String> {
        cx.step("inner", &forever, text).await
    }
    async fn spends(cx: RunContext, _: String) -> Result<String> {
        let inner = |cx: RunContext, _: String| async move {
            let (waits, calls) = futures::join!(cx.step("beside", &forever, "x"), async {
                model(&cx, 10).await?;
                model(&cx, 10).await
            });
            calls.and(waits)
        };
        cx.step("inner", &inner, "x").await
    }
    async fn root(cx: RunContext, _: String) -> Result<String> {
        let (waits, spends) = futures::join!(
            cx.step("waits", &waits, "x"),
            cx.step("spends", &spends, "x")
        );
        waits.and(spends)
    }
    let limits = Limits::default().with_tokens_max(10);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "root/spends/inner: tokens_max 10 reached"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root ✗ interrupted",
            "  loom.workflow.step waits ✗ cancelled (limit_reached)",
            "    loom.workflow.step inner ✗ cancelled (limit_reached)",
            "  loom.workflow.step spends ✗ interrupted",
            "    loom.workflow.step inner ✗ interrupted",
            "      loom.workflow.step beside ✗ cancelled (limit_reached)",
            "      loom.model.stream opus",
        ]
    );
}

/// Says it is a workflow and opens its run.
struct Flow;

impl Runnable<String> for Flow {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let run = Effect::new(EffectKind::Workflow, "flow");
        cx.perform(run, (), |_, ()| async { Ok(text) }).await
    }

    fn info(&self) -> Info {
        Info::new("flow", Kind::Workflow)
    }
}

#[test]
fn a_root_that_a_limit_refuses_has_only_its_note() {
    let none = Limits::default();
    for (limits, limit) in [
        (none.with_effects_max(0), "effects_max 0"),
        (none.with_depth_max(0), "depth_max 0"),
        (none.with_nesting_max(0), "nesting_max 0"),
    ] {
        let (recorder, session) = recorded_by(Loom::builder().limits(limits));
        let error = block_on(session.run(&Flow, "go")).unwrap_err();
        assert_eq!(
            (error.kind(), error.error().kind()),
            (RunErrorKind::Interrupted, ErrorKind::LimitReached)
        );
        assert_eq!(error.path(), None, "nothing was opened");
        assert_eq!(error.to_string(), format!("{limit} reached"));
        assert_eq!(
            story(&recorder),
            ["note flow limit_reached", "settled flow"]
        );
        assert_eq!(limits_noted(&recorder), [format!("flow {limit}")]);
        let run = error.report().unwrap();
        assert_eq!(run.run_id, recorder.events()[0].run);
    }
}

#[test]
fn a_session_lowers_limits_and_never_raises_them() {
    async fn limits(cx: RunContext, _: String) -> Result<Limits> {
        Ok(cx.limits())
    }
    let all = |n: u64| {
        Limits::default()
            .with_depth_max(u32::try_from(n).unwrap())
            .with_nesting_max(u32::try_from(n).unwrap())
            .with_effects_max(n)
            .with_model_calls_max(n)
            .with_tool_calls_max(n)
            .with_tokens_max(n)
            .with_cost_micro_usd_max(n)
    };
    let of = |loom: Limits, session: &[Limits]| {
        let loom = Loom::builder().limits(loom).build();
        let plain = loom.session("alice");
        let session = session.iter().fold(plain, |it, limits| it.limits(*limits));
        block_on(session.run(&limits, "go")).unwrap().output
    };
    assert_eq!(of(all(10), &[]), all(10));
    assert_eq!(of(all(10), &[all(5)]), all(5));
    assert_eq!(of(all(10), &[all(20)]), all(10));
    assert_eq!(of(all(10), &[all(5), all(7)]), all(5));
    assert_eq!(of(all(10), &[Limits::default()]).tokens_max, Some(10));
    assert_eq!(of(all(10), &[Limits::default()]).depth_max, 8);
    let mixed = all(10).with_tokens_max(3);
    assert_eq!(of(all(7), &[mixed]), all(7).with_tokens_max(3));
    assert_eq!(of(Limits::default(), &[all(2)]), all(2));
}

#[test]
fn limits_of_a_session_are_for_each_of_its_runs_anew() {
    let (recorder, session) = recorded_by(Loom::builder());
    let session = session.limits(Limits::default().with_tokens_max(30));
    for _ in 0..3 {
        block_on(session.run(&turns, "go")).unwrap();
    }
    assert_eq!(limits_noted(&recorder), Vec::<String>::new());
}

#[test]
fn limits_are_data_and_what_they_do_not_know_is_refused() {
    let read = serde_json::from_value::<Limits>;
    assert_eq!(read(json!({})).unwrap(), Limits::default());
    let some = json!({"tokens_max": 5, "effects_max": 7});
    let expected = Limits::default().with_tokens_max(5).with_effects_max(7);
    assert_eq!(read(some).unwrap(), expected);
    let written = serde_json::to_value(expected).unwrap();
    assert_eq!(read(written).unwrap(), expected);
    for bad in [
        json!({"tokens_maximum": 5}),
        json!({"tokens_max": -1}),
        json!({"tokens_max": "5"}),
        json!({"effects_max": null}),
    ] {
        assert!(read(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_call_that_a_gate_denies_is_none() {
    use loom_core::{Decision, Permissions, Rule};

    async fn tries(cx: RunContext, _: String) -> Result<()> {
        for _ in 0..3 {
            let erase = Effect::tool("erase", "c1");
            let denied = cx.perform(erase, (), |_, ()| async { Ok(()) }).await;
            assert_eq!(denied.unwrap_err().kind(), ErrorKind::Denied);
        }
        tool(&cx).await?;
        tool(&cx).await
    }
    let never = Permissions::new().rule(Rule::new(Decision::Deny).tool("erase"));
    let loom = Loom::builder()
        .permissions(never)
        .limits(Limits::default().with_tool_calls_max(1));
    let (recorder, session) = recorded_by(loom);
    let error = block_on(session.run(&tries, "go")).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.report().unwrap().usage.tool_calls, 1);
    assert_eq!(limits_noted(&recorder), ["tries tool_calls_max 1"]);
}

/// Opens so many steps inside one another, and returns how many.
fn nest(cx: RunContext, steps: u32) -> BoxFuture<'static, Result<u32>> {
    Box::pin(async move {
        match steps {
            0 => Ok(0),
            more => Ok(1 + cx.step("step", &nest, more - 1).await?),
        }
    })
}

#[test]
fn steps_nested_800_deep_end_at_nesting_max_with_an_error_that_says_so() {
    let (recorder, session) = recorded_by(Loom::builder());
    let error = block_on(session.run(&nest, 800u32)).unwrap_err();
    assert_eq!(
        (error.kind(), error.error().kind(), error.message()),
        (
            RunErrorKind::Interrupted,
            ErrorKind::LimitReached,
            "nesting_max 128 reached"
        )
    );
    let deepest = format!("nest{}", "/step".repeat(127));
    assert_eq!(error.path(), Some(&*deepest));
    assert_eq!(
        limits_noted(&recorder),
        [format!("{deepest} nesting_max 128")]
    );
    let spans = tree(&recorder);
    assert_eq!(spans.len(), 128);
    assert!(spans.iter().all(|it| it.ends_with("✗ interrupted")));
}

#[test]
fn what_is_nested_too_deep_is_an_error_that_its_caller_handles() {
    async fn careful(cx: RunContext, steps: u32) -> Result<u32> {
        match cx.step("deep", &nest, steps).await {
            Err(error) if error.kind() == ErrorKind::LimitReached => {
                cx.step("instead", &nest, 1u32).await
            }
            other => other,
        }
    }
    let limits = Limits::default().with_nesting_max(3);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    assert_eq!(block_on(session.run(&careful, 800u32)).unwrap().output, 1);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run careful",
            "  loom.workflow.step deep ✗ interrupted",
            "    loom.workflow.step step ✗ interrupted",
            "  loom.workflow.step instead",
            "    loom.workflow.step step",
        ]
    );
}
