//! Every check in order, up to the first that fails.

use std::time::Instant;

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;
use crate::{cargo, deny, examples, faults, layers, tidy};

pub(crate) type Check = (&'static str, fn(&Workspace, Options) -> Outcome);

/// Cheap checks stand before those that compile, so that a small slip is told at once.
const CHECKS: &[Check] = &[
    ("fmt", cargo::fmt),
    ("layers", layers::run),
    ("tidy", tidy::run),
    ("faults", faults::run),
    ("clippy", cargo::clippy),
    ("tests", cargo::tests),
    ("doctests", cargo::doctests),
    ("docs", cargo::docs),
    ("examples", examples::run),
    ("deny", deny::run),
];

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    let begun = Instant::now();
    run_all(CHECKS, workspace, options)?;
    println!(
        "\nall checks together took {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    // Runners of CI jobs read this form; the last test runner's own line may be about a crate without doctests.
    println!("checks: {} passed, 0 failed", CHECKS.len());
    Ok(())
}

pub(crate) fn run_all(checks: &[Check], workspace: &Workspace, options: Options) -> Outcome {
    for (name, check) in checks {
        println!("\n==== {name}");
        let begun = Instant::now();
        check(workspace, options).map_err(|failure| {
            Failure::new(format!(
                "the check `{name}` failed (alone: cargo xtask {name}): {failure}"
            ))
        })?;
        println!(
            "==== {name} passed in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stops_and_names_its_check() {
        let checks: &[Check] = &[
            ("good", |_, _| Ok(())),
            ("bad", |_, _| Err(Failure::new("two files are wrong"))),
            ("never", |_, _| panic!("ran after a failure")),
        ];
        let failure = run_all(checks, &Workspace::here().unwrap(), Options::default()).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "the check `bad` failed (alone: cargo xtask bad): two files are wrong"
        );
    }
}
