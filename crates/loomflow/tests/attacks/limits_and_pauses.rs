//! Attacks on limits by runs that wait for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::executor::block_on;
use loomflow::{
    Branch, Effect, EffectKind, Error, MemoryJournal, Result, RunContext, RunErrorKind, Runnable,
    Tokens, Workflow,
};

use crate::budgets::{Calls, limits};
use crate::support_b::{guarded, rig, slow, spin, yields};

#[test]
fn a_question_that_waits_gives_its_reservation_back() {
    guarded(|| {
        let rig = rig(|it| {
            it.journal(MemoryJournal::default())
                .limits(limits().with_tokens_max(1_000))
        });
        let body = |cx: RunContext, n: u64| async move {
            let ask = Branch::named("asks", move |cx: RunContext| async move {
                let call = Effect::new(EffectKind::Model, "asking").reserving(900, 0);
                cx.perform(call, n, |cx, n| async move {
                    let more: u64 = cx.ask("more", "?").await?;
                    cx.spend(Tokens::new(100, 0));
                    Ok(n + more)
                })
                .await
            });
            let call = Branch::named("calls", move |cx: RunContext| async move {
                yields(3).await;
                cx.step("call", &Calls::new(800, Some(100)), n).await
            });
            Ok::<u64, Error>(cx.join(2, [ask, call]).await?.into_iter().sum())
        };
        block_on(async {
            let session = rig.loom.session("alice");
            let paused = session.run(&body, 1u64).await.unwrap_err();
            assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
            let report = paused.report().unwrap();
            session
                .answer(&report.run_id, &paused.questions()[0].path, 1u64)
                .await
                .unwrap();
            let outcome = session.resume(&report.run_id, &body).await.unwrap();
            assert_eq!(outcome.output, 3);
            assert_eq!(outcome.usage.input_tokens, Some(200));
            assert_eq!(outcome.charged.tokens, Some(200));
        });
        rig.assert_whole();
    });
}

#[test]
fn what_was_used_before_a_pause_counts_after_it_and_a_replay_counts_nothing() {
    for (max, ends) in [(10_000, true), (450, false)] {
        let rig = rig(|it| {
            it.journal(MemoryJournal::default())
                .limits(limits().with_tokens_max(max))
        });
        let body = |cx: RunContext, n: u64| async move {
            cx.step("first", &Calls::new(100, Some(300)), n).await?;
            let more: u64 = cx.ask("more", "?").await?;
            cx.step("second", &Calls::new(150, Some(150)), n).await?;
            cx.step("third", &Calls::new(10, None), n).await?;
            Ok::<_, Error>(n + more)
        };
        block_on(async {
            let session = rig.loom.session("alice");
            let paused = session.run(&body, 1u64).await.unwrap_err();
            let report = paused.report().unwrap();
            assert_eq!(report.charged.tokens, Some(300));
            session
                .answer(&report.run_id, &paused.questions()[0].path, 1u64)
                .await
                .unwrap();
            let raised = session.limits(limits().with_tokens_max(u64::MAX));
            match raised.resume(&report.run_id, &body).await {
                Ok(outcome) => {
                    assert!(ends);
                    assert_eq!(
                        (outcome.usage.input_tokens, outcome.usage.model_calls),
                        (None, 3)
                    );
                    assert_eq!(
                        (outcome.attempt.model_calls, outcome.charged_attempt.tokens),
                        (2, Some(160))
                    );
                    assert_eq!(
                        (outcome.charged.tokens, outcome.charged.model_calls),
                        (Some(460), 3)
                    );
                }
                Err(ended) => {
                    assert!(!ends, "{ended}");
                    assert_eq!(ended.kind(), RunErrorKind::Interrupted);
                }
            }
        });
        rig.assert_whole();
    }
}

#[test]
fn code_that_never_ends_trying_while_it_waits_is_dropped_and_the_run_pauses() {
    guarded(|| {
        for how in ["step", "ask", "call"] {
            let tries = Arc::new(AtomicUsize::new(0));
            let count = tries.clone();
            let rig = rig(|it| {
                it.journal(MemoryJournal::default())
                    .limits(limits().with_tokens_max(1_000))
            });
            let body = move |cx: RunContext, n: u64| {
                let count = count.clone();
                async move {
                    let _: Result<bool> = cx.ask("sure", "Sure?").await;
                    loop {
                        count.fetch_add(1, SeqCst);
                        match how {
                            "step" => drop(cx.step("again", &slow, n).await),
                            "ask" => drop(cx.ask::<bool>("again", "Again?").await),
                            _ => drop(Calls::new(10, None).run(&cx, n).await),
                        }
                    }
                    #[allow(unreachable_code)]
                    Ok::<u64, Error>(n)
                }
            };
            let beside = Workflow::chain::<u64>("w")
                .parallel((body, slow))
                .map(|(a, b)| a + b)
                .build();
            let ended = spin(5_000, rig.loom.session("alice").run(&beside, 1u64)).expect("it ends");
            let ended = ended
                .map(|it| it.output)
                .map_err(|it| (it.kind(), it.questions().len()));
            assert_eq!(ended, Err((RunErrorKind::Paused, 1)), "{how}");
            assert!(tries.load(SeqCst) <= 300, "{how} {}", tries.load(SeqCst));
            assert!(
                rig.endings().contains(&"w/slow completed".to_owned()),
                "{:?}",
                rig.endings()
            );
            rig.assert_whole();
        }
    });
}
