//! An error of ours that a step hands on inside an error of its own is still what it was: it ends,
//! pauses or fails the run as if it had been handed on as it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    Branch, CancelReason, Effect, Ending, Error, ErrorKind, Gate, Limits, Loom, MemoryJournal,
    Result, ResultExt, RunContext, Session, Verdict, step,
};

use crate::journaled::{answer_all, asked, run_id, waiting};
use crate::recorded::{recorded, recorded_by, tree};
use crate::steps::{echo, fail};

/// An error of a program's own that names where it came from.
#[derive(Debug)]
enum DeskError {
    Ours(Error),
    Boxed(Box<Error>),
    Shared(Arc<Error>),
    Deep(Box<DeskError>),
    Io(std::io::Error),
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the desk is closed")
    }
}

impl std::error::Error for DeskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ours(error) => Some(error),
            Self::Boxed(error) => Some(error),
            Self::Shared(error) => Some(error),
            Self::Deep(error) => Some(&**error),
            Self::Io(error) => Some(error),
        }
    }
}

impl From<Error> for DeskError {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

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

/// Every kind, whether a retry helps with it, and how it closes.
fn kinds() -> [(ErrorKind, bool, Ending); 10] {
    let cancelled = Ending::Cancelled {
        why: CancelReason::Requested,
    };
    [
        (ErrorKind::Failed, true, Ending::Failed),
        (ErrorKind::Upstream, false, Ending::Failed),
        (ErrorKind::Timeout, true, Ending::Failed),
        (ErrorKind::Invalid, false, Ending::Failed),
        (ErrorKind::Denied, false, Ending::Denied),
        (ErrorKind::Panicked, false, Ending::Failed),
        (ErrorKind::Interrupted, false, Ending::Interrupted),
        (ErrorKind::Cancelled, false, cancelled),
        (ErrorKind::Paused, false, Ending::Paused),
        (ErrorKind::Internal, false, Ending::Failed),
    ]
}

#[test]
fn an_error_of_ours_among_the_sources_says_what_the_whole_is() {
    let wraps: [fn(Error) -> DeskError; 5] = [
        DeskError::Ours,
        |it| DeskError::Boxed(Box::new(it)),
        |it| DeskError::Shared(Arc::new(it)),
        |it| DeskError::Io(std::io::Error::other(it)),
        |it| DeskError::Deep(Box::new(DeskError::Ours(it))),
    ];
    for wrap in wraps {
        for (kind, retryable, ending) in kinds() {
            let error = Error::from_any(wrap(Error::new(kind, "inside")));
            assert_eq!(
                (error.kind(), error.is_retryable(), error.ending()),
                (kind, retryable, ending)
            );
            assert_eq!(error.message(), "the desk is closed", "its own words stay");
            let source = std::error::Error::source(&error).unwrap();
            assert!(source.downcast_ref::<DeskError>().is_some());
        }
    }
}

#[test]
fn of_two_errors_of_ours_the_one_that_ends_the_run_counts() {
    let stopped = Error::cancelled(CancelReason::TimedOut, "stopped");
    let failed = Error::with_source(ErrorKind::Failed, "no", DeskError::Ours(stopped));
    let error = Error::from_any(DeskError::Ours(failed));
    let why = CancelReason::TimedOut;
    assert_eq!(error.ending(), Ending::Cancelled { why });
    let failed = Error::with_source(ErrorKind::Timeout, "no", Error::invalid("inside"));
    let error = Error::from_any(DeskError::Ours(failed));
    assert_eq!(error.kind(), ErrorKind::Timeout, "else the outermost");
}

#[test]
fn an_error_that_ends_the_run_does_so_under_any_label_and_no_other_takes_one_off() {
    for (label, retryable, closes) in kinds() {
        for (kind, _, ending) in kinds() {
            let ends = |kind| Error::new(kind, "").ends_tree();
            let expected = match ends(kind) && !ends(label) {
                true => (kind, false, ending),
                false => (label, retryable, closes),
            };
            let inner = || Error::new(kind, "inside");
            for error in [
                Error::with_source(label, "asking", inner()),
                Error::with_source(label, "asking", DeskError::Shared(Arc::new(inner()))),
            ] {
                let came_out = (error.kind(), error.is_retryable(), error.ending());
                assert_eq!((came_out, error.message()), (expected, "asking"));
            }
        }
    }
}

/// Asks, and says of whatever comes of it that a service failed.
async fn labels(cx: RunContext, _: ()) -> Result<bool> {
    let asked = cx.ask("sure", "sure?").await;
    asked.map_err(|e| Error::with_source(ErrorKind::Upstream, "asking", e).retryable(true))
}

#[test]
fn a_step_that_fails_with_its_own_error_closes_as_what_is_inside() {
    for (kind, _, ending) in kinds() {
        let inner = move |_: String| async move { Err::<String, _>(Error::new(kind, "inside")) };
        let inner = Arc::new(inner);
        let desk = move |cx: RunContext, text: String| {
            let inner = inner.clone();
            async move { Ok::<_, DeskError>(cx.step("inner", &*inner, text).await?) }
        };
        let (recorder, session) = recorded();
        let error = block_on(session.run(&desk, "go")).unwrap_err();
        assert_eq!((error.kind(), error.ending()), (kind, ending));
        assert_eq!(error.path(), Some("function/inner"));
        let closed: Vec<_> = recorder.spans().iter().map(|it| it.ending).collect();
        assert_eq!(closed, [Some(ending), Some(ending)], "{kind:?}");
    }
}

/// Denies everything called `inner`.
struct Denies;

impl Gate for Denies {
    fn name(&self) -> &str {
        "denies"
    }

    async fn check(&self, _cx: &RunContext, effect: &Effect) -> Verdict {
        match effect.name() == "inner" {
            true => Verdict::deny("never"),
            false => Verdict::Allow,
        }
    }
}

#[test]
fn a_denial_inside_a_step_s_own_error_closes_as_denied_and_is_not_retried() {
    async fn desk(cx: RunContext, text: String) -> Result<String, DeskError> {
        Ok(cx.step("inner", &echo, text).await?)
    }
    let (recorder, session) = recorded_by(Loom::builder().gate(Denies));
    let error = block_on(session.run(&step(desk).retry(3), "go")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run desk ✗ denied",
            "  loom.workflow.step inner ✗ denied"
        ]
    );
}

fn desk() -> (Arc<MemoryJournal>, Session) {
    let journal = Arc::new(MemoryJournal::default());
    let (_, session) = recorded_by(Loom::builder().journal(journal.clone()));
    (journal, session.id("desk"))
}

/// Asks, and hands whatever comes of it on as an error of this type.
async fn asks<E: From<Error>>(cx: RunContext, _: ()) -> Result<bool, E> {
    Ok(cx.ask("sure", "sure?").await?)
}

#[test]
fn a_question_inside_a_step_s_own_error_pauses_the_run() {
    block_on(async {
        let (journal, session) = desk();
        let paused = session.run(&asks::<DeskError>, ()).await.unwrap_err();
        assert_eq!(paused.kind(), ErrorKind::Paused);
        assert_eq!(asked(&paused), ["asks/sure"]);
        let waiting = waiting(&journal, &session.scope().unwrap()).await;
        assert_eq!(waiting[0].questions, paused.questions());
        answer_all(&session, &paused, true).await;
        let run = run_id(&paused);
        let resumed = session.resume::<(), _, _>(&run, &asks::<DeskError>);
        assert!(resumed.await.unwrap().output);
    });
}

/// Asks in a step below.
async fn asks_below(cx: RunContext, _: ()) -> Result<bool, Opaque> {
    Ok(cx.step("ask", &asks::<Opaque>, ()).await?)
}

/// Asks beside another branch.
async fn asks_beside(cx: RunContext, _: ()) -> Result<bool, Opaque> {
    let cx = &cx;
    let branches = [
        Branch::new(cx.step("ask", &asks::<Opaque>, ())),
        Branch::new(cx.step("other", &asks::<Error>, ())),
    ];
    Ok(cx.join(8, branches).await?[0])
}

/// Asks beside a branch that takes its time.
async fn asks_beside_slow(cx: RunContext, _: ()) -> Result<bool, Opaque> {
    let slow = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(true)
    };
    let branches = [
        Branch::new(cx.step("ask", &asks::<Opaque>, ())),
        Branch::new(slow),
    ];
    Ok(cx.join(8, branches).await?[0])
}

/// Asks after it waited, on a task of its own.
async fn asks_afar(cx: RunContext, _: ()) -> Result<bool, Opaque> {
    tokio::task::yield_now().await;
    let afar = async move { cx.step("ask", &asks::<Error>, ()).await };
    Ok(tokio::spawn(afar).await.map_err(|_| Opaque)??)
}

/// Hands on what hides the question as an error of a service, which a retry may help.
async fn relabels(cx: RunContext, _: ()) -> Result<bool> {
    asks::<Opaque>(cx, ()).await.upstream()
}

#[tokio::test(start_paused = true)]
async fn a_question_that_an_error_hides_is_neither_retried_nor_fallen_back_on() {
    async fn spare(_: ()) -> Result<bool> {
        panic!("a question is no failure")
    }
    macro_rules! pauses {
        ($($asks:expr, $paths:expr;)*) => {$(
            let (_, session) = desk();
            let wrapped = step($asks).retry(3).or_else(spare);
            let paused = session.run(&wrapped, ()).await.unwrap_err();
            assert_eq!(paused.kind(), ErrorKind::Paused, "{paused}");
            assert_eq!(asked(&paused), $paths);
        )*};
    }
    pauses! {
        asks::<Opaque>, ["asks/sure"];
        asks_below, ["asks_below/ask/sure"];
        asks_beside, ["asks_beside/ask/sure", "asks_beside/other/sure"];
        asks_beside_slow, ["asks_beside_slow/ask/sure"];
        asks_afar, ["asks_afar/ask/sure"];
        relabels, ["relabels/sure"];
        labels, ["labels/sure"];
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_whole_tree_that_an_error_hides_still_ends_it() {
    async fn desk(cx: RunContext, text: String) -> Result<String, Opaque> {
        Ok(cx.step("inner", &echo, text).await?)
    }
    let (recorder, session) =
        recorded_by(Loom::builder().limits(Limits::default().with_effects_max(1)));
    let wrapped = step(desk).retry(3).or_else(fail);
    let error = session.run(&wrapped, "go").await.unwrap_err();
    assert!(error.is_tree_wide(), "{error:?}");
    assert_eq!(error.path(), Some("desk"));
    assert_eq!(tree(&recorder), ["loom.workflow.run desk ✗ interrupted"]);
}

#[test]
fn what_ends_the_run_is_seen_through_an_error_that_hides_it_and_nothing_else_is() {
    for (kind, _, ending) in kinds() {
        let inner = move |_: String| async move { Err::<String, _>(Error::new(kind, "inside")) };
        let inner = Arc::new(inner);
        let desk = move |cx: RunContext, text: String| {
            let inner = inner.clone();
            async move { Ok::<_, Opaque>(cx.step("inner", &*inner, text).await?) }
        };
        let (_, session) = recorded();
        let error = block_on(session.run(&desk, "go")).unwrap_err();
        let expected = match Error::new(kind, "").ends_tree() {
            true => (kind, ending, "function/inner: it went wrong"),
            false => (ErrorKind::Failed, Ending::Failed, "function: it went wrong"),
        };
        let came_out = (error.kind(), error.ending(), &*error.to_string());
        assert_eq!(came_out, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_a_step_is_no_question_of_its_sibling() {
    async fn fails(_: ()) -> Result<bool, Opaque> {
        Err(Opaque)
    }
    /// Does without the answer.
    async fn handles(cx: &RunContext) {
        let asked = cx.step("ask", &asks::<Error>, ()).await;
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::Paused);
    }
    async fn both(cx: RunContext, _: ()) -> Result<bool, Error> {
        handles(&cx).await;
        cx.step("fail", &fails, ()).await
    }
    async fn body(cx: RunContext, _: ()) -> Result<bool, Opaque> {
        handles(&cx).await;
        tokio::task::yield_now().await;
        Err(Opaque)
    }
    async fn beside(cx: RunContext, _: ()) -> Result<bool> {
        let own = async { fails(()).await.context("saving") };
        let branches = [
            Branch::new(cx.step("ask", &asks::<Error>, ())),
            Branch::new(own),
        ];
        Ok(cx.join(8, branches).await?[0])
    }
    macro_rules! fails {
        ($($failing:expr, $words:literal;)*) => {$(
            let (_, session) = desk();
            let error = session.run(&$failing, ()).await.unwrap_err();
            let came_out = (error.kind(), &*error.to_string());
            assert_eq!(came_out, (ErrorKind::Failed, $words));
        )*};
    }
    fails! {
        both, "both/fail: it went wrong";
        body, "body: it went wrong";
        beside, "beside: saving: it went wrong";
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_hides_nothing_is_retried_as_ever() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let flaky = move |_: ()| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        async move { if call < 2 { Err(Opaque) } else { Ok(call) } }
    };
    let (_, session) = recorded();
    let wrapped = step(flaky).retry(3).timeout(Duration::from_secs(9));
    assert_eq!(session.run(&wrapped, ()).await.unwrap().output, 2);
}
