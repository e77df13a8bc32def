//! Each rule for Rust files is seen to fail and to pass.

use super::*;

const PATH: &str = "crates/a/src/lib.rs";
const ENVIRONMENT: &str =
    "the environment is read outside a function whose name ends in `from_env`";

fn found(path: &str, body: &str) -> Vec<(usize, String)> {
    let text = format!("//! A file.\n{body}");
    problems(path, &text)
        .into_iter()
        .map(|problem| (problem.line, problem.what))
        .collect()
}

#[test]
fn a_file_of_400_lines_passes_and_one_of_401_does_not() {
    assert_eq!(found(PATH, &"\n".repeat(399)), []);
    let expected = "the file has 401 lines, more than 400; one file, one idea";
    assert_eq!(found(PATH, &"\n".repeat(400)), [(401, expected.into())]);
}

#[test]
fn a_file_begins_by_saying_what_it_is_for() {
    let expected = Problem::new(
        PATH,
        1,
        "the first line isn't `//!`; say what the file is for",
    );
    assert_eq!(problems(PATH, "use std::fmt;\n"), [expected]);
    assert_eq!(problems(PATH, "//! Says it.\nuse std::fmt;\n"), []);
    assert_eq!(
        problems("crates/a/tests/ui/wrong_step.rs", "fn main() {}\n"),
        []
    );
}

#[test]
fn an_ignored_test_is_refused_wherever_it_hides() {
    let expected = "an ignored test skips silently; run it or remove it";
    for body in [
        "#[test]\n#[ignore]\nfn t() {}",
        "#[test]\n#[ignore = \"slow\"]\nfn t() {}",
        "#[test]\n#[cfg_attr(windows, ignore)]\nfn t() {}",
        "proptest! {\n#[ignore]\nfn t(x in 0..1) {} }",
    ] {
        assert_eq!(found(PATH, body), [(3, expected.into())], "{body}");
    }
    assert_eq!(
        found(
            PATH,
            "#[test]\nfn a_test() { let ignore = \"#[ignore]\"; drop(ignore) }"
        ),
        []
    );
}

#[test]
fn the_environment_is_read_where_the_name_says_so() {
    for body in [
        "fn key() { std::env::var(\"K\"); }",
        "fn key() { env::var_os(\"K\"); }",
        "fn key() { println!(\"{:?}\", std::env::var(\"K\")); }",
        "use std::env::{self, var};",
        "impl A { fn key() { let _ = std::env::vars(); } }",
    ] {
        assert_eq!(found(PATH, body), [(2, ENVIRONMENT.into())], "{body}");
    }
    for body in [
        "fn key_from_env() { std::env::var(\"K\"); }",
        "impl A { fn from_env() { let _ = || env::var(\"K\"); } }",
        "fn key_from_env() { println!(\"{:?}\", std::env::var(\"K\")); }",
        "fn key() { env!(\"K\"); std::env::args(); let var = 1; }",
        "use std::env;",
    ] {
        assert_eq!(found(PATH, body), [], "{body}");
    }
    for path in [
        "examples/a.rs",
        "xtask/src/main.rs",
        "crates/loom-cli/src/main.rs",
    ] {
        assert_eq!(found(path, "fn main() { std::env::var(\"K\"); }"), []);
    }
}

#[test]
fn a_library_does_not_rename_the_environment() {
    let expected = "`env` is renamed, which hides who reads the environment";
    for body in [
        "use std::env as e;",
        "use std::{env as e, fmt};",
        "use std::env::{self as e};",
        "fn from_env() { use std::env as e; }",
    ] {
        assert_eq!(found(PATH, body), [(2, expected.into())], "{body}");
        assert_eq!(found("xtask/src/main.rs", body), [], "{body}");
    }
    assert_eq!(found(PATH, "use std::{env, fmt as f};"), []);
}

#[test]
fn a_function_of_70_lines_passes_and_one_of_71_does_not() {
    for (head, tail) in [
        ("fn long() {", "}"),
        ("impl A {fn long(&self) {", "}}"),
        ("trait T {fn long() {", "}}"),
    ] {
        assert_eq!(found(PATH, &format!("{head}{}{tail}", "\n".repeat(69))), []);
        let expected = "`long` has 71 lines, more than 70";
        assert_eq!(
            found(PATH, &format!("{head}{}{tail}", "\n".repeat(70))),
            [(2, expected.into())]
        );
    }
}

#[test]
fn documentation_does_not_count_as_part_of_a_function() {
    let body = format!(
        "{}fn short() {{{}}}",
        "/// line\n".repeat(60),
        "\n".repeat(60)
    );
    assert_eq!(found(PATH, &body), []);
}

#[test]
fn only_rust_files_of_the_three_folders_are_ours() {
    assert!(
        is_ours("crates/a/src/lib.rs") && is_ours("examples/a.rs") && is_ours("xtask/src/main.rs")
    );
    assert!(!is_ours("docs/a.rs") && !is_ours("crates/a/README.md"));
}

#[test]
fn a_file_that_is_not_rust_is_told() {
    assert_eq!(found(PATH, "fn {")[0].0, 1);
    assert!(
        found(PATH, "fn 1() {}")[0]
            .1
            .starts_with("cannot be read as Rust: ")
    );
}
