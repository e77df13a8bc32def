//! Measures the spine: times first, then allocations, as a table or as one flat object.

use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;

/// The benchmarks, each a program that takes `--json`.
const BENCHES: [&str; 3] = ["spine", "workflows", "allocations"];

/// The figures that others keep a record of; a benchmark that forgets one is broken.
const FIGURES: [&str; 9] = [
    "floor_step_ns",
    "chain10_step_ns",
    "chain10_step_observed_ns",
    "chain10_step_journal_ns",
    "parallel16_branch_ns",
    "agent_turn_ns",
    "agent_turn_alloc_bytes",
    "run_ns",
    "future_bytes",
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
    // A table has a figure's name first in its line.
    let names = printed
        .lines()
        .filter_map(|it| it.split_whitespace().next());
    complete(&names.collect::<Vec<_>>())
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
    let numbers = figures.iter().filter(|(_, figure)| figure.is_number());
    complete(&numbers.map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
    Ok(figures)
}

/// Refuses figures among which one is missing.
fn complete(names: &[&str]) -> Outcome {
    let missing: Vec<&str> = FIGURES
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

    fn printed(without: &str) -> String {
        let of = |name: &&str| *name != without;
        let (times, sizes) = FIGURES.split_at(4);
        let object = |names: &[&str]| {
            let figures = names.iter().copied().filter(of);
            Value::Object(figures.map(|it| (it.to_owned(), json!(1.5))).collect())
        };
        format!("{}\n{}\n", object(times), object(sizes))
    }

    #[test]
    fn the_figures_of_all_benchmarks_are_one_object() {
        assert_eq!(figures(&printed("none")).unwrap().len(), FIGURES.len());
    }

    #[test]
    fn each_figure_is_missed() {
        for figure in FIGURES {
            let said = figures(&printed(figure)).unwrap_err().to_string();
            assert_eq!(said, format!("the benchmarks don't measure {figure}"));
        }
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
