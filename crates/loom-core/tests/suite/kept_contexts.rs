//! A context that is kept, or taken to another task, opens spans only while what it belongs to runs.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::{StreamExt, stream};
use loom_core::{Attributes, Effect, Error, ErrorKind, Result, RunContext};
use tokio::sync::oneshot;

use crate::recorded::{recorded, story, tree};
use crate::steps::echo;

type Kept = Arc<Mutex<Option<RunContext>>>;

/// A step that leaves its context behind.
fn keep(
    kept: &Kept,
) -> impl Fn(RunContext, String) -> std::future::Ready<Result<String>> + Send + Sync + 'static {
    let kept = kept.clone();
    move |cx, text| {
        *kept.lock().unwrap() = Some(cx);
        std::future::ready(Ok(text))
    }
}

fn taken(kept: &Kept) -> RunContext {
    kept.lock().unwrap().take().unwrap()
}

#[test]
fn f056_a_context_that_outlives_its_run_opens_nothing() {
    let (recorder, session) = recorded();
    let kept = Kept::default();
    block_on(session.run(&keep(&kept), "go")).unwrap();
    let error = block_on(taken(&kept).step("late", &echo, "x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert_eq!(
        error.to_string(),
        "function: the run this context belongs to is over"
    );
    assert_eq!(tree(&recorder), ["loom.workflow.run function"]);
}

#[test]
fn f056_a_context_that_outlives_its_effect_opens_nothing_while_the_run_goes_on() {
    let (recorder, session) = recorded();
    let root = |cx: RunContext, text: String| async move {
        let kept = Kept::default();
        cx.step("keeper", &keep(&kept), text).await?;
        let error = taken(&kept).step("late", &echo, "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "a mistake in the program");
        cx.step("after", &echo, error.to_string()).await
    };
    assert_eq!(
        block_on(session.run(&root, "go")).unwrap().output,
        "function/keeper: loom.workflow.step keeper is over; hand its context on only while it runs"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run function",
            "  loom.workflow.step keeper",
            "  loom.workflow.step after"
        ]
    );
}

#[tokio::test]
async fn f056_a_context_works_in_another_task_while_its_effect_waits_for_it() {
    async fn spawns(cx: RunContext, text: String) -> Result<String> {
        let task = tokio::spawn(async move { cx.step("spawned", &echo, text).await });
        task.await.unwrap()
    }
    async fn blocks(cx: RunContext, text: String) -> Result<String> {
        let thread = move || block_on(cx.step("blocking", &echo, text));
        tokio::task::spawn_blocking(thread).await.unwrap()
    }
    async fn streams(cx: RunContext, text: String) -> Result<String> {
        let items = stream::iter(["a", "b"]).then(|it| cx.step("item", &echo, it));
        let items: Vec<_> = items.collect().await;
        items.into_iter().try_fold(text, |text, it| Ok(text + &it?))
    }
    async fn all(cx: RunContext, text: String) -> Result<String> {
        let text = cx.step("spawn", &spawns, text).await?;
        let text = cx.step("spawn_blocking", &blocks, text).await?;
        cx.step("stream", &streams, text).await
    }
    let (recorder, session) = recorded();
    assert_eq!(session.run(&all, "go").await.unwrap().output, "goab");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all",
            "  loom.workflow.step spawn",
            "    loom.workflow.step spawned",
            "  loom.workflow.step spawn_blocking",
            "    loom.workflow.step blocking",
            "  loom.workflow.step stream",
            "    loom.workflow.step item",
            "    loom.workflow.step item",
        ]
    );
}

#[tokio::test]
async fn f056_a_context_left_to_another_task_opens_nothing_after_the_run() {
    let (recorder, session) = recorded();
    let (go_on, told) = oneshot::channel::<()>();
    let (told, task) = (Mutex::new(Some(told)), Arc::new(Mutex::new(None)));
    let left = task.clone();
    let root = move |cx: RunContext, text: String| {
        let told = told.lock().unwrap().take().unwrap();
        *left.lock().unwrap() = Some(tokio::spawn(async move {
            told.await.unwrap();
            cx.step("late", &echo, "x").await
        }));
        echo(text)
    };
    session.run(&root, "go").await.unwrap();
    go_on.send(()).unwrap();
    let task = task.lock().unwrap().take().unwrap();
    let error = task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert_eq!(tree(&recorder), ["loom.workflow.run function"]);
}

#[test]
fn f056_a_context_of_a_dropped_run_opens_nothing() {
    let (recorder, session) = recorded();
    let kept = Kept::default();
    let keeper = keep(&kept);
    let root = move |cx: RunContext, text: String| {
        let kept = keeper(cx, text);
        async move {
            kept.await?;
            std::future::pending::<Result<String>>().await
        }
    };
    let mut run = session.run(&root, "go");
    assert!(futures::FutureExt::now_or_never(&mut run).is_none());
    drop(run);
    let error = block_on(taken(&kept).step("late", &echo, "x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run function ✗ cancelled (dropped)"]
    );
}

#[test]
fn f056_nothing_is_told_of_a_context_whose_effect_or_run_is_over() {
    async fn talk(cx: &RunContext) {
        cx.note("remark", &Attributes::new());
        cx.delta("more");
        cx.record_one("late", true);
        assert_eq!(
            cx.limit_reached("turns_max", 1).kind(),
            ErrorKind::LimitReached
        );
        let late = Effect::tool("late", "c1");
        assert_ne!(cx.refuse(late, Error::invalid("x")).await.message(), "x");
    }
    let (recorder, session) = recorded();
    let (of_step, of_root) = (Kept::default(), Kept::default());
    let (step, root) = (of_step.clone(), of_root.clone());
    let program = move |cx: RunContext, text: String| {
        let (step, root) = (step.clone(), root.clone());
        async move {
            cx.step("keeper", &keep(&step), text.clone()).await?;
            talk(&taken(&step)).await;
            *root.lock().unwrap() = Some(cx);
            Ok::<_, Error>(text)
        }
    };
    block_on(session.run(&program, "go")).unwrap();
    block_on(talk(&taken(&of_root)));
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "open function/keeper",
            "close function/keeper completed",
            "close function completed",
            "settled function",
        ]
    );
}
