//! Do the public items of each library crate equal `api/CRATE.txt`?
//!
//! rustdoc's JSON needs a nightly compiler, so the sources are read with `syn`: modules are followed from `lib.rs`,
//! re-exports to what they name, and each public item becomes one line under its public path. Of items that a macro
//! call makes only those of simple macros are seen; a re-export of another is listed with the path it was written
//! with.

mod expand;
mod load;
mod path;
mod print;
mod print_impl;
mod reach;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::difference::difference;
use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    let libraries = libraries(workspace)?;
    let mut found = BTreeMap::new();
    for library in &libraries {
        found.insert(
            format!("api/{}.txt", library.package),
            listing(&library.name, &library.source)?,
        );
    }
    let committed = committed(workspace)?;
    if options.bless {
        return bless(workspace, &committed, &found);
    }
    let differences = differences(&committed, &found);
    if differences.is_empty() {
        println!(
            "the public items of {} crates are the committed ones",
            libraries.len()
        );
        return Ok(());
    }
    let why = "public items changed; if that is meant, run `cargo xtask api --bless` and commit api/ with the change";
    Err(Failure::new(format!("{why}\n{}", differences.join("\n"))))
}

/// The text of each file, by its path from the root.
type Files = BTreeMap<String, String>;

fn committed(workspace: &Workspace) -> Outcome<Files> {
    let files = workspace.files()?;
    let files = files.into_iter().filter(|file| file.starts_with("api/"));
    files
        .map(|file| Ok((file.clone(), workspace.read(&file)?)))
        .collect()
}

fn differences(committed: &Files, found: &Files) -> Vec<String> {
    let mut differences = Vec::new();
    for (file, text) in found {
        match committed.get(file) {
            Some(committed) => differences.extend(difference(file, committed, text)),
            None => differences.push(format!("{file} is missing")),
        }
    }
    let left_over = committed.keys().filter(|file| !found.contains_key(*file));
    differences.extend(left_over.map(|file| format!("{file} belongs to no library crate")));
    differences
}

fn bless(workspace: &Workspace, committed: &Files, found: &Files) -> Outcome {
    for (file, text) in found {
        workspace.write(file, text)?;
    }
    for file in committed.keys().filter(|file| !found.contains_key(*file)) {
        std::fs::remove_file(workspace.path(file))
            .map_err(|error| Failure::new(format!("cannot remove {file}: {error}")))?;
    }
    println!("wrote the public items of {} crates", found.len());
    Ok(())
}

struct Library {
    package: String,
    name: String,
    source: PathBuf,
}

/// The libraries under `crates/`; examples and xtask have none that anyone depends on.
fn libraries(workspace: &Workspace) -> Outcome<Vec<Library>> {
    let crates = workspace.path("crates");
    let metadata = workspace.metadata()?;
    let mut libraries = Vec::new();
    for package in metadata
        .members()
        .filter(|package| package.manifest_path.starts_with(&crates))
    {
        for target in package
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "lib"))
        {
            libraries.push(Library {
                package: package.name.clone(),
                name: target.name.replace('-', "_"),
                source: target.src_path.clone(),
            });
        }
    }
    if libraries.is_empty() {
        let crates = crates.display();
        return Err(Failure::new(format!("there is no library in {crates}")));
    }
    Ok(libraries)
}

/// One sorted line for each public item of the crate whose `lib.rs` this is.
fn listing(name: &str, source: &Path) -> Outcome<String> {
    let krate = load::Crate::load(name, source)?;
    let reach = reach::Reach::of(&krate);
    let mut lines = print::lines(&krate, &reach);
    lines.extend(print_impl::lines(&krate, &reach));
    lines.sort();
    lines.dedup();
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests;
