//! What the door refuses: each refusal gives way, and code that ignores too many of them is dropped.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Backpressure, Branch, Effect, EffectKind, Error, ErrorKind, Limits, Loom, LoomBuilder,
    MemoryJournal, Result, RunContext, RunErrorKind,
};

use crate::recorded::{recorded_by, tree};
use crate::steps::echo;

/// What a refusal is, which isn't there at its first poll.
async fn refused<T>(refusal: impl Future<Output = Result<T>>) -> ErrorKind {
    let mut refusal = pin!(refusal);
    let first = refusal.as_mut().now_or_never();
    assert!(first.is_none(), "others run first");
    refusal.await.err().unwrap().kind()
}

/// A part that always has room.
struct Roomy;

impl Backpressure for Roomy {
    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

/// The ways a loom may be wired that lead through the door differently.
fn looms() -> [LoomBuilder; 3] {
    [
        Loom::builder(),
        Loom::builder().backpressure(Roomy),
        Loom::builder().journal(MemoryJournal::default()),
    ]
}

/// Refused in every way in which a run that goes on may be; `kept` is the context of a step that is
/// over.
async fn refused_in_all_ways(cx: RunContext, kept: RunContext) -> Result<()> {
    let late = refused(kept.step("late", &echo, "x")).await;
    assert_eq!(late, ErrorKind::Invalid, "an effect that is over");
    let late = refused(kept.ask::<bool>("late", "Sure?")).await;
    assert_eq!(late, ErrorKind::Invalid, "an effect that is over");
    let unnamed = refused(cx.step("", &echo, "x")).await;
    assert_eq!(unnamed, ErrorKind::Invalid, "a bad name");
    let deep = |cx: RunContext, _: ()| async move {
        let deeper = refused(cx.step("deeper", &echo, "x")).await;
        assert_eq!(deeper, ErrorKind::LimitReached, "`nesting_max`");
        let none = cx.refuse(Effect::tool("none", "c1"), Error::invalid("none"));
        let none = refused(none.map(Err::<(), _>)).await;
        assert_eq!(none, ErrorKind::LimitReached, "`nesting_max`");
        Ok::<_, Error>(())
    };
    cx.step("deep", &deep, ()).await?;
    let run = Effect::new(EffectKind::Workflow, "run");
    let nested = refused(cx.perform(run, (), |_, ()| async { Ok(()) })).await;
    assert_eq!(nested, ErrorKind::LimitReached, "`depth_max`");
    Ok(())
}

#[test]
fn every_refusal_lets_others_run_first() {
    let limits = Limits::default().with_nesting_max(2).with_depth_max(1);
    for loom in looms() {
        let root = |cx: RunContext, _: ()| async move {
            let kept = Arc::new(Mutex::new(None));
            let keeps = kept.clone();
            let keep = move |cx: RunContext, _: ()| {
                *keeps.lock().unwrap() = Some(cx);
                std::future::ready(Ok::<_, Error>(()))
            };
            cx.step("keep", &keep, ()).await?;
            let kept = kept.lock().unwrap().take().unwrap();
            refused_in_all_ways(cx, kept).await
        };
        let (_, session) = recorded_by(loom.limits(limits));
        block_on(session.run(&root, ())).unwrap();
    }
}

#[test]
fn a_question_that_nobody_can_answer_lets_others_run_first() {
    async fn root(cx: RunContext, _: ()) -> Result<()> {
        let asked = refused(cx.ask::<bool>("sure", "Sure?")).await;
        assert_eq!(asked, ErrorKind::Invalid);
        Ok(())
    }
    let (_, session) = recorded_by(Loom::builder());
    block_on(session.run(&root, ())).unwrap();
}

#[test]
fn a_context_that_waits_refuses_after_others_ran() {
    async fn root(cx: RunContext, _: ()) -> Result<()> {
        assert!(!cx.is_stopping());
        let asked = refused(cx.ask::<bool>("sure", "Sure?")).await;
        assert_eq!(asked, ErrorKind::Stopped);
        assert!(cx.is_stopping());
        let step = refused(cx.step("step", &echo, "x")).await;
        assert_eq!(step, ErrorKind::Stopped);
        let again = refused(cx.ask::<bool>("again", "Sure?")).await;
        assert_eq!(again, ErrorKind::Stopped);
        let none = cx.refuse(Effect::tool("none", "c1"), Error::invalid("none"));
        let none = refused(none.map(Err::<(), _>)).await;
        assert_eq!(none, ErrorKind::Stopped);
        Ok(())
    }
    let (recorder, session) = recorded_by(Loom::builder().journal(MemoryJournal::default()));
    let paused = block_on(session.run(&root, ())).unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    assert_eq!(paused.questions().len(), 1);
    assert_eq!(tree(&recorder), ["loom.workflow.run root ✗ paused"]);
}

/// Asks, and ignores for ever that it waits; counts how often it was refused.
async fn ignores(cx: &RunContext, refusals: &AtomicU32, by_asking: bool) -> Result<String> {
    let mut refused = cx.ask::<bool>("sure", "Sure?").await.map(drop);
    loop {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Stopped);
        refusals.fetch_add(1, Ordering::Relaxed);
        refused = match by_asking {
            true => cx.ask::<bool>("again", "Sure?").await.map(drop),
            false => cx.step("again", &echo, "x").await.map(drop),
        };
    }
}

#[test]
fn code_that_ignores_256_refusals_is_dropped_and_the_run_pauses() {
    for by_asking in [false, true] {
        let refusals = Arc::new(AtomicU32::new(0));
        let counted = refusals.clone();
        let root = move |cx: RunContext, _: ()| {
            let refusals = counted.clone();
            let busy = move |cx: RunContext, _: ()| {
                let refusals = refusals.clone();
                async move { ignores(&cx, &refusals, by_asking).await }
            };
            async move { cx.step("busy", &busy, ()).await }
        };
        let (recorder, session) = recorded_by(Loom::builder().journal(MemoryJournal::default()));
        let paused = block_on(session.run(&root, ())).unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused);
        assert_eq!(refusals.load(Ordering::Relaxed), 256);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run function ✗ paused",
                "  loom.workflow.step busy ✗ paused",
            ]
        );
    }
}

#[test]
fn a_branch_that_ignores_256_refusals_is_dropped_and_the_others_end() {
    let refusals = Arc::new(AtomicU32::new(0));
    let counted = refusals.clone();
    let root = move |cx: RunContext, _: ()| {
        let refusals = counted.clone();
        async move {
            let busy = Branch::named("busy", |cx: RunContext| async move {
                ignores(&cx, &refusals, false).await
            });
            let other = Branch::named("other", |cx: RunContext| async move {
                for _ in 0..300 {
                    cx.step("step", &echo, "x").await?;
                }
                Ok("done".to_owned())
            });
            cx.join(2, [busy, other]).await
        }
    };
    let (recorder, session) = recorded_by(Loom::builder().journal(MemoryJournal::default()));
    let paused = block_on(session.run(&root, ())).unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    assert_eq!(refusals.load(Ordering::Relaxed), 256);
    let lines = tree(&recorder);
    assert_eq!(lines[0], "loom.workflow.run function ✗ paused");
    assert_eq!(lines[1..], ["  loom.workflow.step step"; 300]);
}
