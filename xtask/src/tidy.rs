//! Rules a compiler doesn't check: lengths, names, hidden state, machine paths, the drawn arrows.
//!
//! Each rule is a function from text to problems; all problems of all files are told at once.

mod arrows;
mod features;
mod names;
mod source;
mod text;

use std::fmt;

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;

/// Something wrong at a place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    path: String,
    line: usize,
    what: String,
}

impl Problem {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    if options.bless {
        arrows::bless(workspace)?;
    }
    let files = workspace.files()?;
    if !files.iter().any(|file| source::is_ours(file)) {
        return Err(Failure::new("there is no Rust file to look at"));
    }
    let mut problems = Vec::new();
    for file in &files {
        problems.extend(names::problems(file));
        problems.extend(content(workspace, file)?);
    }
    problems.extend(arrows::problems(workspace)?);
    problems.extend(features::problems(&workspace.metadata()?));
    problems.sort();
    if problems.is_empty() {
        println!("{} files are tidy", files.len());
        return Ok(());
    }
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Err(Failure::new(format!(
        "{} problems\n{}",
        problems.len(),
        lines.join("\n")
    )))
}

/// What the rules find inside one file; one that isn't all text may still hold a path.
fn content(workspace: &Workspace, file: &str) -> Outcome<Vec<Problem>> {
    let bytes = std::fs::read(workspace.path(file))
        .map_err(|error| Failure::new(format!("cannot read {file}: {error}")))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut problems = text::problems(file, &text);
    if source::is_ours(file) {
        problems.extend(source::problems(file, &text));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_all_text_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            root: folder.path().into(),
        };
        let bytes = [b"\xff\n\xfe", concat!("/ro", "ot/x").as_bytes()].concat();
        std::fs::write(workspace.path("a.bin"), bytes).unwrap();
        let lines = content(&workspace, "a.bin").unwrap();
        assert_eq!(lines.iter().map(|it| it.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_problem_reads_as_path_line_and_what() {
        let problem = Problem::new("crates/a/src/lib.rs", 7, "too long");
        assert_eq!(problem.to_string(), "crates/a/src/lib.rs:7: too long");
    }
}
