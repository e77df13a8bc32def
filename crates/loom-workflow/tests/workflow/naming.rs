//! What the steps of a workflow are called.

use std::time::Duration;

use loom_core::{Error, Result, RunContext, Runnable, Step, step};
use loom_workflow::Workflow;

use crate::look_alike::LookAlike;
use crate::recorded::recorded;

async fn say(text: String) -> Result<String> {
    Ok(text)
}

async fn generic<T: Send>(it: T) -> Result<T> {
    Ok(it)
}

/// A runnable that says nothing of itself.
struct Shy;

impl Runnable<String> for Shy {
    type Out = String;

    async fn run(&self, _cx: &RunContext, input: String) -> Result<String> {
        Ok(input)
    }
}

/// The names of the steps that this workflow visits.
async fn visited(workflow: Workflow<String, String>) -> Vec<String> {
    let (recorder, session) = recorded();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    let spans = recorder.spans().into_iter();
    let steps: Vec<String> = spans
        .filter(|it| it.parent_span.is_some() && it.effect == loom_core::EffectKind::Step)
        .map(|it| it.name.to_string())
        .collect();
    assert_eq!(outcome.visited, steps);
    steps
}

#[tokio::test]
async fn a_step_is_called_by_its_own_name() {
    let workflow = Workflow::chain("names")
        .then(say)
        .then(generic::<String>)
        .then(LookAlike::named("helper"))
        .then(Workflow::chain("inner").then(say).build())
        .then(step(generic::<String>).timeout(Duration::from_secs(1)))
        .then(Step::<String, String>::new(say))
        .then_fn(
            "tag",
            |_cx, text: String| async move { Ok::<_, Error>(text) },
        )
        .build();
    let (_, session) = recorded();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(
        outcome.visited,
        [
            "say",
            "generic",
            "helper",
            "inner",
            "generic_2",
            "say_2",
            "tag"
        ]
    );
}

#[tokio::test]
async fn an_unnamed_agent_is_agent_node() {
    let workflow = Workflow::chain::<String>("names")
        .then(LookAlike::unnamed())
        .then(LookAlike::unnamed())
        .then(step(LookAlike::unnamed()).timeout(Duration::from_secs(1)))
        .build();
    assert_eq!(
        visited(workflow).await,
        ["agent_node", "agent_node_2", "agent_node_3"]
    );
}

#[tokio::test]
async fn a_step_without_a_name_is_called_by_its_place() {
    let workflow = Workflow::chain("names")
        .then(say)
        .then(|text: String| async move { Ok::<_, Error>(text) })
        .map(|text| text)
        .then(Shy)
        .then(step(|text: String| async move { Ok::<_, Error>(text) }).timeout(Duration::MAX))
        .build();
    assert_eq!(
        visited(workflow).await,
        ["say", "step_2", "step_3", "step_4"]
    );
}

#[tokio::test]
async fn a_name_that_is_taken_gets_the_next_free_number() {
    let tag = |_cx: RunContext, text: String| async move { Ok::<_, Error>(text) };
    let workflow = Workflow::chain("names")
        .then_fn("say_2", tag)
        .then(say)
        .then(say)
        .then_fn("say", tag)
        .then_fn("say_2", tag)
        .then_fn("step_7", tag)
        .then(|text: String| async move { Ok::<_, Error>(text) })
        .build();
    assert_eq!(
        visited(workflow).await,
        [
            "say_2", "say", "say_3", "say_4", "say_2_2", "step_7", "step_7_2"
        ]
    );
}

#[tokio::test]
async fn a_name_may_be_like_the_workflow_s_and_is_escaped_in_paths_only() {
    let tag = |_cx: RunContext, text: String| async move { Ok::<_, Error>(text) };
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("a/b").then_fn("a/b", tag);
    let workflow = workflow.then_fn("[1]#2 %", tag).build();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(outcome.visited, ["a/b", "[1]#2 %"]);
    let paths: Vec<String> = recorder.spans().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["a%2Fb", "a%2Fb/a%2Fb", "a%2Fb/%5B1%5D%232 %25"]);
}
