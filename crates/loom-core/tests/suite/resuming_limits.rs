//! What a resumed run takes over and what begins anew: gates, limits, usage, the deadline.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    CancelReason, Effect, EffectKind, EffectView, Gate, Limits, Loom, MemoryJournal, Result,
    RunContext, RunError, RunErrorKind, Session, Tokens, Usage, Verdict,
};
use loom_testing::Recorder;
use tokio::time::{Instant, sleep};

use crate::journaled::{Log, Refund, answer_all, run_id, worker};
use crate::recorded::{recorded_by, tree};

/// Notes what it is asked about, and allows it.
struct Watches(Log);

impl Gate for Watches {
    fn name(&self) -> &str {
        "watches"
    }

    async fn check(&self, cx: &EffectView, _effect: &Effect) -> Verdict {
        self.0.note(cx.path());
        Verdict::Allow
    }
}

/// A fresh loom with these limits over this journal; alice's conversation `desk`.
fn limited(journal: &Arc<MemoryJournal>, limits: Limits) -> (Recorder, Session) {
    let loom = Loom::builder().journal(journal.clone()).limits(limits);
    let (recorder, session) = recorded_by(loom);
    (recorder, session.id("desk"))
}

#[test]
fn no_gate_is_asked_about_what_is_used_again() {
    block_on(async {
        let (journal, asked) = (Arc::new(MemoryJournal::default()), Log::default());
        let loom = Loom::builder()
            .journal(journal)
            .gate(Watches(asked.clone()))
            .build();
        let session = loom.session("alice").id("desk");
        let refund = Refund(Log::default());
        let paused = session.run(&refund, "go").await.unwrap_err();
        assert_eq!(asked.take(), ["refund", "refund/load"]);
        answer_all(&session, &paused, true).await;
        session.resume(&run_id(&paused), &refund).await.unwrap();
        assert_eq!(asked.take(), ["refund", "refund/pay"]);
        session.resume(&run_id(&paused), &refund).await.unwrap();
        assert_eq!(asked.take(), Vec::<String>::new());
    });
}

/// A model call that takes so many tokens.
async fn model(cx: &RunContext, tokens: u64) -> Result<u64> {
    let effect = Effect::new(EffectKind::Model, "opus").reserving(2 * tokens, 0);
    cx.perform(effect, (), |cx, ()| async move {
        cx.spend(Tokens::new(tokens - 1, 1).costing(tokens));
        Ok(tokens)
    })
    .await
}

/// Calls a tool and a model, asks, and calls a tool and a model again.
async fn spends(cx: RunContext, log: String) -> Result<u64> {
    let calls = Log::default();
    calls.call(&cx, "before", log.clone()).await?;
    let first = model(&cx, 10).await?;
    cx.ask::<bool>("sure", "go?").await?;
    calls.call(&cx, "after", log).await?;
    Ok(first + model(&cx, 20).await?)
}

/// The end of `spends` under these limits after it paused and was resumed elsewhere.
async fn spent(limits: Limits) -> (Result<Usage, RunError>, Vec<String>) {
    let journal = Arc::new(MemoryJournal::default());
    let (_, session) = limited(&journal, limits);
    let paused = session.run(&spends, "go").await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
    let usage = &paused.report().unwrap().usage;
    assert_eq!((usage.tool_calls, usage.model_calls), (1, 1));
    // The loom it is resumed under raises nothing: the run's own limits came with it.
    let (recorder, session) = limited(&journal, Limits::default());
    answer_all(&session, &paused, true).await;
    let resumed = session.resume(&run_id(&paused), &spends).await;
    (resumed.map(|it| it.usage.clone()), tree(&recorder))
}

#[test]
fn usage_is_carried_over_and_what_is_used_again_adds_nothing() {
    let (usage, tree) = block_on(spent(Limits::default()));
    let usage = usage.unwrap();
    assert_eq!((usage.tool_calls, usage.model_calls), (2, 2));
    assert_eq!(
        (usage.input_tokens, usage.output_tokens),
        (Some(28), Some(2))
    );
    assert_eq!(usage.cost_micro_usd, Some(30));
    assert_eq!(usage.per_model["opus"].calls, 2);
    assert_eq!(
        tree,
        [
            "loom.workflow.run spends",
            "  loom.tool before ↻",
            "  loom.model.stream opus ↻",
            "  loom.tool after",
            "  loom.model.stream opus",
        ]
    );
}

#[test]
fn limits_are_carried_over_with_what_is_used_of_them() {
    let none = Limits::default();
    let enough = [
        none.with_tool_calls_max(2),
        none.with_model_calls_max(2),
        none.with_tokens_max(30),
    ];
    for limits in enough {
        let (usage, _) = block_on(spent(limits));
        assert!(usage.is_ok(), "{usage:?}");
    }
    let too_few = [
        (none.with_tool_calls_max(1), "tool_calls_max 1 reached"),
        (none.with_model_calls_max(1), "model_calls_max 1 reached"),
        (none.with_tokens_max(10), "tokens_max 10 reached"),
    ];
    for (limits, message) in too_few {
        let (ended, tree) = block_on(spent(limits));
        let error = ended.unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (RunErrorKind::Interrupted, message)
        );
        let replayed = ["  loom.tool before ↻", "  loom.model.stream opus ↻"];
        assert_eq!(tree[1..3], replayed, "what is recorded isn't limited");
    }
}

#[test]
fn limits_that_were_lowered_since_hold_for_what_is_left() {
    block_on(async {
        let none = Limits::default();
        let table = [
            (
                none.with_tool_calls_max(1),
                none,
                "tool_calls_max 1 reached",
            ),
            (
                none,
                none.with_model_calls_max(1),
                "model_calls_max 1 reached",
            ),
            (
                none.with_tokens_max(10),
                none.with_tokens_max(99),
                "tokens_max 10 reached",
            ),
            (none, none.with_effects_max(2), "effects_max 2 reached"),
        ];
        for (of_the_loom, of_the_session, message) in table {
            let journal = Arc::new(MemoryJournal::default());
            let (_, session) = limited(&journal, none);
            let paused = session.run(&spends, "go").await.unwrap_err();
            answer_all(&session, &paused, true).await;
            let (_, session) = limited(&journal, of_the_loom);
            let lowered = session.clone().limits(of_the_session);
            let run = run_id(&paused);
            let error = lowered.resume(&run, &spends).await;
            assert_eq!(error.expect_err(message).message(), message);
        }
    });
}

#[test]
fn a_tool_that_paused_and_went_on_was_called_once() {
    async fn asks_in_a_tool(cx: RunContext, _: ()) -> Result<bool> {
        let tool = Effect::tool("tool", "c1");
        cx.perform(
            tool,
            (),
            |cx, ()| async move { cx.ask("sure", "go?").await },
        )
        .await
    }
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let limits = Limits::default().with_tool_calls_max(1);
        let (_, session) = limited(&journal, limits);
        let paused = session.run(&asks_in_a_tool, ()).await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let resumed = session.resume(&run_id(&paused), &asks_in_a_tool).await;
        let outcome = resumed.unwrap();
        assert_eq!((outcome.output, outcome.usage.tool_calls), (true, 1));
    });
}

#[test]
fn effects_that_paused_and_went_on_were_opened_once() {
    async fn asks_thrice(cx: RunContext, _: ()) -> Result<u32> {
        async fn asks(cx: RunContext, n: u32) -> Result<bool> {
            cx.ask(format!("sure_{n}"), "go?").await
        }
        for n in 0..3u32 {
            cx.step(format!("step_{n}"), &asks, n).await?;
        }
        Ok(3)
    }
    block_on(async {
        // The run itself and three steps.
        for (effects_max, ended) in [(4, Ok(3)), (3, Err("effects_max 3 reached".to_owned()))] {
            let journal = Arc::new(MemoryJournal::default());
            let (_, session) = limited(&journal, Limits::default().with_effects_max(effects_max));
            let mut came_out = session.run(&asks_thrice, ()).await;
            while let Err(paused) = &came_out
                && paused.kind() == RunErrorKind::Paused
            {
                answer_all(&session, paused, true).await;
                let run = run_id(paused);
                came_out = session.resume(&run, &asks_thrice).await;
            }
            let came_out = came_out.map(|it| it.output);
            assert_eq!(came_out.map_err(|e| e.message().to_owned()), ended);
        }
    });
}

#[test]
fn a_call_that_waited_for_an_approval_was_opened_once() {
    struct Asks;
    impl Gate for Asks {
        fn name(&self) -> &str {
            "asks"
        }

        async fn check(&self, _cx: &EffectView, _effect: &Effect) -> Verdict {
            Verdict::Ask("may it?".to_owned())
        }
    }
    async fn pays(cx: RunContext, text: String) -> Result<String> {
        cx.step("pay", &crate::steps::echo, text).await
    }
    block_on(async {
        let limits = Limits::default().with_effects_max(2);
        let loom = Loom::builder().limits(limits).gate(Asks);
        let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
        let mut came_out = session.run(&pays, "go").await;
        for _ in 0..2 {
            let paused = came_out.unwrap_err();
            answer_all(&session, &paused, true).await;
            let run = run_id(&paused);
            came_out = session.resume(&run, &pays).await;
        }
        assert_eq!(came_out.unwrap().output, "go");
    });
}

#[tokio::test(start_paused = true)]
async fn the_deadline_begins_anew() {
    async fn slow(cx: RunContext, _: ()) -> Result<bool> {
        async fn naps(secs: u64) -> Result<u64> {
            sleep(Duration::from_secs(secs)).await;
            Ok(secs)
        }
        cx.step("before", &naps, 50u64).await?;
        let sure = cx.ask("sure", "go?").await?;
        cx.step("after", &naps, 50u64).await?;
        Ok(sure)
    }
    let (recorder, session) = worker(&Arc::default());
    let session = session.deadline(Duration::from_secs(60));
    let paused = session.run(&slow, ()).await.unwrap_err();
    sleep(Duration::from_secs(3600)).await;
    answer_all(&session, &paused, true).await;
    let started = Instant::now();
    recorder.clear();
    let run = run_id(&paused);
    let tight = session.clone().deadline(Duration::from_secs(40));
    let late = tight.resume(&run, &slow).await.unwrap_err();
    assert_eq!(late.kind(), RunErrorKind::Cancelled(CancelReason::Deadline));
    assert_eq!(started.elapsed(), Duration::from_secs(40));
    assert!(session.resume(&run, &slow).await.unwrap().output);
    assert_eq!(started.elapsed(), Duration::from_secs(90));
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run slow ✗ cancelled (deadline)",
            "  loom.workflow.step before ↻",
            "  loom.workflow.step after ✗ cancelled (deadline)",
            "loom.workflow.run slow",
            "  loom.workflow.step before ↻",
            "  loom.workflow.step after",
        ]
    );
}
