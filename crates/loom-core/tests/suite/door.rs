//! The door: what is opened closes once, with the ending its error has, and errors say where.

use std::error::Error as _;
use std::sync::Mutex;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, EffectKind, Error, ErrorKind, Result, RunContext, RunError, RunErrorKind, Runnable,
};
use loom_testing::Recorder;

use crate::recorded::{recorded, story, tree};
use crate::steps::{echo, fail};

#[test]
fn every_kind_of_error_closes_the_spans_it_passes_with_the_ending_of_the_table() {
    let table = [
        (ErrorKind::Failed, RunErrorKind::Failed),
        (ErrorKind::Upstream, RunErrorKind::Failed),
        (ErrorKind::Timeout, RunErrorKind::Failed),
        (ErrorKind::Invalid, RunErrorKind::Failed),
        (ErrorKind::Denied, RunErrorKind::Denied),
        (ErrorKind::LimitReached, RunErrorKind::Interrupted),
        (ErrorKind::Panicked, RunErrorKind::Failed),
    ];
    for (kind, ended) in table {
        let (recorder, error) = run_that_fails_with(Error::new(kind, "broken"));
        assert_eq!((error.kind(), error.error().kind()), (ended, kind));
        assert_eq!(tree(&recorder), closed_as(ended.as_str()), "{kind:?}");
    }
}

#[test]
fn a_forged_stopped_error_is_an_ordinary_failure() {
    let (recorder, error) = run_that_fails_with(Error::new(ErrorKind::Stopped, "forged"));
    assert_eq!(
        (error.kind(), error.error().kind(), error.message()),
        (RunErrorKind::Failed, ErrorKind::Failed, "forged")
    );
    assert!(!error.error().is_retryable());
    assert_eq!(tree(&recorder), closed_as("failed"));
}

/// Gives this error out of a step.
struct Gives(Mutex<Option<Error>>);

impl Runnable<String> for Gives {
    type Out = String;

    async fn run(&self, cx: &RunContext, _: String) -> Result<String> {
        let error = self.0.lock().unwrap().take().unwrap();
        let inner = Effect::new(EffectKind::Step, "inner");
        cx.perform(inner, (), |_, ()| async { Err(error) }).await
    }
}

fn run_that_fails_with(error: Error) -> (Recorder, RunError) {
    let (recorder, session) = recorded();
    let error = block_on(session.run(&Gives(Mutex::new(Some(error))), "go")).unwrap_err();
    (recorder, error)
}

fn closed_as(ending: &str) -> [String; 2] {
    [
        format!("loom.workflow.run function ✗ {ending}"),
        format!("  loom.workflow.step inner ✗ {ending}"),
    ]
}

async fn two_levels(cx: RunContext, text: String) -> Result<String> {
    let outer = |cx: RunContext, text: String| async move {
        let text = cx.step("inner", &echo, text).await?;
        cx.step("inner", &echo, text).await
    };
    let text = cx.step("outer", &outer, text).await?;
    cx.step("last", &echo, text).await
}

#[test]
fn children_open_and_close_within_their_parents_and_the_run_is_settled_last() {
    let (recorder, session) = recorded();
    assert_eq!(
        block_on(session.run(&two_levels, "go")).unwrap().output,
        "go"
    );
    assert_eq!(
        story(&recorder),
        [
            "open two_levels",
            "open two_levels/outer",
            "open two_levels/outer/inner",
            "close two_levels/outer/inner completed",
            "open two_levels/outer/inner#2",
            "close two_levels/outer/inner#2 completed",
            "close two_levels/outer completed",
            "open two_levels/last",
            "close two_levels/last completed",
            "close two_levels completed",
            "settled two_levels",
        ]
    );
}

#[test]
fn an_error_says_where_it_happened_and_the_message_alone_says_what() {
    async fn outer(cx: RunContext, text: String) -> Result<String> {
        let middle =
            |cx: RunContext, text: String| async move { cx.step("deep", &fail, text).await };
        cx.step("middle", &middle, text).await
    }
    let (_, session) = recorded();
    let error = block_on(session.run(&outer, "go")).unwrap_err();
    assert_eq!(error.path(), Some("outer/middle/deep"));
    assert_eq!(error.message(), "broken");
    assert_eq!(error.to_string(), "outer/middle/deep: broken");
}

#[test]
fn an_error_that_a_step_makes_of_another_is_told_from_where_it_was_made() {
    async fn outer(cx: RunContext, text: String) -> Result<String> {
        let retold = |cx: RunContext, text: String| async move {
            let error = cx.step("deep", &fail, text).await.unwrap_err();
            Err::<String, _>(Error::with_source(ErrorKind::Invalid, "retold", error))
        };
        cx.step("retold", &retold, text).await
    }
    let (_, session) = recorded();
    let error = block_on(session.run(&outer, "go")).unwrap_err();
    assert_eq!(error.to_string(), "outer/retold: retold");
    assert_eq!(
        error.source().unwrap().to_string(),
        "outer/retold/deep: broken"
    );
}

#[test]
fn an_error_of_another_type_fails_the_step_and_is_kept_as_the_source() {
    async fn parse(text: String) -> Result<u64, std::num::ParseIntError> {
        text.parse()
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&parse, "seven")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Failed);
    assert_eq!(error.to_string(), "parse: invalid digit found in string");
    assert!(error.source().unwrap().is::<std::num::ParseIntError>());
    assert_eq!(tree(&recorder), ["loom.workflow.run parse ✗ failed"]);
}

#[test]
fn an_error_carries_the_report_of_what_the_run_did() {
    async fn half(cx: RunContext, text: String) -> Result<String> {
        let text = cx.step("done", &echo, text).await?;
        let tool = Effect::new(EffectKind::Tool, "look");
        cx.perform(tool, (), |_, ()| async { Ok(()) }).await?;
        cx.step("undone", &fail, text).await
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&half, "go")).unwrap_err();
    let (report, root) = (error.report().unwrap(), &recorder.spans()[0]);
    assert_eq!(report.run_id, root.run);
    assert_eq!(report.session_id, root.session);
    assert_eq!(report.trace_id, root.trace);
    assert_eq!(report.visited, ["done"]);
    assert_eq!((report.usage.tool_calls, report.usage.model_calls), (1, 0));
}

#[test]
fn a_run_goes_on_after_an_error_that_it_handles() {
    async fn careful(cx: RunContext, text: String) -> Result<String> {
        match cx.step("try", &fail, text).await {
            Ok(text) => Ok(text),
            Err(error) => cx.step("instead", &echo, error.message()).await,
        }
    }
    let (recorder, session) = recorded();
    assert_eq!(
        block_on(session.run(&careful, "go")).unwrap().output,
        "broken"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run careful",
            "  loom.workflow.step try ✗ failed",
            "  loom.workflow.step instead",
        ]
    );
}

#[test]
fn a_future_that_is_never_polled_opens_nothing() {
    async fn lazy(cx: RunContext, text: String) -> Result<String> {
        drop(cx.step("never", &echo, text.clone()));
        Ok(text)
    }
    let (recorder, session) = recorded();
    drop(session.run(&lazy, "go"));
    assert_eq!(story(&recorder), Vec::<String>::new());
    block_on(session.run(&lazy, "go")).unwrap();
    assert_eq!(tree(&recorder), ["loom.workflow.run lazy"]);
}

/// How many spans each poll of the run opened.
fn opened_by_each_poll<F>(program: F) -> Vec<usize>
where
    F: Fn(RunContext, ()) -> BoxFuture<'static, Result<()>> + Send + Sync + 'static,
{
    let (recorder, session) = recorded();
    let mut run = session.run(&program, ());
    let (mut opened, mut before) = (Vec::new(), 0);
    loop {
        let ended = (&mut run).now_or_never();
        let now = recorder.spans().len();
        opened.push(now - before);
        before = now;
        if let Some(ended) = ended {
            ended.unwrap();
            return opened;
        }
    }
}

#[test]
fn the_door_gives_way_once_in_256_effects() {
    let steps = opened_by_each_poll(|cx, ()| {
        Box::pin(async move {
            for _ in 0..1000 {
                cx.step("step", &echo, "x").await?;
            }
            Ok(())
        })
    });
    let nested = opened_by_each_poll(|cx, ()| {
        let outer = |cx: RunContext, text: String| async move { cx.step("in", &echo, text).await };
        Box::pin(async move {
            for _ in 0..500 {
                cx.step("out", &outer, "x").await?;
            }
            Ok(())
        })
    });
    let refused = opened_by_each_poll(|cx, ()| {
        Box::pin(async move {
            for _ in 0..1000 {
                let none = Effect::tool("none", "c1");
                let error = cx.refuse(none, Error::invalid("no such tool")).await;
                assert_eq!(error.kind(), ErrorKind::Invalid);
            }
            Ok(())
        })
    });
    for opened in [steps, nested, refused] {
        assert_eq!(opened.iter().sum::<usize>(), 1001);
        assert_eq!(opened.len(), 4, "{opened:?}");
        assert!(opened.iter().all(|it| *it <= 256), "{opened:?}");
    }
}
