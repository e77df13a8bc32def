//! A zero that makes no sense is an error: at `build()` where that may fail, else of each run.

use futures::executor::block_on;
use loom_core::{ErrorKind, Loom, Result};
use loom_workflow::Workflow;

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
