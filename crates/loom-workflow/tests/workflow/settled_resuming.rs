//! A failure that was taken as a value is recorded like an output: a resumed run gets the same one,
//! and the body that failed doesn't run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom_core::{Error, ErrorKind, Loom, MemoryJournal, Result, RunContext, RunErrorKind, Step};
use loom_testing::Recorder;
use loom_workflow::{Dag, END, Joined, Settled, Settling, Workflow};

use crate::recorded::tree;

/// Fails the first time it is called, and says how often it was; a second call would work.
fn flaky(calls: &Arc<AtomicUsize>) -> Step<String, String> {
    let calls = calls.clone();
    Step::new(move |text: String| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            match call {
                0 => Err(Error::new(ErrorKind::Upstream, "the line is busy")),
                _ => Ok(text),
            }
        }
    })
}

async fn asks(cx: RunContext, text: String) -> Result<String> {
    let answer: String = cx.ask("sure", "sure?").await?;
    Ok(format!("{text} {answer}"))
}

async fn told(both: Vec<Settled<String>>) -> Result<String> {
    Ok(serde_json::to_string(&both).unwrap_or_default())
}

/// Runs it until it asks, answers, and resumes it: its output, and how often the flaky step ran.
async fn resumed(workflow: impl Fn(&Arc<AtomicUsize>) -> Workflow<String, String>) -> String {
    let (journal, calls) = (Arc::new(MemoryJournal::default()), Arc::default());
    let recorder = Recorder::default();
    let session = || {
        let loom = Loom::builder()
            .journal(journal.clone())
            .observe(recorder.clone());
        loom.build().session("alice").id("desk")
    };
    let paused = session().run(&workflow(&calls), "go").await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    let run = paused.report().unwrap().run_id.clone();
    for question in paused.questions() {
        session()
            .answer(&run, &question.path, "yes".to_owned())
            .await
            .unwrap();
    }
    let outcome = session().resume(&run, &workflow(&calls)).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1, "the failure was recorded");
    let failed = tree(&recorder).into_iter();
    let failed = failed.filter(|line| line.contains(" flaky") && line.contains('✗'));
    assert_eq!(
        failed
            .map(|line| line.trim_start().to_owned())
            .collect::<Vec<_>>(),
        [
            "loom.workflow.step flaky ✗ failed",
            "loom.workflow.step flaky ↻ ✗ failed"
        ]
    );
    outcome.output.clone()
}

/// What all of them give, of a run by this name.
fn expected(name: &str) -> String {
    format!(
        r#"[{{"failed":{{"kind":"upstream","message":"{name}/flaky: the line is busy"}}}},{{"done":"go yes"}}]"#
    )
}

#[tokio::test]
async fn of_a_tuple_and_of_a_list() {
    let tuple = |calls: &Arc<AtomicUsize>| {
        let flaky = loom_core::step(flaky(calls)).named("flaky");
        Workflow::chain("tuple")
            .parallel((flaky, asks).settle())
            .map(|(one, other)| vec![one, other])
            .then(told)
            .build()
    };
    assert_eq!(resumed(tuple).await, expected("tuple"));
    let list = |calls: &Arc<AtomicUsize>| {
        let flaky = Step::new(loom_core::step(flaky(calls)).named("flaky"));
        let both = vec![flaky, Step::new(asks)];
        Workflow::chain("list")
            .parallel(both.settle())
            .then(told)
            .build()
    };
    let output = resumed(list).await;
    // An item of a list is told apart by its index.
    assert_eq!(output, expected("list").replace("flaky:", "flaky[0]:"));
}

#[tokio::test]
async fn of_a_dag_and_of_a_graph() {
    let dag = |calls: &Arc<AtomicUsize>| {
        let (mut dag, input) = Dag::<String>::new("dag");
        let one = dag.settled("flaky", input, flaky(calls));
        let other = dag.settled("asks", input, asks);
        let told = dag.node("told", vec![one, other], told);
        dag.output(told).unwrap()
    };
    assert_eq!(resumed(dag).await, expected("dag"));
    let graph = |calls: &Arc<AtomicUsize>| {
        let join = |both: Joined<Settled<String>>| told(both.into_values());
        Workflow::graph("graph")
            .node("flaky", flaky(calls))
            .node("asks", asks)
            .node("told", join)
            .settle("flaky")
            .settle("asks")
            .start("flaky")
            .start("asks")
            .edge("flaky", "told")
            .edge("asks", "told")
            .edge("told", END)
            .build_as::<String, String>()
            .unwrap()
    };
    assert_eq!(resumed(graph).await, expected("graph"));
}

#[tokio::test]
async fn of_an_item_of_a_list() {
    let each = |calls: &Arc<AtomicUsize>| {
        let flaky = flaky(calls);
        let one = move |cx: RunContext, text: String| {
            let flaky = flaky.clone();
            async move {
                match text.as_str() {
                    "call" => loom_core::IntoStep::run_step(&flaky, &cx, text).await,
                    _ => asks(cx, "go".to_owned()).await,
                }
            }
        };
        let items = |_: String| vec!["call".to_owned(), "ask".to_owned()];
        let one = loom_core::step(one).named("flaky");
        Workflow::chain("each")
            .map(items)
            .each_settled(2, one)
            .then(told)
            .build()
    };
    let (journal, calls) = (Arc::new(MemoryJournal::default()), Arc::default());
    let session = || {
        Loom::builder()
            .journal(journal.clone())
            .build()
            .session("alice")
            .id("desk")
    };
    let paused = session().run(&each(&calls), "go").await.unwrap_err();
    let run = paused.report().unwrap().run_id.clone();
    let path = &paused.questions()[0].path;
    session()
        .answer(&run, path, "yes".to_owned())
        .await
        .unwrap();
    let outcome = session().resume(&run, &each(&calls)).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(
        outcome.output,
        expected("each").replace("flaky:", "flaky[0]:")
    );
}
