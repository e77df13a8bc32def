//! Measures the spine: times first, then allocations, as a table or as one flat object.

use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;

/// The benchmarks, each a program that takes `--json`.
const BENCHES: [&str; 3] = ["spine", "workflows", "allocations"];

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    let mut figures = Map::new();
    for bench in BENCHES {
        let printed = measured(workspace, bench, options)?;
        if options.json {
            match serde_json::from_str(&printed) {
                Ok(Value::Object(own)) => figures.extend(own),
                _ => {
                    return Err(Failure::new(format!(
                        "the benchmark {bench} printed no object: {printed}"
                    )));
                }
            }
        } else {
            print!("{printed}");
        }
    }
    if options.json {
        println!("{}", Value::Object(figures));
    }
    Ok(())
}

/// What a benchmark prints.
fn measured(workspace: &Workspace, bench: &str, options: Options) -> Outcome<String> {
    let mut command = Command::new("cargo");
    command.args([
        "bench",
        "--quiet",
        "-p",
        "loomflow",
        "--all-features",
        "--bench",
        bench,
        "--",
    ]);
    if options.json {
        command.arg("--json");
    }
    let output = command
        .current_dir(&workspace.root)
        .stderr(Stdio::inherit())
        .output();
    let output =
        output.map_err(|error| Failure::new(format!("cargo bench can't be run: {error}")))?;
    match (output.status.success(), String::from_utf8(output.stdout)) {
        (true, Ok(printed)) => Ok(printed),
        _ => Err(Failure::new(format!("the benchmark {bench} failed"))),
    }
}
