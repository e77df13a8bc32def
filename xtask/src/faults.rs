//! Which rows of the fault table have a test?
//!
//! A row without a test doesn't fail; a test with a number that is in no row does.

mod table;

use std::collections::BTreeMap;

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::tokens::{self, Token};
use crate::workspace::Workspace;
use table::{FAULTS, Fault};

/// Tests by the number in their name.
type Tests = BTreeMap<u16, Vec<String>>;

pub(crate) fn run(workspace: &Workspace, _: Options) -> Outcome {
    let mut tests = Tests::new();
    for file in workspace
        .files()?
        .iter()
        .filter(|file| file.ends_with(".rs"))
    {
        for (number, name) in numbered_functions(&tokens::parse(file, &workspace.read(file)?)?) {
            tests
                .entry(number)
                .or_default()
                .push(format!("{file} {name}"));
        }
    }
    if tests.is_empty() {
        return Err(Failure::new("no test carries the number of a row"));
    }
    print!("{}", report(&tests));
    unknown(&tests)
}

/// Tests named `fNNN_…`, also inside macro calls such as `proptest!`, where they carry `#[test]` as well.
fn numbered_functions(tokens: &[Token]) -> Vec<(u16, String)> {
    let pairs = tokens.windows(2).enumerate();
    pairs
        .filter(|(at, pair)| pair[0].text == "fn" && is_test(&tokens[..*at]))
        .filter_map(|(_, pair)| Some((number(&pair[1].text)?, pair[1].text.clone())))
        .collect()
}

/// Whether the tokens before a `fn` end in attributes one of which makes a test of it.
fn is_test(before: &[Token]) -> bool {
    let is_word = |token: &&Token| ["pub", "const", "async", "unsafe"].contains(&&*token.text);
    let words = before.iter().rev().take_while(is_word).count();
    let mut rest = &before[..before.len() - words];
    while let Some((earlier, attribute)) = last_attribute(rest) {
        if makes_a_test(attribute) {
            return true;
        }
        rest = earlier;
    }
    false
}

/// What stands before the `#[…]` that the tokens end in, and what is between its brackets.
fn last_attribute(tokens: &[Token]) -> Option<(&[Token], &[Token])> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        match token.text.as_str() {
            "]" => depth += 1,
            "[" => depth -= 1,
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let (earlier, hash) = tokens[..at].split_at_checked(at.checked_sub(1)?)?;
        let inside = tokens.get(at + 1..tokens.len() - 1)?;
        return (hash[0].text == "#").then_some((earlier, inside));
    }
    None
}

/// `test` and `tokio::test(…)` do, `cfg(test)` doesn't.
fn makes_a_test(attribute: &[Token]) -> bool {
    let path = attribute.iter().take_while(|token| token.text != "(");
    path.last().is_some_and(|name| name.text == "test")
}

/// `f016_torn_last_line` is about row 16.
fn number(function: &str) -> Option<u16> {
    let (digits, _) = function.strip_prefix('f')?.split_once('_')?;
    let is_number = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

fn report(tests: &Tests) -> String {
    let tested = |fault: &&Fault| tests.contains_key(&fault.number);
    let waiting = |fault: &&Fault| fault.waits_for.is_some();
    let mut text = String::from("rows with a test\n");
    for fault in FAULTS.iter().filter(tested) {
        text.push_str(&line(fault));
        for test in &tests[&fault.number] {
            text.push_str(&format!("        {test}\n"));
        }
    }
    text.push_str("rows without a test\n");
    text.extend(
        FAULTS
            .iter()
            .filter(|it| !tested(it) && !waiting(it))
            .map(line),
    );
    text.push_str("rows that wait for their part\n");
    text.extend(
        FAULTS
            .iter()
            .filter(|it| !tested(it) && waiting(it))
            .map(line),
    );
    let waiting = FAULTS
        .iter()
        .filter(|it| !tested(it) && waiting(it))
        .count();
    let tested = FAULTS.iter().filter(tested).count();
    let untested = FAULTS.len() - tested - waiting;
    text.push_str(&format!(
        "{tested} with a test, {untested} without, {waiting} waiting\n"
    ));
    text
}

fn line(fault: &Fault) -> String {
    let waits = fault
        .waits_for
        .map(|part| format!(" (waits for {part})"))
        .unwrap_or_default();
    format!("  {:>4}  {}{waits}\n", fault.number, fault.title)
}

fn unknown(tests: &Tests) -> Outcome {
    let is_known = |number: &u16| FAULTS.iter().any(|fault| fault.number == *number);
    let unknown = tests
        .iter()
        .filter(|(number, _)| !is_known(number))
        .flat_map(|(_, tests)| tests);
    let unknown: Vec<&str> = unknown.map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "tests for rows that aren't in 1 to {}:\n{}",
        FAULTS.len(),
        unknown.join("\n")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_1_to_92_without_a_gap() {
        let numbers: Vec<u16> = FAULTS.iter().map(|fault| fault.number).collect();
        assert_eq!(numbers, (1..=92).collect::<Vec<u16>>());
    }

    #[test]
    fn numbered_tests_are_found_in_and_out_of_macros() {
        let source = "#[test] fn f016_torn() {} proptest! { #[test] fn f041_edges(x in 0..1) {} }
            #[test] fn f16_no() {} #[test] fn free_16() {} #[test] fn f01a_no() {}
            const NOT: &str = \"#[test] fn f017_in_a_string\";";
        let found = numbered_functions(&tokens::parse("a.rs", source).unwrap());
        assert_eq!(found, [(16, "f016_torn".into()), (41, "f041_edges".into())]);
    }

    #[test]
    fn a_numbered_function_counts_with_a_test_attribute_alone() {
        let source = "
            #[tokio::test(flavor = \"current_thread\")] /// Says [what].
            #[allow(dead_code)] pub async fn f001_first() {}
            fn f002_no_attribute() {}
            #[cfg(test)] fn f003_no_test() {}
            #[test] fn other() {} fn f004_after_a_test() {}
            const A: [u8; 1] = [1]; fn f005_after_brackets() {}";
        let found = numbered_functions(&tokens::parse("a.rs", source).unwrap());
        assert_eq!(found, [(1, "f001_first".into())]);
        for source in ["fn f001_a() {}", "[test] fn f001_a() {}"] {
            let found = numbered_functions(&tokens::parse("a.rs", source).unwrap());
            assert_eq!(found, [], "{source}");
        }
    }

    #[test]
    fn no_test_at_all_fails() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let workspace = Workspace { root };
        workspace.write("Cargo.toml", "").unwrap();
        let git = std::process::Command::new("git")
            .args(["init", "--quiet"])
            .current_dir(folder.path())
            .status();
        assert!(git.unwrap().success());
        let failure = run(&workspace, Options::default()).unwrap_err();
        assert_eq!(failure.to_string(), "no test carries the number of a row");
    }

    #[test]
    fn the_report_sorts_rows_into_three_kinds() {
        let tests = Tests::from([
            (16, vec!["a.rs f016_torn".into()]),
            (92, vec!["b.rs f092_settings".into()]),
        ]);
        let text = report(&tests);
        assert!(
            text.starts_with(
                "rows with a test\n    16  last line torn\n        a.rs f016_torn\n    92  "
            ),
            "{text}"
        );
        assert!(
            text.contains("\nrows without a test\n     1  killed while appending\n"),
            "{text}"
        );
        assert!(
            text.contains("    86  an MCP server changes a tool (waits for MCP)\n"),
            "{text}"
        );
        assert!(
            text.ends_with("2 with a test, 81 without, 9 waiting\n"),
            "{text}"
        );
    }

    #[test]
    fn a_number_without_a_row_fails() {
        let tests = Tests::from([(93, vec!["a.rs f093_more".into()])]);
        let failure = unknown(&tests).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "tests for rows that aren't in 1 to 92:\na.rs f093_more"
        );
        assert!(unknown(&Tests::from([(92, vec!["a.rs f092_x".into()])])).is_ok());
    }
}
