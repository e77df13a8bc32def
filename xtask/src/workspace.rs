//! Where the workspace is, which files it has, and what cargo knows about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::failure::{Failure, Outcome};

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// The workspace of the `cargo run` or `cargo test` this is part of, else the one around the current folder.
    ///
    /// Asked for at run time: checkouts that share a target folder share this program too.
    pub(crate) fn here() -> Outcome<Self> {
        let inside = std::env::var_os("CARGO_MANIFEST_DIR").map_or(".".into(), PathBuf::from);
        let inside = Self { root: inside };
        let manifest = inside.output(
            "cargo",
            &["locate-project", "--workspace", "--message-format", "plain"],
        )?;
        let root = Path::new(manifest.trim_end()).parent();
        let root = root.ok_or_else(|| Failure::new("cargo names no manifest of the workspace"))?;
        Ok(Self { root: root.into() })
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// What cargo resolved with every feature on.
    pub(crate) fn metadata(&self) -> Outcome<Metadata> {
        let text = self.output(
            "cargo",
            &["metadata", "--format-version", "1", "--all-features"],
        )?;
        Metadata::parse(&text)
    }

    /// Every file that is tracked or could be, relative to the root, sorted.
    pub(crate) fn files(&self) -> Outcome<Vec<String>> {
        let text = self.output("git", &["ls-files", "-z", "-co", "--exclude-standard"])?;
        let mut files: Vec<String> = text
            .split('\0')
            .filter(|it| !it.is_empty())
            .map(String::from)
            .collect();
        files.sort();
        files.dedup();
        // git also lists a tracked file that was deleted in the working tree.
        files.retain(|file| self.path(file).is_file());
        // A check of no files passes: git may stand in another repository, or ignore all of this one.
        if !files.iter().any(|file| file == "Cargo.toml") {
            let root = self.root.display();
            return Err(Failure::new(format!(
                "git lists {} files in {root}, without Cargo.toml",
                files.len()
            )));
        }
        Ok(files)
    }

    /// The files that differ from the last commit, or else those that it changed.
    pub(crate) fn changed_files(&self) -> Outcome<Vec<String>> {
        let lines = |text: String| -> Vec<String> { text.lines().map(String::from).collect() };
        let mut files = lines(self.output("git", &["diff", "--name-only", "HEAD"])?);
        let untracked = ["ls-files", "--others", "--exclude-standard"];
        files.extend(lines(self.output("git", &untracked)?));
        if files.is_empty() {
            let of_commit = ["show", "--format=", "--name-only", "HEAD"];
            files = lines(self.output("git", &of_commit)?);
        }
        Ok(files)
    }

    /// How many crates are compiled for a package without features, itself included; what only its
    /// tests need isn't.
    pub(crate) fn crates_of(&self, package: &str) -> Outcome<usize> {
        let text = self.output(
            "cargo",
            &[
                "tree",
                "--package",
                package,
                "--edges",
                "normal,build",
                "--prefix",
                "none",
                "--no-dedupe",
                "--format",
                "{p}",
            ],
        )?;
        // A macro says so behind its name, wherever it comes from.
        let crates = text.lines().filter_map(|line| line.split(" (").next());
        Ok(crates.collect::<BTreeSet<_>>().len())
    }

    pub(crate) fn read(&self, relative: &str) -> Outcome<String> {
        read(&self.path(relative))
    }

    pub(crate) fn write(&self, relative: &str, text: &str) -> Outcome {
        write(&self.path(relative), text)
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Outcome<String> {
        let line = format!("{program} {}", arguments.join(" "));
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.root)
            .output()
            .map_err(|error| Failure::new(format!("cannot start `{line}`: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!(
                "`{line}` failed ({}):\n{said}",
                output.status
            )));
        }
        String::from_utf8(output.stdout).map_err(|error| {
            Failure::new(format!(
                "`{line}` printed something that isn't UTF-8: {error}"
            ))
        })
    }
}

pub(crate) fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

/// Writes the file and the folders above it.
pub(crate) fn write(path: &Path, text: &str) -> Outcome {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// The part of `cargo metadata` that the checks look at.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Option<Resolve>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    #[serde(default)]
    pub(crate) features: std::collections::BTreeMap<String, Vec<String>>,
    id: String,
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One declared dependency, under its real name even where it is renamed.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` is a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    features: Vec<String>,
}

impl Metadata {
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        serde_json::from_str(text).map_err(|error| {
            Failure::new(format!("cannot read the output of cargo metadata: {error}"))
        })
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The features that are on in any resolved version of a package; `None` if no version is resolved.
    pub(crate) fn features_of(&self, name: &str) -> Option<Vec<&str>> {
        let named = |node: &&Node| {
            self.packages
                .iter()
                .any(|package| package.name == name && package.id == node.id)
        };
        let nodes: Vec<&Node> = self.resolve.as_ref()?.nodes.iter().filter(named).collect();
        if nodes.is_empty() {
            return None;
        }
        let features = nodes.iter().flat_map(|node| &node.features);
        Some(features.map(String::as_str).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_found_and_lists_its_files() {
        let workspace = Workspace::here().unwrap();
        let files = workspace.files().unwrap();
        assert!(files.contains(&"xtask/src/workspace.rs".to_string()));
    }

    #[test]
    fn a_list_of_files_without_cargo_toml_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            root: folder.path().into(),
        };
        workspace.output("git", &["init", "--quiet"]).unwrap();
        let root = folder.path().display();
        assert_eq!(
            workspace.files().unwrap_err().to_string(),
            format!("git lists 0 files in {root}, without Cargo.toml")
        );
        workspace.write("Cargo.toml", "").unwrap();
        assert_eq!(workspace.files().unwrap(), ["Cargo.toml"]);
    }
}
