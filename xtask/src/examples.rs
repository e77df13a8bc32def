//! Does every example print, to the letter, what its expected file says?
//!
//! `examples/NAME.rs` is compared with `examples/expected/NAME.txt` and with each `NAME.CASE.txt`. An expected file
//! may begin with a line `$ ARGUMENTS`, split as a shell would without expanding anything.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::difference::difference;
use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::{Workspace, read, write};

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    let folder = workspace.path("examples");
    let expected = folder.join("expected");
    let names = stems(&folder, ".rs")?
        .into_iter()
        .filter(|name| name != "lib")
        .collect::<Vec<_>>();
    if names.is_empty() {
        let folder = folder.display();
        return Err(Failure::new(format!("there is no example in {folder}")));
    }
    let files = if expected.is_dir() {
        stems(&expected, ".txt")?
    } else {
        Vec::new()
    };
    let mut cases = sorted_into(&names, &files)?;
    if options.bless {
        cases
            .iter_mut()
            .filter(|(_, files)| files.is_empty())
            .for_each(|(name, files)| files.push(name.clone()));
    }
    let mut failures = Vec::new();
    for (name, files) in &cases {
        if files.is_empty() {
            failures.push(format!(
                "{name} has no examples/expected/{name}.txt; write one with --bless"
            ));
        }
        for file in files {
            let path = expected.join(format!("{file}.txt"));
            println!("example {file}");
            failures.extend(one(workspace, name, &path, options)?);
        }
    }
    if failures.is_empty() {
        println!("{} examples print what they should", cases.len());
        return Ok(());
    }
    Err(Failure::new(failures.join("\n")))
}

/// Runs one case; gives what is wrong with it, if anything.
fn one(
    workspace: &Workspace,
    name: &str,
    path: &Path,
    options: Options,
) -> Outcome<Option<String>> {
    let committed = if path.is_file() {
        read(path)?
    } else {
        String::new()
    };
    let (first, arguments, expected) = parts(&committed)?;
    let output = Command::new("cargo")
        .args([
            "run",
            "--quiet",
            "--package",
            "examples",
            "--example",
            name,
            "--",
        ])
        .args(&arguments)
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| Failure::new(format!("cannot start cargo: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Ok(Some(format!(
            "example {name} failed ({}):\n{said}",
            output.status
        )));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    if options.bless {
        write(path, &format!("{first}{printed}"))?;
        return Ok(None);
    }
    let shown = path
        .strip_prefix(&workspace.root)
        .unwrap_or(path)
        .display()
        .to_string();
    Ok(difference(&shown, expected, &printed))
}

/// The stems of the files in a folder that end so, sorted.
fn stems(folder: &Path, ending: &str) -> Outcome<Vec<String>> {
    let cannot = |error| Failure::new(format!("cannot list {}: {error}", folder.display()));
    let mut stems = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let name = entry
            .map_err(cannot)?
            .file_name()
            .to_string_lossy()
            .into_owned();
        stems.extend(name.strip_suffix(ending).map(String::from));
    }
    stems.sort();
    Ok(stems)
}

/// The expected files of each example; one that belongs to no example is refused, since nothing would read it.
fn sorted_into(names: &[String], files: &[String]) -> Outcome<BTreeMap<String, Vec<String>>> {
    let mut cases: BTreeMap<String, Vec<String>> = names
        .iter()
        .map(|name| (name.clone(), Vec::new()))
        .collect();
    for file in files {
        let name = file.split('.').next().unwrap_or(file);
        match cases.get_mut(name) {
            Some(files) => files.push(file.clone()),
            None => {
                return Err(Failure::new(format!(
                    "examples/expected/{file}.txt belongs to no example; there are {}",
                    names.join(", ")
                )));
            }
        }
    }
    Ok(cases)
}

/// The `$ ARGUMENTS` line as it stands, the arguments in it, and the text after it.
fn parts(text: &str) -> Outcome<(&str, Vec<String>, &str)> {
    if !text.starts_with("$ ") {
        return Ok(("", Vec::new(), text));
    }
    let end = text.find('\n').map_or(text.len(), |at| at + 1);
    let (first, expected) = text.split_at(end);
    Ok((first, arguments(first[2..].trim_end())?, expected))
}

/// Splits at spaces; single and double quotes keep what is between them together.
fn arguments(line: &str) -> Outcome<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut quote: Option<char> = None;
    let mut in_word = false;
    for letter in line.chars() {
        let opens = quote.is_none() && (letter == '"' || letter == '\'');
        let closes = quote == Some(letter);
        if quote.is_none() && letter == ' ' {
            in_word = false;
            continue;
        }
        if !in_word {
            words.push(String::new());
            in_word = true;
        }
        match words.last_mut() {
            _ if opens => quote = Some(letter),
            _ if closes => quote = None,
            Some(word) => word.push(letter),
            None => {}
        }
    }
    match quote {
        None => Ok(words),
        Some(open) => Err(Failure::new(format!(
            "the arguments `{line}` leave a {open} open"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_like_a_shell_would() {
        assert_eq!(
            arguments("verify 'a b' --user=\"o'neill\"  ''").unwrap(),
            ["verify", "a b", "--user=o'neill", ""]
        );
        assert_eq!(arguments("").unwrap(), Vec::<String>::new());
        assert_eq!(
            arguments("a 'b").unwrap_err().to_string(),
            "the arguments `a 'b` leave a ' open"
        );
    }

    #[test]
    fn a_first_line_with_a_dollar_gives_the_arguments() {
        let (first, arguments, expected) = parts("$ one two\nhello\n").unwrap();
        assert_eq!(
            (first, arguments, expected),
            ("$ one two\n", vec!["one".into(), "two".into()], "hello\n")
        );
        assert_eq!(parts("hello\n").unwrap(), ("", vec![], "hello\n"));
    }

    #[test]
    fn expected_files_are_sorted_into_their_examples() {
        let names = ["chain".to_string(), "route".into()];
        let files = ["chain".to_string(), "chain.german".into()];
        let cases = sorted_into(&names, &files).unwrap();
        assert_eq!(cases["chain"], files);
        assert_eq!(cases["route"], Vec::<String>::new());
    }

    #[test]
    fn an_expected_file_without_an_example_is_refused() {
        let failure = sorted_into(&["chain".to_string()], &["chian".to_string()]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "examples/expected/chian.txt belongs to no example; there are chain"
        );
    }

    #[test]
    fn a_folder_without_examples_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            root: folder.path().into(),
        };
        workspace.write("examples/lib.rs", "").unwrap();
        let failure = run(&workspace, Options::default()).unwrap_err();
        let expected = format!(
            "there is no example in {}",
            workspace.path("examples").display()
        );
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn the_stems_of_a_folder_are_sorted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.rs", "a.rs", "Cargo.toml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(stems(folder.path(), ".rs").unwrap(), ["a", "b"]);
    }
}
