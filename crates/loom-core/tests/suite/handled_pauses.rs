//! A pause that its run handles counts like all it does: only what the run itself waits for is
//! counted when it goes on.

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, EffectKind, ErrorKind, Limits, Loom, MemoryJournal, Result, ResultExt, RunContext,
    Session,
};

use crate::journaled::{answer_all, run_id};
use crate::recorded::recorded_by;

async fn asks(cx: RunContext, _: ()) -> Result<bool> {
    cx.ask("sure", "go?").await
}

fn asks_in_a_step(cx: &RunContext) -> BoxFuture<'_, Result<bool>> {
    Box::pin(cx.step("ask", &asks, ()))
}

fn asks_in_a_tool(cx: &RunContext) -> BoxFuture<'_, Result<bool>> {
    Box::pin(cx.perform(Effect::tool("ask", "c1"), |cx| asks(cx, ())))
}

fn asks_in_a_model(cx: &RunContext) -> BoxFuture<'_, Result<bool>> {
    let model = Effect::new(EffectKind::Model, "opus").reserving(10, 0);
    Box::pin(cx.perform(model, |cx| asks(cx, ())))
}

type Asks = fn(&RunContext) -> BoxFuture<'_, Result<bool>>;

fn desk(limits: Limits) -> Session {
    let loom = Loom::builder().limits(limits);
    let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
    session.id("desk")
}

#[test]
fn a_loop_that_handles_pauses_ends_at_the_limit() {
    let none = Limits::default();
    let table: [(Asks, Limits, &str, u32); 4] = [
        (asks_in_a_step, none.with_effects_max(5), "effects_max 5", 4),
        (asks_in_a_tool, none.with_effects_max(5), "effects_max 5", 4),
        (
            asks_in_a_tool,
            none.with_tool_calls_max(3),
            "tool_calls_max 3",
            3,
        ),
        (
            asks_in_a_model,
            none.with_model_calls_max(3),
            "model_calls_max 3",
            3,
        ),
    ];
    for (asks, limits, limit, tried) in table {
        let tries = move |cx: RunContext, _: ()| async move {
            for n in 0..500u32 {
                match asks(&cx).await {
                    Err(e) if e.kind() == ErrorKind::Paused => (),
                    Err(e) => return Err(e).context(format!("after {n}")),
                    Ok(_) => return Ok(n),
                }
            }
            Ok(500)
        };
        let error = block_on(desk(limits).run(&tries, ())).expect_err(limit);
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        let ended = format!("after {tried}: {limit} reached");
        assert_eq!(error.message(), ended);
    }
}

#[test]
fn what_a_run_handled_before_it_paused_counts_when_it_goes_on() {
    async fn asks_twice(cx: RunContext, _: ()) -> Result<bool> {
        match asks_in_a_tool(&cx).await {
            Err(e) if e.kind() == ErrorKind::Paused => asks_in_a_tool(&cx).await,
            other => other,
        }
    }
    block_on(async {
        // The run itself and two calls, of which the first is handled in each attempt.
        let limits = Limits::default().with_effects_max(3).with_tool_calls_max(2);
        let session = desk(limits);
        let came_out = session.run(&asks_twice, ()).await;
        let paused = came_out.unwrap_err();
        assert_eq!(paused.kind(), ErrorKind::Paused, "{paused}");
        assert_eq!(paused.run().unwrap().usage.tool_calls, 0);
        answer_all(&session, &paused, true).await;
        let run = run_id(&paused);
        let came_out = session.resume::<(), _, _>(&run, &asks_twice).await;
        let outcome = came_out.unwrap();
        assert_eq!((outcome.output, outcome.usage.tool_calls), (true, 2));
    });
}

#[test]
fn a_call_whose_pause_was_handled_is_told_of_in_the_usage() {
    async fn goes_without(cx: RunContext, _: ()) -> Result<bool> {
        match asks_in_a_tool(&cx).await {
            Err(e) if e.kind() == ErrorKind::Paused => Ok(false),
            other => other,
        }
    }
    let outcome = block_on(desk(Limits::default()).run(&goes_without, ())).unwrap();
    assert_eq!((outcome.output, outcome.usage.tool_calls), (false, 1));
}
