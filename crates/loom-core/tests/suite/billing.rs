//! What was called is counted once, also when the run crashes, and what was never called isn't.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Branch, Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Limits, Loom, MemoryJournal,
    Result, RunContext, RunErrorKind, Tokens, Verdict,
};

use crate::journaled::{answer_all, run_id};
use crate::recorded::{limits_noted, recorded_by, tree};
use crate::steps::{echo, forever, give_way};

/// A call of `opus` that may take so many tokens.
fn opus(reserved: u64) -> Effect {
    Effect::new(EffectKind::Model, "opus").reserving(reserved, 0)
}

/// Calls the model until a limit ends it; with a step after each call that may hang.
fn calls(
    calls: &Arc<AtomicU32>,
    hangs: bool,
) -> impl Fn(RunContext, String) -> BoxFuture<'static, Result<String>> + Send + Sync + 'static {
    let calls = calls.clone();
    move |cx, text| {
        let calls = calls.clone();
        Box::pin(async move {
            for _ in 0..10 {
                let body = |cx: RunContext, ()| async {
                    calls.fetch_add(1, Ordering::Relaxed);
                    { cx }.spend(Tokens::new(30, 30));
                    Ok(())
                };
                cx.perform(opus(60), (), body).await?;
                match hangs {
                    true => cx.step("tool", &forever, text.clone()).await?,
                    false => cx.step("tool", &echo, text.clone()).await?,
                };
            }
            Ok(text)
        })
    }
}

#[test]
fn a_run_that_crashed_makes_no_more_calls_than_an_undisturbed_one() {
    block_on(async {
        for crashes in [false, true] {
            let made = Arc::default();
            let limits = Limits::default().with_tokens_max(100);
            let loom = Loom::builder().limits(limits);
            let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
            let (hung, sound) = (calls(&made, true), calls(&made, false));
            let ended = if crashes {
                let mut run = session.run(&hung, "go");
                let id = run.handle().run_id().clone();
                assert!((&mut run).now_or_never().is_none());
                drop(run);
                session.resume(&id, &sound).await
            } else {
                session.run(&sound, "go").await
            };
            let error = ended.unwrap_err();
            assert_eq!(error.message(), "tokens_max 100 reached");
            assert_eq!(made.load(Ordering::Relaxed), 2, "crashes: {crashes}");
            let usage = &error.report().unwrap().usage;
            assert_eq!((usage.model_calls, usage.input_tokens), (2, Some(60)));
        }
    });
}

#[test]
fn a_model_call_within_a_model_call_ends_instead_of_waiting_for_ever() {
    for (outer, came_out) in [(60, Ok(())), (100, Err(RunErrorKind::Interrupted))] {
        let nested = move |cx: RunContext, _: ()| async move {
            let body = |cx: RunContext, ()| async move {
                cx.perform(opus(60), (), |_, ()| async { Ok(()) }).await
            };
            cx.perform(opus(outer), (), body).await
        };
        let limits = Limits::default().with_tokens_max(100);
        let (recorder, session) = recorded_by(Loom::builder().limits(limits));
        let Some(ended) = session.run(&nested, ()).now_or_never() else {
            panic!("it waits for ever");
        };
        let ended = ended.map(|it| it.output).map_err(|e| e.kind());
        assert_eq!(ended, came_out, "{:?}", tree(&recorder));
    }
}

#[test]
fn calls_beside_each_other_cost_at_most_one_reply_more_than_they_may() {
    const REPLY: u64 = 70;
    let spent = Arc::new(AtomicU64::new(0));
    let sum = spent.clone();
    let root = move |cx: RunContext, _: ()| {
        let sum = sum.clone();
        async move {
            let sum = &sum;
            let branch = |i: usize| {
                let body = move |cx: RunContext, ()| async move {
                    give_way().await;
                    sum.fetch_add(REPLY, Ordering::Relaxed);
                    cx.spend(Tokens::new(1, 1).costing(REPLY));
                    Ok(())
                };
                let effect = opus(0).at_index(i);
                Branch::of_one_effect(move |cx| async move { cx.perform(effect, (), body).await })
            };
            cx.join(10, (0..10).map(branch)).await.map(|_| ())
        }
    };
    let limits = Limits::default().with_cost_micro_usd_max(100);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    let error = block_on(session.run(&root, ())).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    let spent = spent.load(Ordering::Relaxed);
    assert!((100..=100 + REPLY).contains(&spent), "{spent}");
    assert_eq!(
        limits_noted(&recorder)[0],
        "function cost_micro_usd_max 100"
    );
}

/// Never answers about the model `held`.
struct Ponders;

impl Gate for Ponders {
    fn name(&self) -> &str {
        "ponders"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.name() == "held"
    }

    async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
        pending().await
    }

    fn limit(&self) -> Option<std::time::Duration> {
        None
    }
}

#[test]
fn a_call_that_is_dropped_while_its_gate_waits_was_never_made() {
    let root = |cx: RunContext, _: ()| async move {
        let held = Effect::new(EffectKind::Model, "held").reserving(100, 0);
        let held = cx.perform(held, (), |_, ()| async { Ok(()) });
        assert!(Box::pin(held).now_or_never().is_none(), "the gate ponders");
        let body = |cx: RunContext, ()| async move {
            cx.spend(Tokens::new(60, 40));
            Ok(())
        };
        cx.perform(opus(100), (), body).await
    };
    let limits = Limits::default()
        .with_tokens_max(100)
        .with_model_calls_max(1);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits).gate(Ponders));
    let outcome = block_on(session.run(&root, ())).unwrap();
    let usage = &outcome.usage;
    assert_eq!((usage.model_calls, usage.input_tokens), (1, Some(60)));
    assert_eq!(limits_noted(&recorder), Vec::<String>::new());
}

#[test]
fn what_is_refused_counts_as_an_effect() {
    let root = |cx: RunContext, _: ()| async move {
        loop {
            let none = Effect::tool("none", "c1");
            let refused = cx.refuse(none, Error::invalid("no such tool")).await;
            match refused.kind() {
                ErrorKind::Invalid => (),
                _ => return Err::<(), _>(refused),
            }
        }
    };
    let limits = Limits::default().with_effects_max(3);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    let error = block_on(session.run(&root, ())).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(limits_noted(&recorder), ["function effects_max 3"]);
    assert_eq!(tree(&recorder).len(), 3);
}

/// Calls a model that asks whether it should before it spends anything.
async fn asks_within_a_call(cx: RunContext, _: ()) -> Result<bool> {
    let body = |cx: RunContext, ()| async move {
        let sure: bool = cx.ask("sure", "sure?").await?;
        cx.spend(Tokens::new(3, 4));
        Ok(sure)
    };
    cx.perform(opus(100), (), body).await
}

/// Pauses within its one model call, and makes it when it goes on.
fn assert_made_when_it_goes_on(limits: Limits) {
    block_on(async {
        let loom = Loom::builder().limits(limits);
        let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
        let paused = session.run(&asks_within_a_call, ()).await.unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused);
        let usage = &paused.report().unwrap().usage;
        assert_eq!((usage.model_calls, usage.input_tokens), (0, Some(0)));
        answer_all(&session, &paused, true).await;
        let id = run_id(&paused);
        let resumed = session.resume::<(), _, _>(&id, &asks_within_a_call).await;
        let usage = &resumed.as_ref().unwrap().usage;
        assert_eq!((usage.model_calls, usage.input_tokens), (1, Some(3)));
    });
}

#[test]
fn a_model_call_that_paused_is_counted_when_it_is_made() {
    assert_made_when_it_goes_on(Limits::default().with_model_calls_max(1));
}

#[test]
fn a_model_call_that_paused_gives_back_what_it_had_reserved() {
    assert_made_when_it_goes_on(Limits::default().with_tokens_max(100));
}

/// How many calls that reserve 100 tokens and tell this are made under a limit of 1,000.
fn made_telling(told: Tokens) -> u32 {
    let made = Arc::new(AtomicU32::new(0));
    let counted = made.clone();
    let root = move |cx: RunContext, text: String| {
        let made = counted.clone();
        async move {
            for _ in 0..100 {
                let body = |cx: RunContext, ()| async {
                    made.fetch_add(1, Ordering::Relaxed);
                    { cx }.spend(told);
                    Ok(())
                };
                cx.perform(opus(100), (), body).await?;
            }
            Ok::<_, Error>(text)
        }
    };
    let loom = Loom::builder().limits(Limits::default().with_tokens_max(1_000));
    let (_, session) = recorded_by(loom);
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(error.message(), "tokens_max 1000 reached");
    made.load(Ordering::Relaxed)
}

#[test]
fn what_a_call_does_not_tell_is_at_least_what_it_reserved() {
    let told = |input, output| Tokens {
        input,
        output,
        ..Tokens::default()
    };
    let table = [
        (told(Some(10), Some(40)), 20, "all is told"),
        (told(None, None), 10, "nothing is told"),
        (told(Some(10), None), 10, "less is told than was reserved"),
        (told(None, Some(10)), 10, "less is told than was reserved"),
        (told(Some(250), None), 4, "more is told than was reserved"),
        (told(None, Some(10_000)), 1, "more is told than there is"),
        (told(Some(u64::MAX), Some(u64::MAX)), 1, "no sum overflows"),
    ];
    for (told, made, why) in table {
        assert_eq!(made_telling(told), made, "{why}: {told:?}");
    }
}
