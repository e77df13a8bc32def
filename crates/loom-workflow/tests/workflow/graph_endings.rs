//! How graphs end: caps, failures, interruptions, settled nodes, cancellation, routers that err.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use loom_core::{
    CancelReason, Error, ErrorKind, Happened, Result, RunContext, RunError, RunErrorKind, Step,
};
use loom_testing::Recorder;
use loom_workflow::{END, Graph, Joined, Settled, Workflow};
use serde_json::json;
use tokio::time::sleep;

use crate::graph_steps::{list, say, slow};
use crate::recorded::{recorded, tree};

/// Runs a graph on `go` until it fails.
async fn failed(graph: Graph) -> (RunError, Recorder) {
    let (recorder, session) = recorded();
    let workflow = graph.build_as::<String, String>().unwrap();
    let error = session.run(&workflow, "go").await.unwrap_err();
    (error, recorder)
}

/// The limits that were recorded as reached.
fn limits(recorder: &Recorder) -> Vec<serde_json::Value> {
    let events = recorder.events().into_iter();
    let reached = events.filter_map(|event| match event.what {
        Happened::Noted {
            note: "limit_reached",
            attributes,
        } => Some(json!(attributes)),
        _ => None,
    });
    reached.collect()
}

/// Two nodes that hand to each other for ever.
fn endless() -> Graph {
    Workflow::graph("endless")
        .node("a", say("a"))
        .node("b", say("b"))
        .start("a")
        .edge("a", "b")
        .router("b", |_: &str| "again", [("again", "a"), ("done", END)])
}

#[tokio::test]
async fn a_cap_of_a_graph_with_a_cycle_interrupts_it_and_names_cap_and_node() {
    let (error, recorder) = failed(endless().steps_max(5)).await;
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert_eq!(error.message(), "b: steps_max 5 reached");
    assert_eq!(error.report().unwrap().visited, ["a", "b", "a", "b", "a"]);
    assert_eq!(
        limits(&recorder),
        [json!({"limit": "steps_max", "value": 5})]
    );
    assert_eq!(
        tree(&recorder)[0],
        "loom.workflow.run endless ✗ interrupted"
    );

    let (error, recorder) = failed(endless().visits_max(2)).await;
    assert_eq!(error.message(), "a: visits_max 2 reached");
    assert_eq!(error.report().unwrap().visited, ["a", "b", "a", "b"]);
    assert_eq!(
        limits(&recorder),
        [json!({"limit": "visits_max", "value": 2})]
    );

    let (error, _) = failed(endless()).await;
    assert_eq!(error.message(), "a: visits_max 25 reached");
    let (error, _) = failed(endless().visits_max(1_000)).await;
    assert_eq!(error.message(), "a: steps_max 100 reached");
}

#[tokio::test]
async fn a_graph_without_a_cycle_is_bounded_by_itself() {
    let mut graph = Workflow::graph("long")
        .start("0")
        .steps_max(1)
        .visits_max(1);
    for i in 0..300 {
        graph = graph.node(i.to_string(), |n: u64| async move { Ok::<_, Error>(n + 1) });
        graph = match i {
            299 => graph.edge("299", END),
            _ => graph.edge(i.to_string(), (i + 1).to_string()),
        };
    }
    let (_, session) = recorded();
    let workflow = graph.build_as::<u64, u64>().unwrap();
    assert_eq!(session.run(&workflow, 0u64).await.unwrap().output, 300);
}

/// Fails after a while.
fn broken(ms: u64) -> Step<String, String> {
    Step::new(move |_: String| async move {
        sleep(Duration::from_millis(ms)).await;
        Err::<String, _>(Error::new(ErrorKind::Failed, "broken"))
    })
}

/// A quick branch, one that breaks in the middle, one that takes long, and their join.
fn three(breaks: Step<String, String>) -> Graph {
    Workflow::graph("three")
        .node("quick", slow("quick", 1))
        .node("breaks", breaks)
        .node("long", slow("long", 100))
        .node("join", list)
        .start("quick")
        .start("breaks")
        .start("long")
        .edge("quick", "join")
        .edge("breaks", "join")
        .edge("long", "join")
        .edge("join", END)
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_cancels_what_runs_beside_it() {
    let (error, recorder) = failed(three(broken(10))).await;
    assert_eq!(error.to_string(), "three/breaks: broken");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run three ✗ failed",
            "  loom.workflow.step quick",
            "  loom.workflow.step breaks ✗ failed",
            "  loom.workflow.step long ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_settled_node_fails_by_itself_and_what_follows_is_told() {
    async fn outcomes(all: Joined<serde_json::Value>) -> Result<String> {
        let shown = all.iter().map(|it| format!("{}={}", it.source, it.value));
        Ok(shown.collect::<Vec<_>>().join(" "))
    }
    let graph = Workflow::graph("settled")
        .node("works", slow("works", 20))
        .node("breaks", broken(10))
        .settle("works")
        .settle("breaks")
        .node("report", outcomes)
        .start("works")
        .start("breaks")
        .edge("works", "report")
        .edge("breaks", "report")
        .edge("report", END);
    let (recorder, session) = recorded();
    let workflow = graph.build_as::<String, String>().unwrap();
    let outcome = session.run(&workflow, "go").await.unwrap();
    assert_eq!(
        outcome.output,
        r#"works={"done":"go works"} breaks={"failed":{"kind":"failed","message":"settled/breaks: broken"}}"#
    );
    assert_eq!(tree(&recorder)[2], "  loom.workflow.step breaks ✗ failed");
    let read: Settled<String> = serde_json::from_value(json!({"done": "x"})).unwrap();
    assert_eq!(read.done().as_deref(), Some("x"));
}

#[tokio::test]
async fn an_interrupted_node_stops_the_run_with_node_and_reason() {
    let inner = endless()
        .visits_max(1)
        .build_as::<String, String>()
        .unwrap();
    let graph = Workflow::graph("outer")
        .node("first", say("first"))
        .node("inner", inner)
        .node("never", say("never"))
        .start("first")
        .edge("first", "inner")
        .edge("inner", "never")
        .edge("never", END);
    let (error, recorder) = failed(graph).await;
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.message(), "inner: a: visits_max 1 reached");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run outer ✗ interrupted",
            "  loom.workflow.step first",
            "  loom.workflow.step inner ✗ interrupted",
            "    loom.workflow.run endless ✗ interrupted",
            "      loom.workflow.step a",
            "      loom.workflow.step b",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_handle_and_a_drop_close_all_that_is_open() {
    let workflow = three(slow("other", 50))
        .build_as::<String, String>()
        .unwrap();
    let stopped = |why: &str| {
        ["quick", "breaks", "long"]
            .map(|name| format!("  loom.workflow.step {name} ✗ cancelled ({why})"))
    };
    let (recorder, session) = recorded();
    let run = session.run(&workflow, "go");
    let handle = run.handle();
    let (outcome, ()) = tokio::join!(run, async { handle.cancel() });
    assert_eq!(
        outcome.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(tree(&recorder)[1..], stopped("requested"));

    let (recorder, session) = recorded();
    assert!(session.run(&workflow, "go").now_or_never().is_none());
    assert_eq!(tree(&recorder)[1..], stopped("dropped"));
}

#[tokio::test]
async fn a_label_that_no_edge_has_is_an_error_that_names_the_choices() {
    let graph = |label: &'static str| {
        Workflow::graph("route")
            .node("pick", say("pick"))
            .node("a", say("a"))
            .node("b", say("b"))
            .start("pick")
            .router("pick", move |_: &str| label, [("a", "a"), ("b", "b")])
            .edge("a", END)
            .edge("b", END)
    };
    let (error, _) = failed(graph("c")).await;
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.message(),
        r#"pick: no edge for the label "c"; there are ["a", "b"]"#
    );
    let (_, session) = recorded();
    let others = graph("c").otherwise("pick", "b");
    let workflow = others.build_as::<String, String>().unwrap();
    assert_eq!(
        session.run(&workflow, "go").await.unwrap().output,
        "go pick b"
    );
}

#[tokio::test(start_paused = true)]
async fn a_router_that_panics_fails_the_run_and_cancels_what_runs_beside_it() {
    let graph = Workflow::graph("panics")
        .node("pick", slow("pick", 10))
        .node("long", slow("long", 100))
        .start("pick")
        .start("long")
        .router(
            "pick",
            |_: &str| -> String { panic!("no idea") },
            [("a", END)],
        )
        .edge("long", END);
    let (error, recorder) = failed(graph).await;
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(error.message(), "pick: the router panicked: no idea");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run panics ✗ failed",
            "  loom.workflow.step pick",
            "  loom.workflow.step long ✗ cancelled (sibling_failed)",
        ]
    );
}

#[tokio::test]
async fn a_run_that_nothing_leads_to_the_end_fails_and_says_so() {
    let graph = Workflow::graph("dead end")
        .node("pick", say("pick"))
        .node("drop", say("drop"))
        .sink("drop")
        .start("pick")
        .router("pick", |_: &str| "drop", [("drop", "drop"), ("on", END)]);
    let (error, _) = failed(graph).await;
    assert_eq!(
        error.message(),
        "the graph ran to its end without anything reaching END"
    );
}

#[tokio::test(start_paused = true)]
async fn at_most_concurrency_max_bodies_run_at_a_time_begun_as_they_are_declared() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut graph = Workflow::graph("wide")
        .concurrency_max(3)
        .node("join", list)
        .edge("join", END);
    for i in 0..12 {
        let (running, most) = (running.clone(), most.clone());
        let body = move |_cx: RunContext, text: String| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                most.fetch_max(
                    running.fetch_add(1, Ordering::Relaxed) + 1,
                    Ordering::Relaxed,
                );
                sleep(Duration::from_millis(10)).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, Error>(text)
            }
        };
        let name = format!("n{i:02}");
        graph = graph
            .node(name.clone(), body)
            .start(name.clone())
            .edge(name, "join");
    }
    let (_, session) = recorded();
    let outcome = session
        .run(&graph.build_as::<String, String>().unwrap(), "go")
        .await
        .unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 3);
    let mut names: Vec<String> = (0..12).map(|i| format!("n{i:02}")).collect();
    names.push("join".to_owned());
    assert_eq!(outcome.visited, names);
}
