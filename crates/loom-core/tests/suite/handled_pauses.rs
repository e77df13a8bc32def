//! What a body does after the door said `Stopped` changes nothing: the run waits for what was asked.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Branch, Effect, EffectKind, Error, ErrorKind, Limits, Loom, MemoryJournal, Result, ResultExt,
    RunContext, RunErrorKind, Session, step,
};
use loom_testing::Recorder;

use crate::journaled::{Log, answer_all, asked, run_id, waiting};
use crate::recorded::{recorded_by, tree};
use crate::steps::{echo, fail};

/// An error that shows nobody where it came from.
#[derive(Debug)]
struct Opaque;

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it went wrong")
    }
}

impl std::error::Error for Opaque {}

impl From<Error> for Opaque {
    fn from(_: Error) -> Self {
        Self
    }
}

fn desk() -> (Arc<MemoryJournal>, Recorder, Session) {
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    (journal, recorder, session.id("desk"))
}

/// Asks, and hands whatever comes of it on as an error of this type.
async fn asks<E: From<Error>>(cx: RunContext, _: ()) -> Result<bool, E> {
    Ok(cx.ask("sure", "sure?").await?)
}

/// Asks in a step below.
async fn asks_below(cx: RunContext, _: ()) -> Result<bool, Opaque> {
    Ok(cx.step("ask", &asks::<Opaque>, ()).await?)
}

/// Asks in two branches.
async fn asks_beside(cx: RunContext, _: ()) -> Result<bool, Opaque> {
    let branches = ["one", "other"].map(|name| {
        Branch::new(move |cx: RunContext| async move { cx.step(name, &asks::<Opaque>, ()).await })
    });
    Ok(cx.join(8, branches).await?[0])
}

/// Asks on a task of its own.
async fn asks_afar(cx: RunContext, _: ()) -> Result<bool, Opaque> {
    let afar = async move { cx.step("ask", &asks::<Error>, ()).await };
    Ok(tokio::spawn(afar).await.map_err(|_| Opaque)??)
}

/// Says of whatever comes of its question that a service failed, which a retry may help.
async fn relabels(cx: RunContext, _: ()) -> Result<bool> {
    asks::<Opaque>(cx, ()).await.upstream()
}

/// Does without an answer.
async fn swallows(cx: RunContext, _: ()) -> Result<bool> {
    Ok(asks::<Error>(cx, ()).await.unwrap_or(false))
}

/// Fails by itself after it asked.
async fn fails_after(cx: RunContext, _: ()) -> Result<bool> {
    let _ = asks::<Error>(cx, ()).await;
    Err(Error::invalid("broken"))
}

/// Takes another step after it asked.
async fn steps_after(cx: RunContext, _: ()) -> Result<bool> {
    let _ = asks::<Error>(cx.clone(), ()).await;
    let refused = cx.step("after", &echo, "x").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Stopped);
    assert!(cx.is_stopping());
    Ok(true)
}

/// Asks again and again.
async fn asks_for_ever(cx: RunContext, _: ()) -> Result<bool> {
    loop {
        if let Ok(sure) = cx.ask("sure", "sure?").await {
            return Ok(sure);
        }
    }
}

/// Panics after it asked.
async fn panics_after(cx: RunContext, _: ()) -> Result<bool> {
    let _ = asks::<Error>(cx, ()).await;
    panic!("no answer")
}

async fn spare(_: ()) -> Result<bool> {
    panic!("a question is no failure")
}

#[tokio::test(start_paused = true)]
async fn a_question_pauses_the_run_whatever_the_body_makes_of_it() {
    macro_rules! pauses {
        ($($asks:expr, $paths:expr;)*) => {$(
            let (journal, _, session) = desk();
            let wrapped = step($asks).retry(3).or_else(spare);
            let paused = session.run(&wrapped, ()).await.unwrap_err();
            assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
            assert_eq!(asked(&paused), $paths);
            let listed = waiting(&journal, &session.scope().unwrap()).await;
            assert_eq!(listed[0].questions, paused.questions());
        )*};
    }
    pauses! {
        asks::<Error>, ["asks/sure"];
        asks::<Opaque>, ["asks/sure"];
        asks_below, ["asks_below/ask/sure"];
        asks_beside, ["asks_beside/[0]/one/sure", "asks_beside/[1]/other/sure"];
        asks_afar, ["asks_afar/ask/sure"];
        relabels, ["relabels/sure"];
        swallows, ["swallows/sure"];
        fails_after, ["fails_after/sure"];
        steps_after, ["steps_after/sure"];
        asks_for_ever, ["asks_for_ever/sure"];
        panics_after, ["panics_after/sure"];
    }
}

#[test]
fn a_handled_question_records_nothing_and_the_answered_run_ends_by_itself() {
    block_on(async {
        let (_, recorder, session) = desk();
        let log = Log::default();
        let noted = log.clone();
        let goes_without = move |cx: RunContext, _: ()| {
            let log = noted.clone();
            async move {
                let sure = cx.step("ask", &swallows, ()).await.unwrap_or(false);
                log.note(format!("sure: {sure}"));
                Ok::<_, Error>(sure)
            }
        };
        let paused = session.run(&goes_without, ()).await.unwrap_err();
        assert_eq!(log.take(), ["sure: false"]);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run function ✗ paused",
                "  loom.workflow.step ask ✗ paused"
            ]
        );
        answer_all(&session, &paused, true).await;
        recorder.clear();
        let outcome = session.resume(&run_id(&paused), &goes_without).await;
        assert!(outcome.unwrap().output);
        assert_eq!(
            tree(&recorder),
            ["loom.workflow.run function", "  loom.workflow.step ask"],
            "what was returned without an answer isn't used"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_whole_tree_that_an_error_hides_still_ends_it() {
    async fn desk(cx: RunContext, text: String) -> Result<String, Opaque> {
        Ok(cx.step("inner", &echo, text).await?)
    }
    let loom = Loom::builder().limits(Limits::default().with_effects_max(1));
    let (recorder, session) = recorded_by(loom);
    let wrapped = step(desk).retry(3).or_else(fail);
    let error = session.run(&wrapped, "go").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert_eq!(error.to_string(), "desk: effects_max 1 reached");
    assert_eq!(tree(&recorder), ["loom.workflow.run desk ✗ interrupted"]);
}

#[test]
fn an_error_that_calls_itself_stopped_is_an_ordinary_failure() {
    async fn forges(_: String) -> Result<String> {
        Err(Error::new(ErrorKind::Stopped, "it says"))
    }
    let (_, recorder, session) = desk();
    let error = block_on(session.run(&forges, "go")).unwrap_err();
    assert_eq!(
        (error.kind(), error.error().kind()),
        (RunErrorKind::Failed, ErrorKind::Failed)
    );
    assert_eq!(error.to_string(), "forges: it says");
    assert_eq!(tree(&recorder), ["loom.workflow.run forges ✗ failed"]);
}

fn asks_in_a_step(cx: &RunContext) -> BoxFuture<'_, Result<bool>> {
    Box::pin(cx.step("ask", &asks::<Error>, ()))
}

fn asks_in_a_tool(cx: &RunContext) -> BoxFuture<'_, Result<bool>> {
    Box::pin(cx.perform(Effect::tool("ask", "c1"), (), |cx, ()| asks(cx, ())))
}

fn asks_in_a_model(cx: &RunContext) -> BoxFuture<'_, Result<bool>> {
    let model = Effect::new(EffectKind::Model, "opus").reserving(10, 0);
    Box::pin(cx.perform(model, (), |cx, ()| asks(cx, ())))
}

type Asks = fn(&RunContext) -> BoxFuture<'_, Result<bool>>;

#[test]
fn what_paused_is_given_back_to_the_limits_and_counted_once_it_goes_on() {
    let none = Limits::default();
    let table: [(Asks, Limits); 4] = [
        (asks_in_a_step, none.with_effects_max(2)),
        (asks_in_a_tool, none.with_tool_calls_max(1)),
        (asks_in_a_model, none.with_model_calls_max(1)),
        (asks_in_a_model, none.with_tokens_max(10)),
    ];
    for (asks, limits) in table {
        block_on(async {
            let loom = Loom::builder().limits(limits);
            let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
            let root = move |cx: RunContext, _: ()| async move { asks(&cx).await };
            let paused = session.run(&root, ()).await.unwrap_err();
            let calls = |it: &loom_core::Usage| it.tool_calls + it.model_calls;
            assert_eq!(calls(&paused.report().unwrap().usage), 0, "{limits:?}");
            answer_all(&session, &paused, true).await;
            let outcome = session.resume(&run_id(&paused), &root).await.unwrap();
            assert!(outcome.output);
            assert!(calls(&outcome.usage) <= 1, "{limits:?}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_ignores_that_it_waits_is_dropped_after_256_refusals() {
    let refused = Arc::new(AtomicU32::new(0));
    let counted = refused.clone();
    let insists = move |cx: RunContext, _: ()| {
        let counted = counted.clone();
        async move {
            loop {
                if cx.ask::<bool>("sure", "sure?").await.is_ok() {
                    return Ok::<_, Error>(());
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let (_, _, session) = desk();
    let session = session.deadline(Duration::from_secs(60));
    let paused = session.run(&insists, ()).await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    let refused = refused.load(Ordering::Relaxed);
    assert!((256..=258).contains(&refused), "{refused}");
}
