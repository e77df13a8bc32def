//! A run that is dropped at any await leaves nothing open.

use futures::FutureExt;
use loom_core::{
    Effect, EffectKind, EffectView, Event, Gate, Loom, Observer, Result, RunContext, RunId,
    Session, Settlement, Verdict,
};
use loom_testing::Recorder;

use crate::recorded::{assert_well_formed, recorded, recorded_by, story, tree};
use crate::steps::{forever, give_way, wait};

/// A gate that thinks until it was polled a third time.
struct Ponders;

impl Gate for Ponders {
    fn name(&self) -> &str {
        "ponders"
    }

    async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
        give_way().await;
        give_way().await;
        Verdict::Allow
    }
}

/// An observer that settles when it was polled a third time.
struct SettlesSlowly;

impl Observer for SettlesSlowly {
    fn on_event(&self, _event: &Event<'_>) {}

    async fn settle(&self, _run: &RunId) -> Settlement {
        give_way().await;
        give_way().await;
        Settlement::nothing()
    }
}

/// Steps one after another, a run within, and beside each other a step and a tool with a step.
async fn busy(cx: RunContext, polls: u32) -> Result<u32> {
    let polls = cx.step("first", &wait, polls).await?;
    let run = Effect::new(EffectKind::Agent, "agent");
    cx.perform(run, (), |cx, ()| async move {
        let tool = cx.perform(Effect::tool("tool", "c1"), (), |cx, ()| async move {
            cx.step("in_tool", &wait, polls).await
        });
        let (beside, tool) = futures::join!(cx.step("beside", &wait, 2 * polls), tool);
        Ok(beside? + tool?)
    })
    .await
}

fn busy_session() -> (Recorder, Session) {
    recorded_by(Loom::builder().gate(Ponders).observe(SettlesSlowly))
}

#[tokio::test(start_paused = true)]
async fn f060_a_run_dropped_after_any_number_of_polls_closes_all_it_opened_once() {
    for polls in 0.. {
        let (recorder, session) = busy_session();
        let mut run = Box::pin(session.run(&busy, 2u32));
        let mut over = false;
        for _ in 0..polls {
            over = run.as_mut().now_or_never().is_some();
        }
        drop(run);
        assert_well_formed(&recorder);
        let spans = recorder.spans();
        assert_eq!(spans.is_empty(), polls == 0);
        let endings: Vec<_> = spans
            .iter()
            .map(|it| it.ending.unwrap().to_string())
            .collect();
        assert!(
            endings
                .iter()
                .all(|it| it == "completed" || it == "cancelled (dropped)"),
            "{endings:?}"
        );
        if over {
            assert_eq!(endings, ["completed"; 6], "the last round isn't dropped");
            assert!(
                polls >= 10,
                "each await is a place to be dropped at: {polls}"
            );
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f060_what_runs_beside_a_dropped_run_is_unharmed() {
    for polls in 0..12 {
        let (recorder, session) = busy_session();
        let (kept_record, kept) = busy_session();
        let dropped = async {
            let mut run = Box::pin(session.run(&busy, 2u32));
            for _ in 0..polls {
                assert!(run.as_mut().now_or_never().is_none());
                give_way().await;
            }
        };
        let ((), outcome) = futures::join!(dropped, kept.run(&busy, 2u32));
        assert_eq!(outcome.unwrap().output, 6);
        assert_well_formed(&recorder);
        assert_eq!(
            tree(&kept_record),
            [
                "loom.workflow.run busy",
                "  loom.workflow.step first",
                "  loom.run agent",
                "    loom.workflow.step beside",
                "    loom.tool tool",
                "      loom.workflow.step in_tool",
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f060_a_branch_that_is_dropped_closes_before_the_run_goes_on() {
    async fn race(cx: RunContext, polls: u32) -> Result<u32> {
        let slow =
            |cx: RunContext, text: String| async move { cx.step("inner", &forever, text).await };
        let (slow, quick) = (cx.step("slow", &slow, "x"), cx.step("quick", &wait, polls));
        let quick = match futures::future::select(Box::pin(slow), Box::pin(quick)).await {
            futures::future::Either::Left((_, _)) => unreachable!("it never ends"),
            futures::future::Either::Right((quick, _)) => quick?,
        };
        cx.step("after", &wait, quick).await
    }
    let (recorder, session) = recorded();
    session.run(&race, 2u32).await.unwrap();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run race",
            "  loom.workflow.step slow ✗ cancelled (dropped)",
            "    loom.workflow.step inner ✗ cancelled (dropped)",
            "  loom.workflow.step quick",
            "  loom.workflow.step after",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn f060_a_run_dropped_while_its_observers_settle_is_recorded_as_it_ended() {
    let (recorder, session) = busy_session();
    let mut run = Box::pin(session.run(&wait, 0u32));
    // The first poll ends in the gate, the second in settling.
    assert!(run.as_mut().now_or_never().is_none());
    assert!(run.as_mut().now_or_never().is_none());
    drop(run);
    assert_eq!(
        story(&recorder),
        [
            "open wait",
            "gate wait ponders allows",
            "close wait completed",
            "settled wait"
        ]
    );
}
