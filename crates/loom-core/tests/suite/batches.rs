//! How often a run writes into its journal.

use std::sync::atomic::Ordering;

use futures::executor::block_on;
use loom_core::{Effect, EffectKind, Loom, Result, RunContext, Tokens};

use crate::recorded::recorded_by;
use crate::unruly_journals::Counts;

/// A model call and, unless it is the last turn, a call of a tool that isn't idempotent, as one turn of
/// an agent.
async fn turn(cx: &RunContext, turn: u32, is_last: bool) -> Result<()> {
    cx.perform(Effect::turn(turn), (), move |cx, ()| async move {
        let model = Effect::new(EffectKind::Model, "opus").reserving(10, 0);
        cx.perform(model, (), |cx, ()| async move {
            cx.spend(Tokens::new(1, 1));
            Ok(())
        })
        .await?;
        if is_last {
            return Ok(());
        }
        let tool = Effect::tool("pay", format!("c{turn}"));
        cx.perform(tool, (), |_, ()| async { Ok(()) }).await
    })
    .await
}

async fn turns(cx: RunContext, count: u32) -> Result<u32> {
    for n in 0..count {
        turn(&cx, n, n + 1 == count).await?;
    }
    Ok(count)
}

#[test]
fn a_turn_of_one_model_call_and_one_tool_call_writes_at_most_5_batches() {
    let written = |turns_made: u32| {
        let journal = Counts::default();
        let (_, session) = recorded_by(Loom::builder().journal(journal.clone()));
        block_on(session.run(&turns, turns_made)).unwrap();
        journal.0.batches.load(Ordering::Relaxed)
    };
    let [last, two, three] = [written(1), written(2), written(3)];
    assert!(two - last <= 5, "{last} {two}");
    assert!(two <= 11, "{two}");
    assert_eq!(three - two, two - last);
}

#[test]
fn what_is_replayed_writes_nothing() {
    block_on(async {
        let journal = Counts::default();
        let (_, session) = recorded_by(Loom::builder().journal(journal.clone()));
        let outcome = session.run(&turns, 2u32).await.unwrap();
        let before = journal.0.batches.swap(0, Ordering::Relaxed);
        session.resume(&outcome.run_id, &turns).await.unwrap();
        let after = journal.0.batches.load(Ordering::Relaxed);
        assert!(after <= 1, "{before} {after}: only how it ended");
    });
}
