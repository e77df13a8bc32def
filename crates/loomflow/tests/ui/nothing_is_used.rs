#![deny(unused_must_use)]

use loomflow::{Loom, Result, Workflow, step};

async fn load(n: u64) -> Result<u64> {
    Ok(n)
}

fn main() {
    let session = Loom::builder().build().session("alice");
    session.run(&load, 1u64);
    session.start(&load, 1u64);
    session.stream(&load, 1u64);
    step(load).retry(3);
    Workflow::chain::<u64>("one").then(load);
    Loom::builder();
}
