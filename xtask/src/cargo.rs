//! The checks that are one call of cargo each.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;

pub(crate) fn fmt(workspace: &Workspace, _: Options) -> Outcome {
    cargo(workspace, &["fmt", "--all", "--check"], &[])
}

/// What clippy looks at, run by run.
///
/// Packages chosen together share their features, so code that only compiles with one on is found where the facade
/// stands alone, without `examples`, which asks for all.
const LINTED: &[&str] = &[
    "--workspace --all-targets --all-features",
    "-p loomflow --all-targets --no-default-features",
    "-p loomflow --no-default-features --features agents",
    "-p loomflow --no-default-features --features audit",
    "-p loomflow --no-default-features --features otel",
    "-p loomflow --no-default-features --features svg",
    "-p loom-core -p loom-testing -p loom-agent -p loom-workflow -p loom-audit -p loom-otel --no-default-features",
];

pub(crate) fn clippy(workspace: &Workspace, _: Options) -> Outcome {
    LINTED.iter().try_for_each(|it| linted(workspace, it))
}

/// The first of the runs alone, which sees nearly everything.
pub(crate) fn clippy_all(workspace: &Workspace) -> Outcome {
    linted(workspace, LINTED[0])
}

fn linted(workspace: &Workspace, chosen: &str) -> Outcome {
    println!("clippy {chosen}");
    let mut arguments = vec!["clippy"];
    arguments.extend(chosen.split(' '));
    arguments.extend(["--", "-D", "warnings"]);
    cargo(workspace, &arguments, &[])
}

pub(crate) fn tests(workspace: &Workspace, _: Options) -> Outcome {
    tests_with(workspace, &[])
}

/// Runs the unit and integration tests with further environment variables set.
pub(crate) fn tests_with(workspace: &Workspace, variables: &[(&str, &str)]) -> Outcome {
    tests_in(workspace, &["--workspace"], variables)
}

/// Runs the unit and integration tests of these packages.
pub(crate) fn tests_of(workspace: &Workspace, packages: &BTreeSet<&str>) -> Outcome {
    let chosen: Vec<&str> = packages.iter().flat_map(|it| ["-p", *it]).collect();
    tests_in(workspace, &chosen, &[])
}

/// Without nextest the targets are named, since `--all-targets` would also run the benches; that
/// benches and examples compile is seen by `clippy` before.
fn tests_in(workspace: &Workspace, chosen: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let (runner, targets): (&[&str], &[&str]) = match is_installed("nextest") {
        true => (&["nextest", "run"], &[]),
        false => (&["test"], &["--lib", "--bins", "--tests"]),
    };
    let arguments = [runner, chosen, &["--all-features"], targets].concat();
    cargo(workspace, &arguments, variables)
}

pub(crate) fn doctests(workspace: &Workspace, _: Options) -> Outcome {
    cargo(
        workspace,
        &["test", "--workspace", "--all-features", "--doc"],
        &[],
    )
}

pub(crate) fn docs(workspace: &Workspace, _: Options) -> Outcome {
    cargo(
        workspace,
        &["doc", "--workspace", "--all-features", "--no-deps"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}

/// Whether `cargo NAME` exists.
pub(crate) fn is_installed(name: &str) -> bool {
    Command::new("cargo")
        .args([name, "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs cargo with its output going straight to the terminal.
pub(crate) fn cargo(
    workspace: &Workspace,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Outcome {
    let mut command = Command::new("cargo");
    command.args(arguments).envs(variables.iter().copied());
    run(workspace, &mut command)
}

/// Runs a command from the root without input; anything but exit status 0 is a failure that repeats the command.
pub(crate) fn run(workspace: &Workspace, command: &mut Command) -> Outcome {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    let status = command
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::new(format!("cannot start `{line}`: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{line}` failed ({status})")))
}
