//! What the shapes of workflows cost as they grow: nanoseconds a step, a branch.
//!
//! Each figure is the median of many samples taken in turn with the others', so that a busy
//! machine disturbs all alike; compare figures of one run only. `--json` prints one flat object, in
//! which figures of several sizes are objects by size.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::executor::block_on;
use loomflow::{END, Joined, Loom, Result, Session, Workflow, branch};
use serde_json::{Map, Value, json};

/// Samples a figure; each is a few milliseconds of work.
const SAMPLES: usize = 21;

const CHAINS: [u64; 4] = [10, 100, 1_000, 10_000];
const BRANCHES: [u64; 3] = [16, 256, 4_096];
/// Layers of the layered graph, and nodes in each.
const LAYERS: u64 = 100;

fn main() -> Result<()> {
    let figures = figures(&measure(&cases()?));
    if std::env::args().any(|arg| arg == "--json") {
        println!("{}", Value::Object(figures));
    } else {
        for (name, figure) in &figures {
            println!("{name:>28} {figure}");
        }
    }
    Ok(())
}

/// Runs once.
type Run = Box<dyn Fn()>;
/// A figure's name, the size it is of, how many units a run has, and how many runs are a sample.
struct Case {
    name: &'static str,
    size: Option<u64>,
    units: u64,
    runs: u64,
    run: Run,
}

/// The median nanoseconds of a run of each case.
fn measure(cases: &[Case]) -> Vec<(&Case, f64)> {
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); cases.len()];
    for _ in 0..SAMPLES {
        for (case, samples) in cases.iter().zip(&mut samples) {
            let start = Instant::now();
            for _ in 0..case.runs {
                (case.run)();
            }
            samples.push(start.elapsed().as_secs_f64() * 1e9 / case.runs as f64);
        }
    }
    let medians = samples.into_iter().map(|mut samples| {
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    });
    cases.iter().zip(medians).collect()
}

/// What a unit costs, without what a run costs that has none.
fn figures(measured: &[(&Case, f64)]) -> Map<String, Value> {
    let empty: BTreeMap<&str, f64> = measured
        .iter()
        .filter(|(case, _)| case.units == 0)
        .map(|(case, ns)| (case.name, *ns))
        .collect();
    let mut figures = Map::new();
    for (case, ns) in measured.iter().filter(|(case, _)| case.units > 0) {
        let a_unit = (ns - empty.get(case.name).unwrap_or(&0.0)) / case.units as f64;
        let a_unit = json!((a_unit * 10.0).round() / 10.0);
        match case.size {
            None => drop(figures.insert(case.name.to_owned(), a_unit)),
            Some(size) => {
                let sizes = figures.entry(case.name).or_insert_with(|| json!({}));
                sizes[size.to_string()] = a_unit;
            }
        }
    }
    figures
}

fn cases() -> Result<Vec<Case>> {
    let mut cases = vec![chain(0), parallel(0)];
    cases.extend(CHAINS.map(chain));
    cases.extend(BRANCHES.map(parallel));
    cases.push(layered()?);
    cases.push(line()?);
    Ok(cases)
}

fn session() -> Session {
    Loom::builder().build().session("alice")
}

async fn increment(n: u64) -> Result<u64> {
    Ok(n + 1)
}

fn chain(steps: u64) -> Case {
    let mut chain = Workflow::chain::<u64>("chain");
    for _ in 0..steps {
        chain = chain.then(increment);
    }
    let (workflow, session) = (chain.build(), session());
    Case {
        name: "chain_step_ns",
        size: Some(steps),
        units: steps,
        runs: (10_000 / steps.max(5)).max(1),
        run: Box::new(move || {
            let done = block_on(session.run(&workflow, 0u64)).map_or(0, |it| it.output);
            assert_eq!(done, steps, "every step counts one");
        }),
    }
}

/// Branches of one parallel node, of which eight run at a time.
fn parallel(branches: u64) -> Case {
    let list = vec![branch(increment); branches as usize];
    let workflow = Workflow::chain::<u64>("wide").parallel(list).build();
    let session = session();
    Case {
        name: "parallel_branch_ns",
        size: Some(branches),
        units: branches,
        runs: (4_096 / branches.max(5)).max(1),
        run: Box::new(move || {
            let done = block_on(session.run(&workflow, 0u64)).map_or(0, |it| it.output.len());
            assert_eq!(done as u64, branches, "every branch gives one");
        }),
    }
}

async fn sum(of: Joined<u64>) -> Result<u64> {
    Ok(of.iter().map(|it| it.value).max().unwrap_or(0) + 1)
}

/// A hundred layers of a hundred nodes, each joining two of the layer before.
fn layered() -> Result<Case> {
    let name = |layer: u64, node: u64| format!("{layer}_{}", node % LAYERS);
    let mut graph = Workflow::graph("layered");
    for layer in 0..LAYERS {
        for node in 0..LAYERS {
            graph = graph.node(name(layer, node), sum);
            graph = match layer {
                0 => graph.start(name(0, node)),
                _ => graph
                    .edge(name(layer - 1, node), name(layer, node))
                    .edge(name(layer - 1, node + 1), name(layer, node)),
            };
        }
    }
    graph = graph.node("last", sum).edge("last", END);
    for node in 0..LAYERS {
        graph = graph.edge(name(LAYERS - 1, node), "last");
    }
    let (workflow, session) = (graph.build_as::<u64, u64>()?, session());
    Ok(Case {
        name: "graph_step_ns",
        size: None,
        units: LAYERS * LAYERS + 1,
        runs: 1,
        run: Box::new(move || {
            let done = block_on(session.run(&workflow, 0u64)).map_or(0, |it| it.output);
            assert_eq!(done, LAYERS + 1, "every layer counts one");
        }),
    })
}

/// A graph of a thousand nodes in a row.
fn line() -> Result<Case> {
    let mut graph = Workflow::graph("line").start("0");
    for node in 0..1_000 {
        graph = graph.node(node.to_string(), increment);
        graph = match node {
            999 => graph.edge("999", END),
            _ => graph.edge(node.to_string(), (node + 1).to_string()),
        };
    }
    let (workflow, session) = (graph.build_as::<u64, u64>()?, session());
    Ok(Case {
        name: "graph_line_step_ns",
        size: None,
        units: 1_000,
        runs: 10,
        run: Box::new(move || {
            let done = block_on(session.run(&workflow, 0u64)).map_or(0, |it| it.output);
            assert_eq!(done, 1_000, "every step counts one");
        }),
    })
}
