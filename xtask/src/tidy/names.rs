//! Names that say nothing, and files that hide which folder they are about.

use super::Problem;

/// A file or folder named so attracts whatever has no better place.
const SAYS_NOTHING: &[&str] = &["util", "utils", "common", "helper", "helpers"];

pub(super) fn problems(path: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for part in path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        if SAYS_NOTHING.contains(&stem) {
            problems.push(Problem::new(
                path,
                1,
                format!("the name {stem:?} says nothing; name what it holds"),
            ));
        }
    }
    if path.ends_with("/mod.rs") {
        problems.push(Problem::new(
            path,
            1,
            "mod.rs is refused; name the file after its module, beside the folder",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_refused_for_files_and_folders() {
        for path in [
            "crates/a/src/utils.rs",
            "crates/a/tests/common/events.rs",
            "docs/helpers.md",
            "a/util/b",
        ] {
            let problems = problems(path);
            assert_eq!(problems.len(), 1, "{path}");
            assert!(
                problems[0]
                    .what
                    .ends_with("says nothing; name what it holds"),
                "{path}"
            );
        }
    }

    #[test]
    fn mod_rs_is_refused() {
        let problems = problems("crates/a/src/door/mod.rs");
        assert_eq!(
            problems,
            [Problem::new(
                "crates/a/src/door/mod.rs",
                1,
                "mod.rs is refused; name the file after its module, beside the folder"
            )]
        );
    }

    #[test]
    fn other_names_pass() {
        for path in [
            "crates/a/src/door.rs",
            "docs/uncommon.md",
            "crates/a/src/utility_bill.rs",
            ".ci/run",
        ] {
            assert_eq!(problems(path), [], "{path}");
        }
    }
}
