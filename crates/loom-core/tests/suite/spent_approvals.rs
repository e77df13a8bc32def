//! An approval lets one attempt happen, however that attempt ends but by a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, EffectView, Error, ErrorKind, Gate, Loom, MemoryJournal, Resolution, Result,
    RunContext, RunErrorKind, RunId, Session, Tool, ToolOutput, Verdict, step,
};
use serde_json::json;

use crate::journaled::{Log, answer_all, asked, run_id};
use crate::recorded::{recorded_by, tree};
use crate::steps::give_way;

const ASKED: &str = "function/tool:erase[c1]#ask:permissions";
const UNFINISHED: &str = "function/tool:erase[c1]#unfinished";

/// What a destructive tool does when it is called; it notes that it was.
#[derive(Clone, Copy)]
enum Does {
    Fail,
    Hang,
    TakeTwoPolls,
    Ask,
}

type Erased = BoxFuture<'static, Result<String>>;

fn erase(log: &Log, does: Does) -> Tool {
    let log = log.clone();
    let body = move |cx: RunContext, text: String| {
        log.note("erase");
        async move {
            match does {
                Does::Fail => Err(Error::new(ErrorKind::Failed, "broken")),
                Does::Hang => futures::future::pending().await,
                Does::TakeTwoPolls => {
                    give_way().await;
                    Ok(text)
                }
                Does::Ask => Ok(cx.ask::<bool>("all", "all of it?").await?.to_string()),
            }
        }
    };
    Tool::new("erase", "Erases.", body).destructive()
}

fn erases(log: &Log, does: Does) -> impl Fn(RunContext, ()) -> Erased + Send + Sync + 'static {
    let tool = erase(log, does);
    move |cx, ()| {
        let tool = tool.clone();
        async move {
            let output = tool.call(&cx, "c1", json!({"input": "logs"})).await;
            output.map(ToolOutput::into_text)
        }
        .boxed()
    }
}

fn desk() -> Session {
    let (_, session) = recorded_by(Loom::builder().journal(MemoryJournal::default()));
    session.id("desk")
}

/// The next question of a run that goes on once all it asked is granted.
macro_rules! next {
    ($session:expr, $paused:expr, $step:expr) => {{
        answer_all(&$session, &$paused, true).await;
        let run: RunId = run_id(&$paused);
        $session.resume(&run, $step).await
    }};
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_failed_is_asked_about_anew_before_it_is_tried_again() {
    let (session, log) = (desk(), Log::default());
    let wrapped = step(erases(&log, Does::Fail)).retry(2);
    let first = session.run(&wrapped, ()).await.unwrap_err();
    assert_eq!(asked(&first), [ASKED]);
    assert_eq!(log.take(), Vec::<String>::new());

    let second = next!(session, first, &wrapped).unwrap_err();
    assert_eq!(second.kind(), RunErrorKind::Paused, "{second}");
    assert_eq!(asked(&second), [format!("{ASKED}#round:2")]);
    assert_eq!(log.take(), ["erase"], "once for one approval");

    let third = next!(session, second, &wrapped).unwrap_err();
    assert_eq!(asked(&third), [format!("{ASKED}#round:3")]);
    assert_eq!(log.take(), ["erase"], "once for the other");
    let again = session.answer(&run_id(&third), ASKED, true).await;
    assert_eq!(
        again.unwrap_err().message(),
        format!("the question at {ASKED:?} is answered already")
    );
}

/// Says of an unfinished call that it may be made again.
macro_rules! run_again {
    ($session:expr, $paused:expr, $step:expr) => {{
        assert_eq!(asked(&$paused), [UNFINISHED]);
        let run: RunId = run_id(&$paused);
        let again = $session.answer(&run, UNFINISHED, Resolution::RunAgain);
        again.await.unwrap();
        $session.resume(&run, $step).await
    }};
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_was_given_up_is_asked_about_anew_before_it_is_tried_again() {
    let (session, log) = (desk(), Log::default());
    let wrapped = step(erases(&log, Does::Hang));
    let wrapped = wrapped.timeout(Duration::from_secs(1)).retry(2);
    let first = session.run(&wrapped, ()).await.unwrap_err();
    let second = next!(session, first, &wrapped).unwrap_err();
    assert_eq!(log.take(), ["erase"]);
    let third = run_again!(session, second, &wrapped).unwrap_err();
    assert_eq!(asked(&third), [format!("{ASKED}#round:2")]);
    assert_eq!(log.take(), Vec::<String>::new());
    let fourth = next!(session, third, &wrapped).unwrap_err();
    assert_eq!(asked(&fourth), [format!("{UNFINISHED}#round:2")]);
    assert_eq!(log.take(), ["erase"], "once for one approval");
}

#[tokio::test(start_paused = true)]
async fn f083_a_call_that_was_given_up_is_asked_about_anew_before_it_gets_other_arguments() {
    let (session, log) = (desk(), Log::default());
    let attempts = Arc::new(AtomicUsize::new(0));
    let tool = erase(&log, Does::Hang);
    let body = move |cx: RunContext, ()| {
        let (tool, attempt) = (tool.clone(), attempts.fetch_add(1, Ordering::Relaxed));
        let what = if attempt < 2 { "logs" } else { "all" };
        async move {
            tool.call(&cx, "c1", json!({"input": what}))
                .await
                .map(ToolOutput::into_text)
        }
    };
    let wrapped = step(body).timeout(Duration::from_secs(1)).retry(2);
    let first = session.run(&wrapped, ()).await.unwrap_err();
    let second = next!(session, first, &wrapped).unwrap_err();
    assert_eq!(asked(&second), [UNFINISHED], "{second}");
    assert_eq!(log.take(), ["erase"]);
}

#[test]
fn c03_a_call_whose_resume_was_dropped_twice_happens_once_for_one_approval() {
    block_on(async {
        let (session, log) = (desk(), Log::default());
        let erases = erases(&log, Does::TakeTwoPolls);
        let paused = session.run(&erases, ()).await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let run = run_id(&paused);
        let dropped = session.resume(&run, &erases).now_or_never();
        assert!(dropped.is_none());
        assert_eq!(log.take(), ["erase"]);
        let unfinished = session.resume(&run, &erases).await.unwrap_err();
        assert_eq!(log.take(), Vec::<String>::new(), "nothing happens unasked");
        let asks = run_again!(session, unfinished, &erases).unwrap_err();
        assert_eq!(asked(&asks), [format!("{ASKED}#round:2")]);
        answer_all(&session, &asks, true).await;
        let dropped = session.resume(&run, &erases).now_or_never();
        assert!(dropped.is_none());
        assert_eq!(log.take(), ["erase"], "once for one approval");
        let unfinished = session.resume(&run, &erases).await.unwrap_err();
        assert_eq!(asked(&unfinished), [format!("{UNFINISHED}#round:2")]);
        let ran = Resolution::Ran(json!("logs"));
        let answered = session.answer(&run, &unfinished.questions()[0].path, ran);
        answered.await.unwrap();
        let outcome = session.resume(&run, &erases).await.unwrap();
        assert_eq!(outcome.output, "logs");
        assert_eq!(log.take(), Vec::<String>::new());
    });
}

#[test]
fn a_call_that_waits_for_an_answer_goes_on_under_its_approval() {
    block_on(async {
        let (session, log) = (desk(), Log::default());
        let erases = erases(&log, Does::Ask);
        let first = session.run(&erases, ()).await.unwrap_err();
        let second = next!(session, first, &erases).unwrap_err();
        assert_eq!(asked(&second), ["function/tool:erase[c1]/all"]);
        let done = next!(session, second, &erases);
        assert_eq!(done.unwrap().output, "true");
    });
}

/// Wants somebody asked about the step `pay`.
struct Desk;

impl Gate for Desk {
    fn name(&self) -> &str {
        "desk"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.name() == "pay"
    }

    async fn check(&self, _cx: &EffectView, _effect: &Effect) -> Verdict {
        Verdict::Ask("may it?".into())
    }
}

#[tokio::test(start_paused = true)]
async fn f083_a_second_approval_lets_what_failed_happen_once_more() {
    let log = Log::default();
    let noted = log.clone();
    let pay = Arc::new(move |text: String| {
        noted.note("pay");
        let is_first = noted.len() == 1;
        async move {
            match is_first {
                true => Err(Error::new(ErrorKind::Failed, "busy")),
                false => Ok(text),
            }
        }
    });
    let pays = move |cx: RunContext, text: String| {
        let pay = pay.clone();
        async move { cx.step("pay", &*pay, text).await }
    };
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = recorded_by(Loom::builder().gate(Desk).journal(journal));
    let session = session.id("desk");
    let wrapped = step(pays).retry(3);
    let first = session.run(&wrapped, "go").await.unwrap_err();
    answer_all(&session, &first, true).await;
    let run = run_id(&first);
    let second = session.resume(&run, &wrapped).await;
    let second = second.unwrap_err();
    assert_eq!(asked(&second), ["function/pay#ask:desk#round:2"]);
    answer_all(&session, &second, true).await;
    recorder.clear();
    let done = session.resume(&run, &wrapped).await;
    assert_eq!(done.unwrap().output, "go");
    assert_eq!(log.take(), ["pay", "pay"]);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run function", "  loom.workflow.step pay"]
    );
}
