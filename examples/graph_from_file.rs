//! A graph that lies in a file: the file says what is connected to what, the program which steps
//! there are to be connected.
//!
//! ```text
//! cargo run --example graph_from_file [-- FILE [TEXT]]
//! ```
//!
//! The file is TOML; without one it is `examples/graph_from_file/triage.toml`. Exit status 0; 1 for
//! a run that failed; 2 for a file that can't be read or describes no graph.

use std::process::ExitCode;

use loomflow::{GraphSpec, Loom, Result, ResultExt, RunError, Steps};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/graph_from_file/triage.toml");

async fn classify(text: String) -> Result<String> {
    let words = ["charged", "invoice", "refund"];
    let is_billing = words.iter().any(|it| text.contains(it));
    Ok(if is_billing { "Billing" } else { "Tech" }.to_owned())
}

async fn answer(desk: String) -> Result<String> {
    Ok(format!("{desk} will answer you"))
}

async fn count(text: String) -> Result<usize> {
    Ok(text.split_whitespace().count())
}

/// All that a file may name: it is data, it can't bring code of its own.
fn steps() -> Steps {
    Steps::new()
        .step("classify", classify)
        .step("answer", answer)
        .step("count", count)
        .router("lowercase", |label: &str| label.to_lowercase())
}

async fn run(path: &str, text: &str) -> Result<(), RunError> {
    let file = std::fs::read_to_string(path).invalid().context(path)?;
    let spec = GraphSpec::from_toml(&file)?;
    // Checked as a whole when it is built; what nodes hand to each other, when it runs.
    let workflow = spec.build_as::<String, String>(&steps())?;

    let loom = Loom::builder().build();
    let outcome = loom.session("alice").run(&workflow, text).await?;
    println!("{}\n", outcome.output);
    print!("{workflow}");
    // The same graph, written back.
    println!("\n{}", spec.to_json()?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| arguments.get(i).map(String::as_str);
    let path = argument(0).unwrap_or(SHIPPED);
    let text = argument(1).unwrap_or("I was charged twice.");
    match run(path, text).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("graph_from_file: {error}");
            // Before anything ran, it is the file that is wrong.
            ExitCode::from(if error.report().is_some() { 1 } else { 2 })
        }
    }
}
