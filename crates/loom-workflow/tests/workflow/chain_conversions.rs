//! What flows between the steps of a chain: values as they are, converted where an input accepts
//! them, changed by pure functions.

use loom_core::{Accepts, ErrorKind, Result};
use loom_workflow::Workflow;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::recorded::{recorded, tree};

#[derive(Serialize, Deserialize)]
struct Celsius(f64);

impl Accepts<f64> for Celsius {
    fn accept(degrees: f64) -> Self {
        Self(degrees)
    }
}

impl Accepts<String> for Celsius {
    fn accept(text: String) -> Self {
        Self(text.parse().unwrap_or(f64::NAN))
    }
}

async fn measure(at: String) -> Result<f64> {
    Ok(at.len() as f64 + 0.5)
}

async fn advise(it: Celsius) -> Result<String> {
    Ok(format!("{:.1} °C", it.0))
}

async fn double(n: u64) -> Result<u64> {
    Ok(2 * n)
}

#[tokio::test]
async fn an_output_becomes_what_the_next_step_accepts() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("weather")
        .then(measure)
        .then(advise)
        .build();
    let outcome = session.run(&workflow, "roof").await.unwrap();
    assert_eq!(outcome.output, "4.5 °C");
    assert_eq!(recorder.spans()[2].input, Some(json!(4.5)));
}

#[tokio::test]
async fn a_chain_whose_first_step_accepts_its_input_says_which_input() {
    let (_, session) = recorded();
    let workflow = Workflow::chain::<String>("advice").then(advise).build();
    let outcome = session.run(&workflow, "21.5").await.unwrap();
    assert_eq!(outcome.output, "21.5 °C");
}

#[tokio::test]
async fn a_map_is_no_step_and_may_stand_anywhere() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("count")
        .map(|text: String| text.len() as u64)
        .then(double)
        .map(|n| n + 1)
        .map(|n| format!("{n} letters"))
        .build();
    let outcome = session.run(&workflow, "abc").await.unwrap();
    assert_eq!(outcome.output, "7 letters");
    assert_eq!(outcome.visited, ["double"]);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run count", "  loom.workflow.step double"]
    );
}

#[tokio::test]
async fn what_a_map_gives_need_not_be_recordable() {
    struct OnlyHere(std::sync::Arc<std::sync::Mutex<u64>>);
    let (_, session) = recorded();
    let workflow = Workflow::chain("count")
        .then(double)
        .map(|n| OnlyHere(std::sync::Arc::new(n.into())))
        .map(|it| *it.0.lock().unwrap())
        .then(double)
        .build();
    let outcome = session.run(&workflow, 3u64).await.unwrap();
    assert_eq!(outcome.output, 12);
    assert_eq!(outcome.visited, ["double", "double_2"]);
}

#[tokio::test]
async fn a_map_that_panics_fails_the_run_and_no_step() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("share")
        .then(double)
        .map(|n: u64| 100 / (n - 4))
        .then(double)
        .build();
    let error = session.run(&workflow, 2u64).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(error.to_string(), "share: attempt to divide by zero");
    assert_eq!(error.report().unwrap().visited, ["double"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run share ✗ failed",
            "  loom.workflow.step double",
        ]
    );

    recorder.clear();
    assert_eq!(session.run(&workflow, 3u64).await.unwrap().output, 100);
    assert_eq!(tree(&recorder).len(), 3);
}
