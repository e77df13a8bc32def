//! A cap that stops a run is told with the node it was reached in, in every shape.

use loom_core::{Error, ErrorKind, Limits, Loom, Result, RunContext, RunErrorKind, Runnable, step};
use loom_workflow::{Dag, Workflow, branch};

use crate::recorded::{recorded, tree};

/// A loop with a cap of its own, as an agent is.
async fn search(cx: RunContext, _: String) -> Result<String> {
    Err(cx.limit_reached("turns_max", 10))
}

async fn length(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn classify(_: String) -> Result<String> {
    Ok("books".to_owned())
}

fn shapes() -> Vec<(Workflow<String, String>, &'static str)> {
    let list = vec![branch(search)];
    let (mut dag, text) = Dag::<String>::new("it");
    let found = dag.node("look", text, search);
    vec![
        (Workflow::chain("it").then(search).build(), "search"),
        (
            Workflow::chain("it")
                .parallel((search, length))
                .map(|(text, _)| text)
                .build(),
            "search",
        ),
        (
            Workflow::chain("it")
                .parallel(list)
                .map(|it| it.concat())
                .build(),
            "search",
        ),
        (
            Workflow::chain("it")
                .map(|text: String| vec![text])
                .each(1, search)
                .map(|it| it.concat())
                .build(),
            "search",
        ),
        (
            Workflow::chain("it").repeat(2, search, |_| true).build(),
            "search",
        ),
        (
            Workflow::route("it", classify)
                .on("books", search)
                .build()
                .unwrap(),
            "route_books",
        ),
        (dag.output(found).unwrap(), "look"),
    ]
}

#[tokio::test]
async fn every_shape_names_the_node_that_was_interrupted() {
    for (workflow, node) in shapes() {
        let (_, session) = recorded();
        let error = session.run(&workflow, "cats").await.unwrap_err();
        assert_eq!(error.kind(), RunErrorKind::Interrupted);
        assert_eq!(error.message(), format!("{node}: turns_max 10 reached"));
    }
}

#[tokio::test]
async fn an_interruption_two_deep_names_each_node_around_it_and_keeps_its_path() {
    let (recorder, session) = recorded();
    let inner = Workflow::chain("inner").then(length).map(|n| n.to_string());
    let inner = inner.then(search).build();
    let middle = Workflow::chain("middle").then(inner).build();
    let outer = Workflow::chain("outer").then(middle).then(length).build();
    let error = session.run(&outer, "cats").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        error.message(),
        "middle: inner: search: turns_max 10 reached"
    );
    assert_eq!(error.path(), Some("outer/middle/middle/inner/inner/search"));
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert!(!error.error().is_retryable());
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run outer ✗ interrupted",
            "  loom.workflow.step middle ✗ interrupted",
            "    loom.workflow.run middle ✗ interrupted",
            "      loom.workflow.step inner ✗ interrupted",
            "        loom.workflow.run inner ✗ interrupted",
            "          loom.workflow.step length",
            "          loom.workflow.step search ✗ interrupted",
        ]
    );
    // The row of the node itself is told by its name already.
    let told: Vec<_> = recorder.spans().into_iter().map(|it| it.error).collect();
    assert_eq!(
        told.into_iter().rev().flatten().collect::<Vec<_>>(),
        [
            "turns_max 10 reached",
            "search: turns_max 10 reached",
            "search: turns_max 10 reached",
            "inner: search: turns_max 10 reached",
            "inner: search: turns_max 10 reached",
            "middle: inner: search: turns_max 10 reached",
        ]
    );
}

#[tokio::test]
async fn the_source_of_an_interruption_is_kept() {
    async fn gives_up(_: String) -> Result<String> {
        let source = std::io::Error::other("the shelf is empty");
        let kind = ErrorKind::LimitReached;
        Err(Error::with_source(kind, "shelves_max 3 reached", source))
    }
    let (_, session) = recorded();
    let workflow = Workflow::chain("outer").then(gives_up).build();
    let error = session.run(&workflow, "cats").await.unwrap_err();
    assert_eq!(error.message(), "gives_up: shelves_max 3 reached");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the shelf is empty");
}

#[tokio::test]
async fn a_limit_of_the_whole_tree_is_no_node_s_own() {
    // The outer run, its step and the inner run.
    let limits = Limits::default().with_effects_max(3);
    let session = Loom::builder().limits(limits).build().session("alice");
    let inner = Workflow::chain("inner").then(length).build();
    let outer = Workflow::chain("outer").then(inner).build();
    let error = session.run(&outer, "cats").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(
        error.to_string(),
        "outer/inner/inner: effects_max 3 reached"
    );
}

#[tokio::test]
async fn other_errors_are_left_as_they_are() {
    struct Fails(ErrorKind);

    impl Runnable<String> for Fails {
        type Out = String;

        async fn run(&self, _cx: &RunContext, _: String) -> Result<String> {
            Err(Error::new(self.0, "it ended"))
        }
    }
    for kind in [
        ErrorKind::Failed,
        ErrorKind::Upstream,
        ErrorKind::Timeout,
        ErrorKind::Invalid,
        ErrorKind::Denied,
        ErrorKind::Panicked,
    ] {
        let (_, session) = recorded();
        let fails = step(Fails(kind)).named("fails");
        let workflow = Workflow::chain("outer").then(fails).build();
        let error = session.run(&workflow, "cats").await.unwrap_err();
        assert_eq!((error.error().kind(), error.message()), (kind, "it ended"));
    }
}
