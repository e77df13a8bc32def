//! Where an effect stands in its run, in one line that tells it from all others.

use std::collections::BTreeSet;

use futures::executor::block_on;
use loom_core::{Effect, EffectKind, Result, RunContext};
use loom_testing::Recorder;

use crate::recorded::recorded;
use crate::steps::{echo, fail, wait};

fn paths(recorder: &Recorder) -> Vec<String> {
    recorder.spans().into_iter().map(|it| it.path).collect()
}

#[test]
fn the_path_shows_each_kind_of_effect_as_its_own_kind_of_segment() {
    async fn support(cx: RunContext, _: String) -> Result<()> {
        let agent = Effect::new(EffectKind::Agent, "agent");
        let agent = cx.perform(agent, (), |cx, ()| async move {
            for turn in 0..2 {
                let run = |cx: RunContext, ()| async move {
                    cx.perform(Effect::new(EffectKind::Model, "opus"), (), |_, ()| async {
                        Ok(())
                    })
                    .await?;
                    let tool = |cx: RunContext, ()| async move {
                        let flow = Effect::new(EffectKind::Workflow, "refund_flow");
                        cx.perform(flow, (), |cx, ()| async move {
                            cx.step("authorize", &echo, "x").await
                        })
                        .await
                    };
                    cx.perform(Effect::tool("refund", "c1"), (), tool).await
                };
                cx.perform(Effect::turn(turn), (), run).await?;
            }
            Ok(())
        });
        agent.await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&support, "go")).unwrap();
    assert_eq!(
        paths(&recorder),
        [
            "support",
            "support/agent",
            "support/agent/turn:0",
            "support/agent/turn:0/model:opus",
            "support/agent/turn:0/tool:refund[c1]",
            "support/agent/turn:0/tool:refund[c1]/refund_flow",
            "support/agent/turn:0/tool:refund[c1]/refund_flow/authorize",
            "support/agent/turn:1",
            "support/agent/turn:1/model:opus",
            "support/agent/turn:1/tool:refund[c1]",
            "support/agent/turn:1/tool:refund[c1]/refund_flow",
            "support/agent/turn:1/tool:refund[c1]/refund_flow/authorize",
        ]
    );
}

#[test]
fn the_kth_opening_of_a_name_under_one_parent_says_so() {
    async fn again(cx: RunContext, text: String) -> Result<String> {
        let twice = |cx: RunContext, text: String| async move {
            cx.step("load", &echo, text.clone()).await?;
            cx.step("load", &echo, text).await
        };
        cx.step("load", &fail, "x").await.unwrap_err();
        cx.step("load", &twice, "x").await?;
        let same_name = Effect::new(EffectKind::Agent, "load");
        cx.perform(same_name, (), |_, ()| async { Ok(()) }).await?;
        for _ in 0..2 {
            cx.perform(Effect::tool("load", "c1"), (), |_, ()| async { Ok(()) })
                .await?;
        }
        cx.perform(Effect::tool("load", "c2"), (), |_, ()| async { Ok(()) })
            .await?;
        Ok(text)
    }
    let (recorder, session) = recorded();
    block_on(session.run(&again, "go")).unwrap();
    assert_eq!(
        paths(&recorder),
        [
            "again",
            "again/load",
            "again/load#2",
            "again/load#2/load",
            "again/load#2/load#2",
            "again/load#3",
            "again/tool:load[c1]",
            "again/tool:load[c1]#2",
            "again/tool:load[c2]",
        ]
    );
}

#[test]
fn concurrent_effects_of_one_name_are_told_apart_by_index_whatever_ends_first() {
    async fn each(cx: RunContext, items: u32) -> Result<u32> {
        let item = |i: u32| {
            let effect = Effect::new(EffectKind::Step, "item").at_index(i as usize);
            cx.perform(effect, (), move |_, ()| wait(items - i))
        };
        futures::future::try_join_all((0..items).map(item))
            .await
            .map(|it| it.iter().sum())
    }
    let (recorder, session) = recorded();
    block_on(session.run(&each, 3u32)).unwrap();
    assert_eq!(
        paths(&recorder),
        ["each", "each/item[0]", "each/item[1]", "each/item[2]"]
    );
}

#[test]
fn what_paths_are_made_of_is_escaped_in_names_and_call_ids() {
    async fn odd(cx: RunContext, _: String) -> Result<()> {
        for name in ["a/b", "a#2", "a[0]", "100%", "a%2Fb", "ü b"] {
            cx.step(name, &echo, "x").await?;
        }
        cx.perform(Effect::tool("t/u", "c]/[1"), (), |_, ()| async { Ok(()) })
            .await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&odd, "go")).unwrap();
    let paths = paths(&recorder);
    assert_eq!(
        paths,
        [
            "odd",
            "odd/a%2Fb",
            "odd/a%232",
            "odd/a%5B0%5D",
            "odd/100%25",
            "odd/a%252Fb",
            "odd/ü b",
            "odd/tool:t%2Fu[c%5D%2F%5B1]",
        ]
    );
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
}

#[test]
fn a_step_that_is_called_like_another_kind_s_segment_has_a_path_of_its_own() {
    async fn alike(cx: RunContext, _: String) -> Result<()> {
        for name in [
            "turn:0",
            "model:opus",
            "tool:look",
            "turn:",
            "a:turn:0",
            "turns:0",
        ] {
            cx.step(name, &echo, "x").await?;
        }
        cx.perform(Effect::turn(0), (), |_, ()| async { Ok(()) })
            .await?;
        for kind in [EffectKind::Agent, EffectKind::Workflow] {
            cx.perform(Effect::new(kind, "turn:0"), (), |_, ()| async { Ok(()) })
                .await?;
        }
        cx.perform(Effect::new(EffectKind::Model, "opus"), (), |_, ()| async {
            Ok(())
        })
        .await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&alike, "go")).unwrap();
    let paths = paths(&recorder);
    assert_eq!(
        paths,
        [
            "alike",
            "alike/turn%3A0",
            "alike/model%3Aopus",
            "alike/tool%3Alook",
            "alike/turn%3A",
            "alike/a:turn:0",
            "alike/turns:0",
            "alike/turn:0",
            "alike/turn%3A0#2",
            "alike/turn%3A0#3",
            "alike/model:opus",
        ]
    );
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
}

#[test]
fn a_run_may_open_one_name_very_often() {
    async fn often(cx: RunContext, times: u32) -> Result<u32> {
        for i in 0..times {
            cx.step(format!("step {}", i % 20), &echo, "x").await?;
        }
        Ok(times)
    }
    let (recorder, session) = recorded();
    block_on(session.run(&often, 60u32)).unwrap();
    let mut expected = vec!["often".to_owned()];
    for round in ["", "#2", "#3"] {
        expected.extend((0..20).map(|i| format!("often/step {i}{round}")));
    }
    assert_eq!(paths(&recorder), expected);
}
