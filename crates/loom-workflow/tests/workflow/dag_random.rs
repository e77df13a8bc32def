//! Any dag gives what its nodes give one after another, each run once, after what it takes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom_core::{Error, Happened, Loom, OwnedEvent, Result, RunError, Step};
use loom_testing::Recorder;
use loom_workflow::{Dag, Var, Workflow, branch};
use proptest::prelude::*;

use crate::recorded::assert_each_closed_once;

/// A node: which of the values before it it takes (0 is the input), and how long it runs.
#[derive(Clone, Debug)]
struct Draft {
    takes: Vec<usize>,
    yields: usize,
}

#[derive(Clone, Debug)]
struct Drafts {
    nodes: Vec<Draft>,
    concurrency_max: usize,
}

fn drafts() -> impl Strategy<Value = Drafts> {
    let node = (prop::collection::vec(any::<usize>(), 1..4), 0..5usize);
    let nodes = prop::collection::vec(node, 1..14);
    (nodes, 1..5usize).prop_map(|(nodes, concurrency_max)| {
        let nodes = nodes
            .into_iter()
            .enumerate()
            .map(|(i, (takes, yields))| Draft {
                takes: takes.into_iter().map(|it| it % (i + 1)).collect(),
                yields,
            });
        Drafts {
            nodes: nodes.collect(),
            concurrency_max,
        }
    })
}

/// What the node of this number makes of what it takes: another order gives another number.
fn mixed(node: usize, values: &[u64]) -> u64 {
    values.iter().fold(node as u64 + 1, |so_far, value| {
        so_far.wrapping_mul(1_000_003).wrapping_add(*value)
    })
}

impl Drafts {
    /// The values that no node takes: together they are the output.
    fn ends(&self) -> Vec<usize> {
        let is_taken = |place| self.nodes.iter().any(|node| node.takes.contains(&place));
        (1..=self.nodes.len()).filter(|it| !is_taken(*it)).collect()
    }

    /// One node after another.
    fn evaluated(&self, input: u64) -> Vec<u64> {
        let mut values = vec![input];
        for (i, node) in self.nodes.iter().enumerate() {
            let taken: Vec<u64> = node.takes.iter().map(|place| values[*place]).collect();
            values.push(mixed(i, &taken));
        }
        self.ends().into_iter().map(|end| values[end]).collect()
    }

    /// The dag, in which one node may fail.
    fn dag(&self, fails: Option<usize>, gauge: &Gauge) -> Workflow<u64, Vec<u64>> {
        let (mut dag, input) = Dag::<u64>::new("random");
        dag.concurrency_max(self.concurrency_max);
        let mut vars: Vec<Var<u64>> = vec![input];
        for (i, node) in self.nodes.iter().enumerate() {
            let taken: Vec<Var<u64>> = node.takes.iter().map(|place| vars[*place]).collect();
            let step = gauge.step(i, node.yields, fails == Some(i));
            vars.push(dag.node(format!("n{i}"), taken, step));
        }
        let ends: Vec<Var<u64>> = self.ends().into_iter().map(|end| vars[end]).collect();
        dag.output(ends).unwrap()
    }
}

/// How many bodies run, and how many ran at the same time at most.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

impl Gauge {
    fn step(&self, node: usize, yields: usize, fails: bool) -> Step<Vec<u64>, u64> {
        let gauge = self.0.clone();
        branch(move |values: Vec<u64>| {
            let gauge = gauge.clone();
            async move {
                let now = gauge.0.fetch_add(1, Ordering::Relaxed) + 1;
                gauge.1.fetch_max(now, Ordering::Relaxed);
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                gauge.0.fetch_sub(1, Ordering::Relaxed);
                match fails {
                    true => Err(Error::invalid("it fails")),
                    false => Ok(mixed(node, &values)),
                }
            }
        })
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

fn run(workflow: &Workflow<u64, Vec<u64>>) -> (Result<Vec<u64>, RunError>, Recorder) {
    let recorder = Recorder::default();
    let session = Loom::builder()
        .observe(recorder.clone())
        .build()
        .session("alice");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outcome = runtime.block_on(session.run(workflow, 7u64));
    assert_each_closed_once(&recorder);
    (outcome.map(|it| it.output), recorder)
}

/// When each node was opened and closed, as numbers of events.
fn times(events: &[OwnedEvent]) -> HashMap<String, (usize, usize)> {
    let mut times: HashMap<String, (usize, usize)> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        let time = times.entry(event.name.to_string()).or_default();
        match event.what {
            Happened::Opened { .. } => time.0 = at,
            Happened::Closed { .. } => time.1 = at,
            _ => (),
        }
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_dag_gives_what_its_nodes_give_one_after_another(drafts in drafts()) {
        let gauge = Gauge::default();
        let (output, recorder) = run(&drafts.dag(None, &gauge));
        prop_assert_eq!(output.unwrap(), drafts.evaluated(7));
        prop_assert!(gauge.most() <= drafts.concurrency_max);
        // The run and every node, once.
        prop_assert_eq!(recorder.spans().len(), drafts.nodes.len() + 1);
        let times = times(&recorder.events());
        prop_assert_eq!(times.len(), drafts.nodes.len() + 1);
        for (i, node) in drafts.nodes.iter().enumerate() {
            for from in node.takes.iter().filter_map(|place| place.checked_sub(1)) {
                let (closed, opened) = (times[&format!("n{from}")].1, times[&format!("n{i}")].0);
                prop_assert!(closed < opened, "n{i} was opened before n{from} was closed");
            }
        }
    }

    #[test]
    fn a_dag_ends_with_the_node_that_fails(drafts in drafts(), node in any::<prop::sample::Index>()) {
        let fails = node.index(drafts.nodes.len());
        let (output, recorder) = run(&drafts.dag(Some(fails), &Gauge::default()));
        let error = output.unwrap_err();
        prop_assert_eq!(error.to_string(), format!("random/n{fails}: it fails"));
        // Nothing that takes what it should have given was begun.
        let begun = recorder.spans();
        for (i, _) in drafts.nodes.iter().enumerate().filter(|(_, it)| it.takes.contains(&(fails + 1))) {
            let name = format!("n{i}");
            prop_assert!(begun.iter().all(|span| span.name != name));
        }
    }
}
