//! A zero that makes no sense is an error: at `build()` where that may fail, else of each run.

use futures::executor::block_on;
use loom_core::{Error, ErrorKind, IntoStep, Loom, Result, step};
use loom_workflow::{Dag, Workflow};

async fn same(n: u64) -> Result<u64> {
    Ok(n)
}

#[test]
fn caps_of_zero_in_a_chain_are_all_named_by_each_of_its_runs() {
    let chain = Workflow::chain::<Vec<u64>>("zeros")
        .each(0, same)
        .each_settled(0, same)
        .map(|all| all.len() as u64)
        .repeat(0, same, |_: &u64| true)
        .build();
    let session = Loom::builder().build().session("alice");
    for _ in 0..2 {
        let error = block_on(session.run(&chain, vec![1u64])).unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        let zeros = [
            r#""same": concurrency_max is 0: then nothing could run"#,
            r#""same_2": concurrency_max is 0: then nothing could run"#,
            r#""same_3": repeat_max is 0: then nothing could run"#,
        ];
        assert!(error.message().ends_with(&zeros.join("; ")), "{error}");
    }
}

#[test]
fn a_graph_in_which_nothing_could_run_is_not_built() {
    let graph = Workflow::graph("zeros")
        .node("same", same)
        .start("same")
        .edge("same", loom_workflow::END)
        .concurrency_max(0)
        .build_as::<u64, u64>();
    let error = graph.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let zero = "concurrency_max is 0: then nothing could run";
    assert!(error.message().ends_with(zero), "{error}");
}

/// Every shape that can fail to be built, with this step in it, and what is said of each.
fn unbuildable<M: 'static, S>(step: impl Fn() -> S) -> [String; 4]
where
    S: IntoStep<u64, M, Out = u64>,
{
    let graph = Workflow::graph("graph")
        .node("same", step())
        .start("same")
        .edge("same", loom_workflow::END)
        .build_as::<u64, u64>();
    let route = Workflow::route("route", |_: u64| async {
        Ok::<_, Error>("same".to_owned())
    })
    .on("same", step())
    .build();
    let (mut dag, start) = Dag::<u64>::new("dag");
    let end = dag.node("same", start, step());
    let chain = Workflow::chain("chain").then(step()).build();
    let nested = Workflow::graph("nested")
        .node("chain", chain)
        .start("chain")
        .edge("chain", loom_workflow::END)
        .build_as::<u64, u64>();
    [
        graph.map(drop),
        route.map(drop),
        dag.output(end).map(drop),
        nested.map(drop),
    ]
    .map(|built| built.unwrap_err().to_string())
}

#[test]
fn a_retry_that_is_always_refused_is_not_built() {
    let refused =
        "a further attempt would do it again; say `.repeating_effects()` if that does no harm";
    for message in unbuildable(|| step(same).once().retry(2)) {
        assert!(message.ends_with(refused), "{message}");
    }
    let zero = "it counts all attempts, the first one too";
    for message in unbuildable(|| step(same).retry(0)) {
        assert!(message.ends_with(zero), "{message}");
    }
    let allowed = step(same).once().retry(2).repeating_effects();
    let graph = Workflow::graph("graph")
        .node("same", allowed)
        .start("same")
        .edge("same", loom_workflow::END);
    assert!(graph.build_as::<u64, u64>().is_ok());
}
