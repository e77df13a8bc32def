//! Graphs that pause and are resumed by another process: in cycles, joins and branches.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use loom_core::{
    Error, ErrorKind, Loom, MemoryJournal, Result, RunContext, RunError, RunErrorKind, RunId,
    Session, Step,
};
use loom_workflow::{END, Workflow};

use crate::graph_steps::{count, list};

/// Which bodies ran.
type Log = Arc<Mutex<Vec<String>>>;

/// Adds its name to the text, and notes that it ran.
fn noted(log: &Log, name: &'static str) -> Step<String, String> {
    let log = log.clone();
    Step::new(move |text: String| {
        log.lock().unwrap().push(name.to_owned());
        async move { Ok::<_, Error>(format!("{text} {name}")) }
    })
}

/// Asks a person, and adds the answer.
fn asks(log: &Log, name: &'static str) -> Step<String, String> {
    let log = log.clone();
    Step::new(move |cx: RunContext, text: String| {
        log.lock().unwrap().push(name.to_owned());
        async move {
            let answer: String = cx.ask(name, format!("{name} after {text:?}?")).await?;
            Ok::<_, Error>(format!("{text} {answer}"))
        }
    })
}

/// An approval loop beside another branch: `draft` until a person says `yes`, then both joined.
fn approval(log: &Log) -> Workflow<String, String> {
    Workflow::graph("approval")
        .node("draft", noted(log, "draft"))
        .node("review", asks(log, "review"))
        .node("second", asks(log, "second"))
        .node("beside", noted(log, "beside"))
        .node("join", list)
        .start("draft")
        .start("beside")
        .edge("draft", "review")
        .edge("draft", "second")
        .edge("beside", "join")
        .node("both", list)
        .edge("review", "both")
        .edge("second", "both")
        .router_of(
            "both",
            |text: &String| {
                if count(text, "yes") < 2 {
                    "again"
                } else {
                    "done"
                }
            },
            [("again", "draft"), ("done", "join")],
        )
        .edge("join", END)
        .build_as::<String, String>()
        .unwrap()
}

fn session(journal: &Arc<MemoryJournal>) -> Session {
    let loom = Loom::builder().journal(journal.clone()).build();
    loom.session("alice").id("desk")
}

/// Answers all questions alike.
async fn answer(session: &Session, run: &RunId, paused: &RunError, answer: &str) -> Vec<String> {
    let mut asked = Vec::new();
    for question in paused.questions() {
        let answered = session.answer(run, &question.path, answer.to_owned()).await;
        answered.unwrap();
        asked.push(question.path.clone());
    }
    asked
}

#[tokio::test]
async fn a_loop_that_asks_in_two_branches_goes_on_elsewhere_without_repeating_what_is_recorded() {
    let (journal, log) = (Arc::new(MemoryJournal::default()), Log::default());
    let ran = || std::mem::take(&mut *log.lock().unwrap());
    let paused = session(&journal)
        .run(&approval(&log), "go")
        .await
        .unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    let run = paused.report().unwrap().run_id.clone();
    assert_eq!(ran(), ["draft", "beside", "review", "second"]);

    let asked = answer(&session(&journal), &run, &paused, "no").await;
    assert_eq!(asked, ["approval/review/review", "approval/second/second"]);
    let again = session(&journal)
        .resume(&run, &approval(&log))
        .await
        .unwrap_err();
    assert_eq!(again.kind(), RunErrorKind::Paused);
    // The second pass; only what asked before ran again, to be given its answer.
    assert_eq!(ran(), ["review", "second", "draft", "review", "second"]);

    let asked = answer(&session(&journal), &run, &again, "yes").await;
    assert_eq!(
        asked,
        ["approval/review#2/review", "approval/second#2/second"]
    );
    let outcome = session(&journal)
        .resume(&run, &approval(&log))
        .await
        .unwrap();
    assert_eq!(ran(), ["review", "second"]);
    let first = "[review: go draft no, second: go draft no]";
    assert_eq!(
        outcome.output,
        format!(
            "[beside: go beside, both: [review: {first} draft yes, second: {first} draft yes]]"
        )
    );
}

#[tokio::test]
async fn f050_a_graph_that_changed_is_not_resumed_and_the_difference_is_named() {
    let (journal, log) = (Arc::new(MemoryJournal::default()), Log::default());
    let graph = |target: &'static str| {
        Workflow::graph("changing")
            .node("ask", asks(&log, "ask"))
            .node("a", noted(&log, "a"))
            .node("b", noted(&log, "b"))
            .start("ask")
            .router(
                "ask",
                |_: &str| "on",
                [("on", target), ("a", "a"), ("b", "b")],
            )
            .edge("a", END)
            .edge("b", END)
            .build_as::<String, String>()
            .unwrap()
    };
    let paused = session(&journal).run(&graph("a"), "go").await.unwrap_err();
    let run = paused.report().unwrap().run_id.clone();
    answer(&session(&journal), &run, &paused, "yes").await;

    let error = session(&journal)
        .resume(&run, &graph("b"))
        .await
        .unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.message(),
        format!(
            r#"the definition of "changing" changed since the run {run} began: the link "ask" -> "a" by "on" is gone; the link "ask" -> "b" by "on" is new; if what is recorded still fits, resume it in a session that is `.accepting_changes()`"#
        )
    );
    let accepting = session(&journal).accepting_changes();
    let outcome = accepting.resume(&run, &graph("b")).await.unwrap();
    assert_eq!(outcome.output, "go yes b");
}

async fn give_way(text: String) -> Result<String> {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    Ok(text)
}

/// A loop of three passes with two arms that wait a while; counts the bodies of one node.
fn three_passes(ran: &Arc<AtomicUsize>) -> Workflow<String, String> {
    let ran = ran.clone();
    let counted = move |text: String| {
        ran.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, Error>(format!("{text} x")) }
    };
    Workflow::graph("drops")
        .node("wait", give_way)
        .node("work", counted)
        .node("beside", give_way)
        .node("join", list)
        .start("wait")
        .edge("wait", "work")
        .edge("wait", "beside")
        .edge("work", "join")
        .edge("beside", "join")
        .router_of(
            "join",
            |text: &String| {
                if count(text, "x") < 3 {
                    "again"
                } else {
                    "done"
                }
            },
            [("again", "wait"), ("done", END)],
        )
        .build_as::<String, String>()
        .unwrap()
}

#[tokio::test]
async fn f047_a_graph_dropped_at_every_await_and_resumed_ends_the_same_and_repeats_nothing_recorded()
 {
    let ran = Arc::new(AtomicUsize::new(0));
    let journal = Arc::new(MemoryJournal::default());
    let whole = session(&journal)
        .run(&three_passes(&ran), "go")
        .await
        .unwrap()
        .output
        .clone();
    let bodies = ran.swap(0, Ordering::Relaxed);
    let workflow = three_passes(&ran);
    for polls in 1..40 {
        let journal = Arc::new(MemoryJournal::default());
        let session = session(&journal);
        let run = session.run(&workflow, "go");
        let id = run.handle().run_id().clone();
        let mut run = Box::pin(run);
        for _ in 0..polls {
            let poll = futures::poll!(run.as_mut());
            if poll.is_ready() {
                return assert!(
                    polls > 5,
                    "it was dropped in the middle at least five times"
                );
            }
            tokio::task::yield_now().await;
        }
        drop(run);
        let resumed = session.resume(&id, &workflow).await.unwrap();
        assert_eq!(resumed.output, whole);
        assert_eq!(
            ran.swap(0, Ordering::Relaxed),
            bodies,
            "after {polls} polls"
        );
    }
    panic!("the run never ended by itself");
}
