//! `cargo xtask TASK`: the one way to check and measure this workspace.

mod bench;
mod cargo;
mod check;
mod ci;
mod deny;
mod difference;
mod examples;
mod failure;
mod faults;
mod layers;
mod nightly;
mod options;
mod tidy;
mod tokens;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Outcome};
use options::Options;
use workspace::Workspace;

/// Something that can be asked for by name.
struct Task {
    name: &'static str,
    about: &'static str,
    options: &'static [&'static str],
    run: fn(&Workspace, Options) -> Outcome,
}

/// Every task, in the order the list of them is printed.
const TASKS: &[Task] = &[
    task(
        "ci",
        "every check below, in order, up to the first that fails",
        &[],
        ci::run,
    ),
    task(
        "check",
        "minutes, not all: format, layers, tidy, clippy, the tests of the crates that changed",
        &[],
        check::run,
    ),
    task("fmt", "is the code formatted?", &[], cargo::fmt),
    task(
        "layers",
        "do the crates depend only on what the table allows?",
        &[],
        layers::run,
    ),
    task(
        "tidy",
        "file lengths, names, hidden state, machine paths",
        &["--bless"],
        tidy::run,
    ),
    task(
        "clippy",
        "lints, with all features, with none and with each of the facade's",
        &[],
        cargo::clippy,
    ),
    task("tests", "unit and integration tests", &[], cargo::tests),
    task(
        "doctests",
        "the code in the documentation",
        &[],
        cargo::doctests,
    ),
    task(
        "docs",
        "does the documentation build without a warning?",
        &[],
        cargo::docs,
    ),
    task(
        "examples",
        "do the examples print what they should?",
        &["--bless"],
        examples::run,
    ),
    task(
        "deny",
        "licences, bans and sources of the dependencies",
        &[],
        deny::run,
    ),
    task(
        "faults",
        "which rows of the fault table have a test?",
        &[],
        faults::run,
    ),
    task("bench", "measures the spine", &["--json"], bench::run),
    task(
        "nightly",
        "the tests again, with many more random cases",
        &[],
        nightly::run,
    ),
];

const fn task(
    name: &'static str,
    about: &'static str,
    options: &'static [&'static str],
    run: fn(&Workspace, Options) -> Outcome,
) -> Task {
    Task {
        name,
        about,
        options,
        run,
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match chosen(&words).and_then(|(task, options)| (task.run)(&Workspace::here()?, options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.exit_status())
        }
    }
}

/// Finds the task the words ask for and checks its options.
fn chosen(words: &[String]) -> Outcome<(&'static Task, Options)> {
    let Some((name, rest)) = words.split_first() else {
        return Err(Failure::Usage(format!("no task given\n{}", usage())));
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        return Err(Failure::Usage(format!(
            "no task named {name:?}\n{}",
            usage()
        )));
    };
    Ok((task, Options::parse(task.name, task.options, rest)?))
}

fn usage() -> String {
    let mut text = String::from("tasks (cargo xtask TASK):");
    for Task {
        name,
        about,
        options,
        ..
    } in TASKS
    {
        let options: String = options
            .iter()
            .map(|option| format!(" [{option}]"))
            .collect();
        text.push_str(&format!("\n  {:<20} {about}", format!("{name}{options}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn a_known_task_is_found_with_its_options() {
        let (task, options) = chosen(&words("tidy --bless")).unwrap();
        assert_eq!(
            (task.name, options.bless, options.json),
            ("tidy", true, false)
        );
    }

    #[test]
    fn an_unknown_task_lists_the_tasks_and_exits_with_2() {
        let failure = chosen(&words("tidi")).map(|_| ()).unwrap_err();
        assert_eq!(failure.exit_status(), 2);
        let text = failure.to_string();
        assert!(
            text.starts_with("no task named \"tidi\"\ntasks (cargo xtask TASK):\n"),
            "{text}"
        );
        for task in TASKS {
            assert!(text.contains(&format!("\n  {}", task.name)), "{text}");
        }
    }

    #[test]
    fn an_option_of_another_task_is_refused() {
        let failure = chosen(&words("fmt --bless")).map(|_| ()).unwrap_err();
        assert_eq!(failure.exit_status(), 2);
        assert_eq!(
            failure.to_string(),
            "fmt has no option \"--bless\"; it takes none"
        );
    }
}
