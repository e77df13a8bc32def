//! What each commit passes: the cheap checks of all, and the tests of the crates that changed.

use std::collections::BTreeSet;

use crate::ci::{Check, run_all};
use crate::failure::Outcome;
use crate::options::Options;
use crate::workspace::Workspace;
use crate::{cargo, layers, tidy};

const CHECKS: &[Check] = &[
    ("fmt", cargo::fmt),
    ("layers", layers::run),
    ("tidy", tidy::run),
    ("clippy", |workspace, _| cargo::clippy_all(workspace)),
    ("tests", tests),
];

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    run_all(CHECKS, workspace, options)
}

fn tests(workspace: &Workspace, _: Options) -> Outcome {
    let files = workspace.changed_files()?;
    let changed = changed(&files);
    if changed.is_empty() {
        println!("no crate changed");
        return Ok(());
    }
    cargo::tests_of(workspace, &changed)
}

/// The crates that these files belong to; the facade for the documentation, which it compiles.
fn changed(files: &[String]) -> BTreeSet<&str> {
    let crates = files.iter().filter_map(|file| {
        let (first, rest) = file.split_once('/')?;
        match first {
            "crates" => rest.split('/').next(),
            "examples" | "xtask" => Some(first),
            "docs" => Some("loomflow"),
            _ => None,
        }
    });
    crates.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_crate_whose_folder_it_lies_in() {
        let files = [
            "Cargo.lock",
            "crates/loom-core/src/lib.rs",
            "crates/loom-core/tests/suite/main.rs",
            "docs/guide/workflows.md",
            "xtask/src/check.rs",
        ]
        .map(String::from);
        let expected = ["loom-core", "loomflow", "xtask"];
        assert_eq!(changed(&files), BTreeSet::from(expected));
        assert_eq!(changed(&files[..1]), BTreeSet::new());
    }
}
