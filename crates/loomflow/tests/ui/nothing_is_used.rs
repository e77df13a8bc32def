#![deny(unused_must_use)]

use loomflow::{Loom, Result, Workflow, step};

async fn load(n: u64) -> Result<u64> {
    Ok(n)
}

fn main() {
    let session = Loom::builder().build().session("alice");
    session.run(&load, 1u64);
    session.run(&load, 1u64).stream();
    step(load).retry(3);
    Workflow::chain::<u64>("one").then(load);
    Loom::builder();
}
