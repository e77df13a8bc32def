//! Many branches share one budget, which bounds them all together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use loom_core::{
    Branch, Effect, EffectKind, Limits, Loom, Result, RunContext, RunErrorKind, Tokens,
};

use crate::recorded::{limits_noted, recorded_by, tree};
use crate::steps::give_way;

/// What a hundred branches did that each call a model once.
#[derive(Debug)]
struct Shared {
    used: u64,
    opened: usize,
    noted: Vec<String>,
    completed: bool,
}

/// Runs a hundred branches, of which the `i`-th reserves and takes `call(i)` tokens, and is open
/// for some polls that differ.
fn shared(tokens_max: u64, call: fn(usize) -> (u64, u64)) -> Shared {
    let used = Arc::new(AtomicU64::new(0));
    let sum = used.clone();
    let root = move |cx: RunContext, _: String| {
        let sum = sum.clone();
        async move {
            let sum = &sum;
            let branch = |i: usize| {
                let (reserves, takes) = call(i);
                let effect = Effect::new(EffectKind::Model, "opus").at_index(i);
                let body = move |cx: RunContext, ()| async move {
                    for _ in 0..i % 7 {
                        give_way().await;
                    }
                    sum.fetch_add(takes, Ordering::Relaxed);
                    cx.spend(Tokens::new(takes, 0));
                    Ok(())
                };
                let effect = effect.reserving(reserves, 0);
                Branch::of_one_effect(move |cx| async move { cx.perform(effect, (), body).await })
            };
            cx.join(100, (0..100).map(branch)).await.map(|_| ())
        }
    };
    let limits = Limits::default().with_tokens_max(tokens_max);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    let result = block_on(session.run(&root, "go"));
    tree(&recorder);
    if let Err(error) = &result {
        assert_eq!(error.kind(), RunErrorKind::Interrupted);
    }
    Shared {
        used: used.load(Ordering::Relaxed),
        opened: recorder.spans().len() - 1,
        noted: limits_noted(&recorder),
        completed: result.is_ok(),
    }
}

#[test]
fn f071_a_hundred_branches_that_take_what_they_reserve_use_no_more_than_the_budget() {
    let shared = shared(1000, |_| (20, 20));
    assert_eq!((shared.used, shared.opened), (1000, 50), "{shared:?}");
    assert_eq!(shared.noted, ["function tokens_max 1000"]);
    assert!(!shared.completed);
}

#[test]
fn f071_a_hundred_branches_within_the_budget_all_complete() {
    let shared = shared(1000, |_| (500, 10));
    assert_eq!((shared.used, shared.opened), (1000, 100), "{shared:?}");
    assert_eq!(shared.noted, Vec::<String>::new());
    assert!(shared.completed);
}

#[test]
fn f071_what_goes_beyond_the_budget_is_at_most_one_reply_s_excess() {
    // Each gives back some of what it reserved, and none ever takes more than that.
    let shared = shared(1000, |i| (300, if i % 3 == 0 { 300 } else { 20 }));
    assert!(shared.used <= 1000 + 299, "{shared:?}");
    assert_eq!(shared.noted, ["function tokens_max 1000"]);
}

#[test]
fn f071_replies_that_exceed_their_own_reservation_do_so_only_while_they_are_open() {
    // Ten fit at a time, and each takes five more than it reserved.
    let shared = shared(1000, |_| (100, 105));
    assert!(shared.used <= 1000 + 10 * 5, "{shared:?}");
    assert!(shared.opened <= 10, "{shared:?}");
    assert_eq!(shared.noted, ["function tokens_max 1000"]);
}

#[test]
fn cost_and_tokens_bound_each_call_together() {
    async fn calls(cx: RunContext, _: String) -> Result<()> {
        for _ in 0..10 {
            let effect = Effect::new(EffectKind::Model, "opus").reserving(10, 3);
            cx.perform(effect, (), |cx, ()| async move {
                cx.spend(Tokens::new(10, 0).costing(3));
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
    for (tokens_max, cost_max, limit, calls_made) in [
        (50, 1000, "tokens_max 50", 5),
        (1000, 12, "cost_micro_usd_max 12", 4),
        (30, 9, "tokens_max 30", 3),
    ] {
        let limits = Limits::default()
            .with_tokens_max(tokens_max)
            .with_cost_micro_usd_max(cost_max);
        let (recorder, session) = recorded_by(Loom::builder().limits(limits));
        let error = block_on(session.run(&calls, "go")).unwrap_err();
        assert_eq!(error.message(), format!("{limit} reached"));
        let usage = &error.report().unwrap().usage;
        assert_eq!(
            (usage.model_calls, usage.cost_micro_usd),
            (calls_made, Some(3 * calls_made))
        );
        assert_eq!(recorder.spans().len() as u64, 1 + calls_made);
    }
}

#[test]
fn runs_do_not_share_a_budget() {
    async fn call(cx: RunContext, _: String) -> Result<()> {
        let effect = Effect::new(EffectKind::Model, "opus").reserving(10, 0);
        cx.perform(effect, (), |cx, ()| async move {
            cx.spend(Tokens::new(10, 0));
            Ok(())
        })
        .await
    }
    let limits = Limits::default().with_tokens_max(10);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    let outcomes = Mutex::new(Vec::new());
    for _ in 0..3 {
        let outcome = block_on(session.run(&call, "go")).unwrap();
        outcomes.lock().unwrap().push(outcome.usage.input_tokens);
    }
    assert_eq!(*outcomes.lock().unwrap(), [Some(10); 3]);
    assert_eq!(limits_noted(&recorder), Vec::<String>::new());
}
