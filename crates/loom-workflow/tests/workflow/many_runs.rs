//! Ten thousand runs at a time in one process: each ends with its own output, none is left behind.

use std::sync::{Arc, Mutex};

use futures::future::join_all;
use loom_core::{Error, Loom, RunError, Step};
use loom_workflow::{END, Workflow};

const RUNS: u64 = 10_000;

/// How many runs have taken how many of their five steps, and how far they were ever apart.
#[derive(Default)]
struct Progress {
    runs_at: [u64; 6],
    most_apart: usize,
}

impl Progress {
    fn step(&mut self, from: usize) {
        self.runs_at[from] -= 1;
        self.runs_at[from + 1] += 1;
        let last = self.runs_at.iter().rposition(|runs| *runs > 0);
        let first = self.runs_at.iter().position(|runs| *runs > 0);
        let apart = last.zip(first).map_or(0, |(last, first)| last - first);
        self.most_apart = self.most_apart.max(apart);
    }
}

/// Adds one after it has let everything else run; the last digit is how often it was added to.
fn step(progress: &Arc<Mutex<Progress>>) -> Step<u64, u64> {
    let progress = progress.clone();
    Step::new(move |n: u64| {
        let progress = progress.clone();
        async move {
            tokio::task::yield_now().await;
            progress.lock().unwrap().step((n % 10) as usize);
            Ok::<_, Error>(n + 1)
        }
    })
}

/// Runs the workflow on the multiples of ten, all at the same time.
async fn all_end(workflow: Workflow<u64, u64>, progress: &Arc<Mutex<Progress>>) {
    progress.lock().unwrap().runs_at[0] = RUNS;
    let session = Loom::builder().build().session("alice");
    let runs = (0..RUNS).map(|i| session.run(&workflow, 10 * i));
    let ended: Result<Vec<_>, RunError> = join_all(runs).await.into_iter().collect();
    let outputs: Vec<u64> = ended
        .unwrap()
        .iter()
        .map(|outcome| outcome.output)
        .collect();
    assert_eq!(outputs, (0..RUNS).map(|i| 10 * i + 5).collect::<Vec<_>>());
    let progress = progress.lock().unwrap();
    assert_eq!(progress.runs_at, [0, 0, 0, 0, 0, RUNS]);
    assert!(
        progress.most_apart <= 1,
        "some run was {} steps behind another",
        progress.most_apart
    );
}

#[tokio::test]
async fn f090_ten_thousand_runs_of_a_chain_end_and_none_is_left_behind() {
    let progress = Arc::default();
    let five = (0..5).fold(Workflow::chain::<u64>("five"), |chain, _| {
        chain.then(step(&progress))
    });
    all_end(five.build(), &progress).await;
}

#[tokio::test]
async fn f090_ten_thousand_runs_of_a_graph_end_and_none_is_left_behind() {
    let progress = Arc::default();
    let names = ["a", "b", "c", "d", "e"];
    let graph = Workflow::graph("five").start("a").edge("e", END);
    let graph = names
        .iter()
        .fold(graph, |graph, name| graph.node(*name, step(&progress)));
    let graph = names
        .windows(2)
        .fold(graph, |graph, pair| graph.edge(pair[0], pair[1]));
    all_end(graph.build_as::<u64, u64>().unwrap(), &progress).await;
}
