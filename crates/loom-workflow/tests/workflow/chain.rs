//! A chain: one step after another, each output the next one's input.

use loom_core::{Error, Info, Kind, Link, Result, RunContext, Runnable};
use loom_workflow::Workflow;
use serde_json::json;

use crate::look_alike::LookAlike;
use crate::recorded::{recorded, tree};

async fn load(id: u64) -> Result<String> {
    Ok(format!("ticket {id}"))
}

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

async fn length(text: String) -> Result<usize> {
    Ok(text.len())
}

#[tokio::test]
async fn outputs_feed_inputs_and_every_step_is_a_span() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("ticket")
        .then(load)
        .then(shout)
        .then(length)
        .build();
    let outcome = session.run(&workflow, 7u64).await.unwrap();
    assert_eq!(outcome.output, 8);
    assert_eq!(outcome.visited, ["load", "shout", "length"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run ticket",
            "  loom.workflow.step load",
            "  loom.workflow.step shout",
            "  loom.workflow.step length",
        ]
    );
}

#[tokio::test]
async fn every_span_can_be_looked_at_with_its_path_input_and_output() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("ticket").then(load).then(shout).build();
    session.run(&workflow, 7u64).await.unwrap();
    let seen: Vec<_> = recorder
        .spans()
        .into_iter()
        .map(|it| (it.path, it.input.unwrap(), it.output.unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("ticket".to_owned(), json!(7), json!("TICKET 7")),
            ("ticket/load".to_owned(), json!(7), json!("ticket 7")),
            (
                "ticket/shout".to_owned(),
                json!("ticket 7"),
                json!("TICKET 7")
            ),
        ]
    );
}

#[tokio::test]
async fn a_chain_without_steps_gives_its_input_back() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain::<String>("nothing").build();
    let outcome = session.run(&workflow, "as it is").await.unwrap();
    assert_eq!(outcome.output, "as it is");
    assert_eq!(tree(&recorder), ["loom.workflow.run nothing"]);
}

#[tokio::test]
async fn a_named_closure_is_a_step_with_a_context() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("ticket")
        .then(load)
        .then_fn("tag", |cx: RunContext, text: String| async move {
            let loud: String = cx.step("shout", &shout, text).await?;
            Ok::<_, Error>(format!("[{loud}]"))
        })
        .build();
    let outcome = session.run(&workflow, 7u64).await.unwrap();
    assert_eq!(outcome.output, "[TICKET 7]");
    assert_eq!(outcome.visited, ["load", "tag"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run ticket",
            "  loom.workflow.step load",
            "  loom.workflow.step tag",
            "    loom.workflow.step shout",
        ]
    );
}

#[tokio::test]
async fn whatever_implements_runnable_is_a_step() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain::<String>("ask")
        .then(LookAlike::unnamed())
        .then(length)
        .build();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(outcome.output, 2);
    assert_eq!(outcome.visited, ["agent_node", "length"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run ask",
            "  loom.workflow.step agent_node",
            "    loom.run agent",
            "  loom.workflow.step length",
        ]
    );
}

#[tokio::test]
async fn one_workflow_runs_many_times_at_once_and_keeps_the_runs_apart() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("ticket")
        .then(load)
        .then_fn("wait", |_cx, text: String| async move {
            tokio::task::yield_now().await;
            Ok::<_, Error>(text)
        })
        .then(shout)
        .build();
    let runs = (0..100u64).map(|id| {
        let (session, workflow) = (session.clone(), workflow.clone());
        tokio::spawn(async move { session.run(&workflow, id).await })
    });
    for (id, run) in runs.collect::<Vec<_>>().into_iter().enumerate() {
        let outcome = run.await.unwrap().unwrap();
        assert_eq!(outcome.output, format!("TICKET {id}"));
        assert_eq!(outcome.visited, ["load", "wait", "shout"]);
    }
    assert_eq!(tree(&recorder).len(), 400);
}

#[test]
fn a_chain_says_what_it_is_made_of() {
    let inner = Workflow::chain("inner").then(shout).build();
    let workflow = Workflow::chain("outer")
        .then(load)
        .map(|it| it)
        .then(inner)
        .then(LookAlike::unnamed())
        .build();
    let function = |name: &'static str| Info::new(name, Kind::Function);
    let inner = Info::new("inner", Kind::Workflow)
        .with_parts([function("shout").with_parts([function("shout")])])
        .with_links([Link::entry(0), Link::exit(0)]);
    assert_eq!(
        workflow.info(),
        Info::new("outer", Kind::Workflow)
            .with_parts([
                function("load").with_parts([function("load")]),
                function("inner").with_parts([inner]),
                function("agent_node").with_parts([Info::new("", Kind::Agent)]),
            ])
            .with_links([
                Link::entry(0),
                Link::new(0, 1),
                Link::new(1, 2),
                Link::exit(2)
            ])
    );
    assert_eq!(format!("{workflow:?}"), "Workflow(outer)");
}
