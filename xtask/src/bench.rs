//! Measures the spine: times first, then allocations, as a table or as one flat object.

use std::fmt::Display;
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;

/// The benchmarks, each a program that takes `--json`.
const BENCHES: [&str; 3] = ["spine", "workflows", "allocations"];

/// The figures that others keep a record of; a benchmark that forgets one is broken.
const FIGURES: [&str; 11] = [
    "floor_step_ns",
    "chain10_step_ns",
    "chain10_step_observed_ns",
    "chain10_step_journal_ns",
    "parallel16_branch_ns",
    "agent_turn_ns",
    "agent_turn_alloc_bytes",
    "run_ns",
    "future_bytes",
    "graph_step_ns",
    "concurrent_run_bytes",
];

/// The figures of which each of these sizes has one.
const SIZED_FIGURES: [(&str, &[u32]); 2] = [
    ("chain_step_ns", &[10, 100, 1_000, 10_000]),
    ("parallel_branch_ns", &[16, 256, 4_096]),
];

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    let mut printed = String::new();
    for bench in BENCHES {
        let own = measured(workspace, bench, options)?;
        if !options.json {
            print!("{own}");
        }
        printed.push_str(&own);
    }
    if options.json {
        println!("{}", Value::Object(figures(&printed)?));
        return Ok(());
    }
    complete(&printed.lines().flat_map(in_table).collect::<Vec<_>>())
}

/// The figures in a line of a table: it begins with their name, and where there are several sizes
/// an object of them follows.
fn in_table(line: &str) -> Vec<String> {
    let line = line.trim();
    let (name, figure) = line.split_once(' ').unwrap_or((line, ""));
    match serde_json::from_str(figure) {
        Ok(Value::Object(sizes)) => in_sizes(name, &sizes),
        _ => vec![name.to_owned()],
    }
}

/// What the figures of these sizes are called.
fn in_sizes(name: &str, sizes: &Map<String, Value>) -> Vec<String> {
    let numbers = sizes.iter().filter(|(_, figure)| figure.is_number());
    numbers.map(|(size, _)| sized(name, size)).collect()
}

fn sized(name: &str, size: impl Display) -> String {
    format!("{name} of {size}")
}

/// All figures of these objects, one a line.
fn figures(printed: &str) -> Outcome<Map<String, Value>> {
    let mut figures = Map::new();
    for line in printed.lines() {
        match serde_json::from_str(line) {
            Ok(Value::Object(own)) => figures.extend(own),
            _ => {
                let message = format!("a benchmark printed no object: {line}");
                return Err(Failure::new(message));
            }
        }
    }
    let names = figures.iter().flat_map(|(name, figure)| match figure {
        Value::Number(_) => vec![name.clone()],
        Value::Object(sizes) => in_sizes(name, sizes),
        _ => Vec::new(),
    });
    complete(&names.collect::<Vec<_>>())?;
    Ok(figures)
}

/// Refuses figures among which one is missing.
fn complete(names: &[String]) -> Outcome {
    let missing: Vec<String> = required()
        .into_iter()
        .filter(|figure| !names.contains(figure))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Failure::new(format!(
        "the benchmarks don't measure {missing}"
    )))
}

/// What all figures are called that there must be.
fn required() -> Vec<String> {
    let plain = FIGURES.into_iter().map(str::to_owned);
    let of_sizes = SIZED_FIGURES
        .into_iter()
        .flat_map(|(name, sizes)| sizes.iter().map(move |size| sized(name, size)));
    plain.chain(of_sizes).collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the benchmarks print, as objects, without this figure.
    fn printed(without: &str) -> String {
        let (times, others) = FIGURES.split_at(4);
        let object = |names: &[&str]| {
            let figures = names.iter().filter(|name| **name != without);
            figures.map(|it| ((*it).to_owned(), json!(1.5))).collect()
        };
        let mut others: Map<String, Value> = object(others);
        for (name, sizes) in SIZED_FIGURES {
            let sizes = sizes.iter().filter(|size| sized(name, size) != without);
            let of_sizes = sizes.map(|size| (size.to_string(), json!(1.5)));
            others.insert(name.to_owned(), Value::Object(of_sizes.collect()));
        }
        format!(
            "{}\n{}\n",
            Value::Object(object(times)),
            Value::Object(others)
        )
    }

    #[test]
    fn the_figures_of_all_benchmarks_are_one_object() {
        let count = FIGURES.len() + SIZED_FIGURES.len();
        assert_eq!(figures(&printed("none")).unwrap().len(), count);
    }

    #[test]
    fn each_figure_is_missed_and_each_size_of_one() {
        assert_eq!(required().len(), 18);
        for figure in required() {
            let said = figures(&printed(&figure)).unwrap_err().to_string();
            assert_eq!(said, format!("the benchmarks don't measure {figure}"));
        }
    }

    #[test]
    fn a_table_has_a_figure_or_the_figures_of_some_sizes_in_a_line() {
        assert_eq!(in_table("    run_ns    17.5 ns"), ["run_ns"]);
        let line = r#"  chain_step_ns {"10":1.5,"100":2.5,"1000":null}"#;
        assert_eq!(
            in_table(line),
            ["chain_step_ns of 10", "chain_step_ns of 100"]
        );
    }

    #[test]
    fn a_figure_that_is_no_number_is_missed() {
        let printed = printed("none").replace("\"run_ns\":1.5", "\"run_ns\":null");
        let said = figures(&printed).unwrap_err().to_string();
        assert_eq!(said, "the benchmarks don't measure run_ns");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let said = figures("17\n").unwrap_err().to_string();
        assert_eq!(said, "a benchmark printed no object: 17");
    }
}
