//! What the spine costs: nanoseconds a step, a turn, a run.
//!
//! Each figure is the median of many samples taken in turn with the others', so that a busy
//! machine disturbs all alike; compare figures of one run only. `--json` prints one flat object.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use loomflow::journal::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, Page, Released,
    Renewed, RunQuery, SlotKey,
};
use loomflow::{
    Agent, BoxFuture, Error, Event, FnModel, Loom, Observer, Reply, Request, Result, Session, Tool,
    Workflow, branch,
};
use serde_json::{Value, json};

/// Samples a figure; each is a few milliseconds of work.
const SAMPLES: usize = 41;

fn main() {
    let as_json = std::env::args().any(|arg| arg == "--json");
    let mut figures = measure(&cases());
    figures.insert("future_bytes", future_bytes());
    if as_json {
        println!("{}", json!(figures));
    } else {
        for (name, figure) in &figures {
            println!("{name:>28} {figure:>12.1}");
        }
        println!(
            "{:>28} {:>12.1}",
            "chain10 / floor",
            figures["chain10_step_ns"] / figures["floor_step_ns"]
        );
    }
}

/// Does a batch of work; gives how many units it did.
type Work = Box<dyn Fn() -> u64>;
/// A figure's name and its work.
type Case = (&'static str, Work);

fn measure(cases: &[Case]) -> BTreeMap<&'static str, f64> {
    let mut samples: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..SAMPLES {
        for (name, batch) in cases {
            let start = Instant::now();
            let units = batch();
            let ns = start.elapsed().as_secs_f64() * 1e9;
            samples.entry(name).or_default().push(ns / units as f64);
        }
    }
    samples
        .into_iter()
        .map(|(name, samples)| (name, median(samples)))
        .collect()
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn cases() -> Vec<Case> {
    let plain = || Loom::builder().build().session("alice");
    let observed = || {
        Loom::builder()
            .observe(Counting::default())
            .build()
            .session("alice")
    };
    let journalled = || Loom::builder().journal(Forgetful).build().session("alice");
    vec![
        ("floor_step_ns", floor()),
        ("chain10_step_ns", chain(plain(), 10)),
        ("chain100_step_ns", chain(plain(), 100)),
        ("chain1000_step_ns", chain(plain(), 1000)),
        ("chain10_step_observed_ns", chain(observed(), 10)),
        ("chain10_step_journal_ns", chain(journalled(), 10)),
        ("journal_step_1mib_ns", large_step(journalled())),
        ("parallel16_branch_ns", parallel16(plain())),
        ("run_ns", one_step_run(plain())),
        ("agent_turn_ns", agent(plain(), 10)),
        ("agent40_turn_ns", agent(plain(), 40)),
    ]
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Observer for Counting {
    fn on_event(&self, _event: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A journal that keeps nothing: what is left is the price of recording, not of a store.
struct Forgetful;

impl Journal for Forgetful {
    async fn claim(&self, run: &JournalRun, _ttl: Duration) -> Result<Claimed> {
        let lease = Lease {
            run: run.clone(),
            token: 1,
        };
        Ok(Claimed::new(lease, None, Vec::new()))
    }

    async fn renew(&self, _lease: &Lease, _ttl: Duration) -> Result<Renewed, Lost> {
        Ok(Renewed::new(false))
    }

    async fn write(&self, _lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        black_box(batch);
        Ok(())
    }

    fn release(&self, _lease: &Lease, _how: Released) {}

    async fn answer(&self, _run: &JournalRun, _path: &str, value: Value) -> Result<Answered> {
        black_box(value);
        Ok(Answered::Written)
    }

    async fn read(&self, _run: &JournalRun, _slot: &SlotKey) -> Result<Option<Value>> {
        Ok(None)
    }

    async fn runs(&self, _query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        Ok(Page::new(Vec::new(), None))
    }

    async fn request_cancel(&self, _run: &JournalRun) -> Result<bool> {
        Ok(false)
    }

    async fn forget(&self, _what: &Forget) -> Result<u64> {
        Ok(0)
    }
}

async fn increment(n: u64) -> Result<u64> {
    Ok(n + 1)
}

/// Ten boxed async calls in a row: what any erased chain of steps costs at least.
fn floor() -> Work {
    type Call = Box<dyn Fn(u64) -> BoxFuture<'static, Result<u64>>>;
    let calls: Vec<Call> = (0..10)
        .map(|_| Box::new(|n| Box::pin(increment(n)) as BoxFuture<'static, _>) as Box<_>)
        .collect();
    Box::new(move || {
        for _ in 0..2_000 {
            let n = block_on(async {
                let mut n = black_box(0);
                for call in &calls {
                    n = call(n).await.unwrap_or_default();
                }
                n
            });
            black_box(n);
        }
        20_000
    })
}

/// Steps of whole chain runs; the run itself is part of it.
fn chain(session: Session, steps: u64) -> Work {
    let mut chain = Workflow::chain::<u64>("chain");
    for _ in 0..steps {
        chain = chain.then(increment);
    }
    let workflow = chain.build();
    Box::new(move || {
        let runs = 4_000 / steps;
        let done: u64 = (0..runs)
            .map(|_| block_on(session.run(&workflow, 0u64)).map_or(0, |outcome| outcome.output))
            .sum();
        assert_eq!(done, runs * steps, "every step counts one");
        done
    })
}

/// Whole runs of one step that returns a text of 1 MiB, which is recorded.
fn large_step(session: Session) -> Work {
    async fn large(of: u64) -> Result<String> {
        Ok("x".repeat(of as usize))
    }
    let workflow = Workflow::chain("large").then(large).build();
    Box::new(move || {
        for _ in 0..4 {
            let done = block_on(session.run(&workflow, 1u64 << 20)).map_or(0, |it| it.output.len());
            assert_eq!(done, 1 << 20, "the text is whole");
        }
        4
    })
}

/// Branches of whole runs of one parallel node with sixteen branches, of which eight run at a time.
fn parallel16(session: Session) -> Work {
    let branches = vec![branch(increment); 16];
    let workflow = Workflow::chain::<u64>("wide").parallel(branches).build();
    Box::new(move || {
        let done: usize = (0..200)
            .map(|_| {
                block_on(session.run(&workflow, 0u64)).map_or(0, |outcome| outcome.output.len())
            })
            .sum();
        assert_eq!(done, 3_200, "every branch gives one");
        3_200
    })
}

fn one_step_run(session: Session) -> Work {
    let workflow = Workflow::chain("one").then(increment).build();
    Box::new(move || {
        for _ in 0..2_000 {
            let _ = black_box(block_on(session.run(&workflow, 0u64)));
        }
        2_000
    })
}

/// Turns of whole agent runs: each but the last calls `add(a, b)`.
fn agent(session: Session, turns: u64) -> Work {
    let agent = adder(turns).unwrap_or_else(|error| panic!("the agent is right: {error}"));
    Box::new(move || {
        let runs = 1_000 / turns;
        for _ in 0..runs {
            let outcome = block_on(session.run(&agent, "add it up"))
                .unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(outcome.usage.tool_calls, turns, "every turn calls the tool");
        }
        runs * turns
    })
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Add {
    a: u64,
    b: u64,
}

async fn add(it: Add) -> Result<u64> {
    Ok(it.a + it.b)
}

/// An agent that calls `add` in this many turns, then answers.
fn adder(turns: u64) -> Result<Agent, Error> {
    let arguments: Value = json!({"a": 1, "b": 2});
    let model = FnModel::new("adder", move |request: &Request<'_>| {
        let turn = request.messages.len() as u64 / 2;
        Ok(if turn < turns {
            Reply::call("add", arguments.clone())
        } else {
            Reply::text("done")
        })
    });
    Agent::builder("Add.")
        .model(model)
        .tool(Tool::new("add", "Adds two numbers.", add))
        .build()
}

fn future_bytes() -> f64 {
    let session = Loom::builder().build().session("alice");
    let workflow = Workflow::chain("one").then(increment).build();
    size_of_val(&session.run(&workflow, 0u64)) as f64
}
