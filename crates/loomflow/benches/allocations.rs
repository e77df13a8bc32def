//! What the spine allocates: bytes an agent turn, bytes a run that is on its way. Apart from the
//! times, since counting costs some.
//!
//! `--json` prints one flat object.

use std::alloc::System;
use std::future::Future;
use std::task::{Context, Waker};

use futures::executor::block_on;
use loomflow::{Agent, Error, FnModel, Loom, Reply, Request, Result, Session, Tool, Workflow};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<()> {
    let session = Loom::builder().build().session("alice");
    // The difference of two lengths is what a turn costs, without what a run costs.
    let (short, long) = (bytes(&session, 10)?, bytes(&session, 20)?);
    let far = bytes(&session, 40)?;
    let figures = json!({
        "agent_turn_alloc_bytes": (long - short) / 10,
        "agent40_turn_alloc_bytes": (far - long) / 20,
        "concurrent_run_bytes": concurrent_run_bytes(&session),
    });
    if std::env::args().any(|arg| arg == "--json") {
        println!("{figures}");
    } else {
        for (name, figure) in figures.as_object().into_iter().flatten() {
            println!("{name:>28} {figure:>12}");
        }
    }
    Ok(())
}

/// Bytes allocated in one agent run of this many tool calls, each a turn, and an answer.
fn bytes(session: &Session, turns: usize) -> Result<usize> {
    let agent = adder(turns)?;
    // The first run fills what is filled once.
    block_on(session.run(&agent, "add it up"))?;
    let region = Region::new(ALLOCATOR);
    block_on(session.run(&agent, "add it up"))?;
    Ok(region.change().bytes_allocated)
}

/// Runs that are on their way at the same time.
const RUNS: usize = 10_000;

async fn increment(n: u64) -> Result<u64> {
    Ok(n + 1)
}

/// What a run of a five-step workflow holds while its fourth step waits, its own future included.
fn concurrent_run_bytes(session: &Session) -> usize {
    let workflow = Workflow::chain("five")
        .then(increment)
        .then(increment)
        .then(increment)
        .then_fn("wait", |_cx, n: u64| async move {
            std::future::pending::<()>().await;
            Ok::<_, Error>(n)
        })
        .then(increment)
        .build();
    let mut task = Context::from_waker(Waker::noop());
    let region = Region::new(ALLOCATOR);
    let mut runs: Vec<_> = (0..RUNS)
        .map(|_| Box::pin(session.run(&workflow, 0u64)))
        .collect();
    for run in &mut runs {
        assert!(run.as_mut().poll(&mut task).is_pending(), "every run waits");
    }
    let held = region.change();
    (held.bytes_allocated - held.bytes_deallocated) / RUNS
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Add {
    a: u64,
    b: u64,
}

async fn add(it: Add) -> Result<u64> {
    Ok(it.a + it.b)
}

fn adder(turns: usize) -> Result<Agent, Error> {
    let arguments: Value = json!({"a": 1, "b": 2});
    let model = FnModel::new("adder", move |request: &Request<'_>| {
        let turn = request.messages.len() / 2;
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
