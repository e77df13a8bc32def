//! A run that is dropped or loses its process in the middle of a call has made that call all the
//! same: a resume counts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Effect, EffectKind, Error, Limits, Loom, MemoryJournal, Origin, Resolution, Result, RunContext,
    RunError, RunErrorKind, RunId, Session, Tokens, Usage,
};

use crate::recorded::recorded_by;
use crate::steps::give_way;

/// A call of this kind that takes two polls; a model reserves 100 tokens and takes 10.
async fn call(cx: &RunContext, kind: EffectKind) -> Result<bool> {
    let effect = match kind {
        EffectKind::Tool => Effect::tool("refund", "c1"),
        _ => Effect::new(kind, "opus").reserving(100, 0),
    };
    cx.perform(effect, (), |cx, ()| async move {
        give_way().await;
        if kind == EffectKind::Model {
            cx.spend(Tokens::new(10, 0).costing(1));
        }
        Ok(true)
    })
    .await
}

async fn calls_a_model(cx: RunContext, _: ()) -> Result<bool> {
    call(&cx, EffectKind::Model).await
}

async fn calls_a_tool(cx: RunContext, _: ()) -> Result<bool> {
    call(&cx, EffectKind::Tool).await
}

fn desk(limits: Limits) -> Session {
    let loom = Loom::builder().journal(Arc::new(MemoryJournal::default()));
    let (_, session) = recorded_by(loom.limits(limits));
    session.id("desk")
}

/// What becomes of such a run that is dropped after this many polls and resumed.
macro_rules! resumed {
    ($limits:expr, $step:expr, $polls:expr) => {
        block_on(async {
            let session = desk($limits);
            let mut run = session.run(&$step, ());
            let run_id: RunId = run.handle().run_id().clone();
            for _ in 0..$polls {
                assert!((&mut run).now_or_never().is_none());
            }
            drop(run);
            let mut resumed = session.resume(&run_id, &$step).await;
            if let Err(paused) = &resumed
                && let [unfinished] = paused.questions()
            {
                assert_eq!(unfinished.origin, Origin::Unfinished);
                let again = Resolution::RunAgain;
                let answered = session.answer(&run_id, &unfinished.path, again).await;
                answered.unwrap();
                resumed = session.resume(&run_id, &$step).await;
            }
            resumed.map(|it| it.usage.clone())
        })
    };
}

#[test]
fn a_call_that_was_dropped_counts_when_it_is_made_again() {
    let usage: Usage = resumed!(Limits::default(), calls_a_tool, 1).unwrap();
    assert_eq!(usage.tool_calls, 2);
    let usage: Usage = resumed!(Limits::default(), calls_a_model, 1).unwrap();
    assert_eq!(usage.model_calls, 2);
    assert_eq!(usage.input_tokens, None, "what the first took is unknown");
}

#[test]
fn a_call_that_was_dropped_is_held_against_the_limits() {
    let none = Limits::default();
    let refused = |usage: Result<Usage, RunError>| {
        let error = usage.unwrap_err();
        assert_eq!(error.kind(), RunErrorKind::Interrupted);
        error.message().to_owned()
    };
    assert_eq!(
        refused(resumed!(none.with_tool_calls_max(1), calls_a_tool, 1)),
        "tool_calls_max 1 reached"
    );
    assert_eq!(
        refused(resumed!(none.with_model_calls_max(1), calls_a_model, 1)),
        "model_calls_max 1 reached"
    );
    assert_eq!(
        refused(resumed!(none.with_tokens_max(100), calls_a_model, 1)),
        "tokens_max 100 reached",
        "it may have taken all it had reserved"
    );
    let enough: Usage = resumed!(none.with_tokens_max(101), calls_a_model, 1).unwrap();
    assert_eq!(enough.model_calls, 2);
}

#[test]
fn a_tool_that_was_called_before_the_run_was_dropped_was_called_once() {
    let attempts = Arc::new(AtomicU32::new(0));
    let calls_and_hangs_once = move |cx: RunContext, (): ()| {
        let is_first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            call(&cx, EffectKind::Tool).await?;
            if is_first {
                futures::future::pending::<()>().await;
            }
            Ok::<_, Error>(true)
        }
    };
    let usage: Usage = resumed!(Limits::default(), calls_and_hangs_once, 3).unwrap();
    assert_eq!(usage.tool_calls, 1, "what is used again adds nothing");
}
