//! A question goes with what asked it: with a failed set, a timeout, a dropped step. A refusal
//! decides.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Branch, Effect, EffectKind, Error, ErrorKind, MemoryJournal, Result, RunContext, RunError,
    RunErrorKind, Session, step,
};
use loom_testing::Recorder;

use crate::journaled::{answer_all, asked, run_id, waiting, worker};
use crate::recorded::tree;
use crate::steps::{echo, forever, wait};

fn desk() -> (Arc<MemoryJournal>, Recorder, Session) {
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = worker(&journal);
    (journal, recorder, session)
}

async fn asks(cx: RunContext, _: ()) -> Result<bool> {
    cx.ask("sure", "sure?").await
}

async fn asks_and_hangs(cx: RunContext, _: ()) -> Result<bool> {
    let _ = cx.ask::<bool>("sure", "sure?").await;
    forever(String::new()).await.map(|_| true)
}

type Asks = BoxFuture<'static, Result<bool>>;
type In = fn(RunContext) -> Asks;

/// Asks in a set that fails.
fn in_a_failed_set(cx: RunContext) -> Asks {
    async move {
        let branches = [
            Branch::new(|cx: RunContext| async move { cx.step("ask", &asks, ()).await }),
            Branch::new(|_| async {
                wait(3).await?;
                Err(Error::invalid("broken"))
            }),
        ];
        Ok(cx.join(8, branches).await.is_err())
    }
    .boxed()
}

/// Asks in a step whose time is up.
fn in_a_timeout(cx: RunContext) -> Asks {
    async move {
        let limited = step(asks_and_hangs).timeout(Duration::from_secs(1));
        Ok(cx.step("ask", &limited, ()).await.is_err())
    }
    .boxed()
}

/// Asks in a step that is dropped before it returned.
fn in_a_dropped_step(cx: RunContext) -> Asks {
    async move {
        let mut asks = Box::pin(cx.step("ask", &asks_and_hangs, ()));
        assert!(asks.as_mut().now_or_never().is_none());
        drop(asks);
        Ok(true)
    }
    .boxed()
}

/// Asks in a set that is dropped before it has ended.
fn in_a_dropped_set(cx: RunContext) -> Asks {
    async move {
        let branches = [
            Branch::new(|cx: RunContext| async move { cx.step("ask", &asks, ()).await }),
            Branch::new(|_| async { forever(String::new()).await.map(|_| true) }),
        ];
        let mut join = Box::pin(cx.join(8, branches));
        for _ in 0..9 {
            assert!(join.as_mut().now_or_never().is_none());
        }
        drop(join);
        Ok(true)
    }
    .boxed()
}

#[tokio::test(start_paused = true)]
async fn a_question_is_withdrawn_with_what_it_was_asked_in_and_the_run_ends_as_it_would_have() {
    let table: [(&str, In); 4] = [
        ("a failed set", in_a_failed_set),
        ("a timeout", in_a_timeout),
        ("a dropped step", in_a_dropped_step),
        ("a dropped set", in_a_dropped_set),
    ];
    for (what, asks) in table {
        let (journal, _, session) = desk();
        let root = move |cx: RunContext, _: ()| async move {
            let withdrawn = asks(cx.clone()).await?;
            assert!(!cx.is_stopping(), "{what}");
            cx.step("after", &echo, "x").await?;
            Ok::<_, Error>(withdrawn)
        };
        let outcome = session.run(&root, ()).await;
        let outcome = outcome.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(outcome.output, "{what}");
        let scope = session.scope().unwrap();
        assert_eq!(waiting(&journal, &scope).await, [], "{what}");
        let answered = session.answer(&outcome.run_id, "function/ask/sure", true);
        assert_eq!(answered.await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn a_set_that_fails_withdraws_its_own_questions_and_no_strangers() {
    async fn sets(cx: RunContext, _: ()) -> Result<Vec<bool>> {
        let fails = Branch::named("fails", |cx: RunContext| async move {
            wait(2).await?;
            Ok(in_a_failed_set(cx).await.is_ok())
        });
        let other = Branch::named("other", |cx: RunContext| async move {
            cx.step("ask", &asks, ()).await
        });
        cx.join(8, [fails, other]).await
    }
    let (_, _, session) = desk();
    let paused = block_on(session.run(&sets, ())).unwrap_err();
    assert_eq!(asked(&paused), ["sets/[other]/ask/sure"]);
}

/// Fails after it was refused since something concurrent waits.
async fn is_refused(cx: RunContext, _: ()) -> Result<bool> {
    let asked = cx.step("ask", &asks, ()).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Stopped);
    let refused = cx.step("after", &echo, "x").await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Stopped);
    Err(Error::invalid("broken"))
}

#[test]
fn a_refusal_decides_that_an_effect_waits_and_only_its_own_end_withdraws() {
    block_on(async {
        let (_, recorder, session) = desk();
        let paused = session.run(&is_refused, ()).await.unwrap_err();
        assert_eq!(asked(&paused), ["is_refused/ask/sure"]);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run is_refused ✗ paused",
                "  loom.workflow.step ask ✗ paused"
            ]
        );
    });
}

/// Every branch's result as a value, as a settled form has it.
async fn settles(cx: RunContext, _: ()) -> Result<Vec<String>> {
    let branch = |name: &'static str, fails: bool| {
        Branch::named(name, move |cx: RunContext| async move {
            let effect = Effect::new(EffectKind::Step, name).keeping_failure();
            let result = cx.perform(effect, (), |cx, ()| async move {
                match fails {
                    true => Err(Error::invalid("broken")),
                    false => cx.ask::<bool>("sure", "sure?").await,
                }
            });
            Ok(match result.await {
                Ok(sure) => format!("sure: {sure}"),
                Err(error) => format!("{}: {}", error.kind().as_str(), error.message()),
            })
        })
    };
    cx.join(8, [branch("asks", false), branch("fails", true)])
        .await
}

#[test]
fn a_settled_form_never_turns_stopped_into_a_value() {
    block_on(async {
        let (_, recorder, session) = desk();
        let paused: RunError = session.run(&settles, ()).await.unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused);
        assert_eq!(asked(&paused), ["settles/[asks]/asks/sure"]);
        answer_all(&session, &paused, true).await;
        recorder.clear();
        let outcome = session.resume(&run_id(&paused), &settles).await.unwrap();
        assert_eq!(outcome.output, ["sure: true", "invalid: broken"]);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run settles",
                "  loom.workflow.step asks",
                "  loom.workflow.step fails ↻ ✗ failed",
            ]
        );
    });
}
