//! The checks that are one call of cargo each.

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
    for linted in LINTED {
        println!("clippy {linted}");
        let mut arguments = vec!["clippy"];
        arguments.extend(linted.split(' '));
        arguments.extend(["--", "-D", "warnings"]);
        cargo(workspace, &arguments, &[])?;
    }
    Ok(())
}

pub(crate) fn tests(workspace: &Workspace, _: Options) -> Outcome {
    tests_with(workspace, &[])
}

/// Runs the unit and integration tests with further environment variables set.
///
/// Without nextest the targets are named, since `--all-targets` would also run the benches; that benches and
/// examples compile is seen by `clippy` before.
pub(crate) fn tests_with(workspace: &Workspace, variables: &[(&str, &str)]) -> Outcome {
    if is_installed("nextest") {
        return cargo(
            workspace,
            &["nextest", "run", "--workspace", "--all-features"],
            variables,
        );
    }
    println!("cargo-nextest isn't installed: the same tests run with cargo test");
    cargo(
        workspace,
        &[
            "test",
            "--workspace",
            "--all-features",
            "--lib",
            "--bins",
            "--tests",
        ],
        variables,
    )
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
