//! Traces of the machine a file was written on and of where its packages came from, and examples that never run.

use super::Problem;

/// Folders of a developer's machine. Written in halves, so that this file doesn't find itself.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk"),
    concat!("/ro", "ot"),
    concat!("/ho", "me/"),
    concat!("/fa", "rm/"),
    concat!("/Us", "ers/"),
    concat!(".libr", "ary"),
];

/// The same on a drive of Windows, as it is and inside a string literal.
const DRIVE_PATHS: &[&str] = &[concat!(":\\Us", "ers\\"), concat!(":\\\\Us", "ers\\\\")];

/// Parts of host names that only a package registry or a mirror of one has.
const REGISTRIES: &[&str] = &["crates.", "pythonhosted", "pypi.", "npmjs", "debian."];

/// The only place Cargo.lock may take a package from.
const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub(super) fn problems(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut tell = |what: String| problems.push(Problem::new(path, index + 1, what));
        if let Some(found) = machine_path(line) {
            tell(format!("{found:?} is a path of one machine"));
        }
        if let Some(host) =
            hosts(line).find(|host| REGISTRIES.iter().any(|part| host.contains(part)))
        {
            tell(format!(
                "{host} is a package registry's host; name the package instead"
            ));
        }
        if path.ends_with("Cargo.lock") && line.starts_with("source = ") && line != CRATES_IO {
            tell("a source other than the standard registry".into());
        }
        if is_cargo_settings(path) && replaces_source(line) {
            tell(
                "another source of packages is set; a machine sets its own outside the tree".into(),
            );
        }
        if opens_ignored_block(line) {
            tell("an ignored code block is never compiled; run it, or mark it `text`".into());
        }
    }
    problems
}

/// A path counts where it begins, not inside a longer one such as `src/` followed by the same word.
fn machine_path(line: &str) -> Option<&'static str> {
    let mut drives = DRIVE_PATHS.iter().copied();
    let begins_and_ends = |pattern: &&str| {
        line.match_indices(pattern).any(|(at, _)| {
            begins_a_path(&line[..at]) && ends_a_name(pattern, &line[at + pattern.len()..])
        })
    };
    drives
        .find(|pattern| line.contains(pattern))
        .or_else(|| MACHINE_PATHS.iter().copied().find(begins_and_ends))
}

/// A placeholder such as `{folder}` or `$(folder)` is the beginning of a longer path as well.
fn begins_a_path(before: &str) -> bool {
    let is_in_path = |it: char| it.is_alphanumeric() || "_-.~})".contains(it);
    !before.ends_with(is_in_path)
}

/// A name must end where the pattern does, unless the pattern ends in a slash and so has ended it.
fn ends_a_name(pattern: &str, after: &str) -> bool {
    let is_name = |it: char| it.is_alphanumeric() || it == '_' || it == '-';
    // A full stop ends a sentence, or goes on as in `name.rs`.
    let after = after.strip_prefix('.').unwrap_or(after);
    pattern.ends_with('/') || !after.starts_with(is_name)
}

fn is_cargo_settings(path: &str) -> bool {
    path.starts_with(".cargo/") || path.contains("/.cargo/")
}

/// `[source.NAME]`, or the same as a dotted key.
fn replaces_source(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches('[').trim_start();
    let after = line.strip_prefix("source").map(str::trim_start);
    after.is_some_and(|after| after.starts_with(['.', ']']))
}

/// A fence, in a page or in a comment, with `ignore` among the words after it.
fn opens_ignored_block(line: &str) -> bool {
    let line = line.trim_start_matches(|it: char| it.is_whitespace() || "/!*>".contains(it));
    let Some(words) = line.strip_prefix("```") else {
        return false;
    };
    let is_between = |it: char| !it.is_alphanumeric() && it != '_';
    words.split(is_between).any(|word| word == "ignore")
}

/// The host of every address in the line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let starts = ["https://", "http://"];
    starts
        .into_iter()
        .flat_map(move |start| line.split(start).skip(1))
        .map(|rest| {
            let end = rest.find(|it: char| {
                it == '/' || it == '"' || it == '`' || it == ')' || it.is_whitespace()
            });
            &rest[..end.unwrap_or(rest.len())]
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_refused() {
        let [work, root, home, farm, users, library] = MACHINE_PATHS else {
            panic!("six patterns")
        };
        let [drive, escaped] = DRIVE_PATHS else {
            panic!("two patterns")
        };
        for line in [
            format!("see {work}/main"),
            format!("`{root}/x`"),
            format!("cd \"{home}ann/project\""),
            format!("path={farm}bin"),
            format!("ls ../{library}/env"),
            format!("file://{work}/main"),
            format!("cd {root}"),
            format!("it is in {work}."),
            format!("{{{root}/x"),
            format!("a;{home}ann"),
            format!("PATH=$PATH:{users}ann/bin"),
            format!("@{work}/a"),
            format!("C{drive}ann"),
            format!("\"D{escaped}ann\""),
        ] {
            assert_eq!(
                problems("docs/a.md", &format!("first\n{line}\n")).len(),
                1,
                "{line}"
            );
        }
    }

    #[test]
    fn words_that_only_look_like_a_machine_path_pass() {
        let [work, root, ..] = MACHINE_PATHS else {
            panic!("patterns")
        };
        for line in [
            format!("src{work}/a.rs"),
            format!("a{root}/b"),
            format!("{{folder}}{root}/b"),
            format!("see .{work}/a"),
            format!("{work}flow {work}.rs {root}s {root}-ca"),
            "self.library.len()".into(),
            "a workflow".into(),
        ] {
            assert_eq!(problems("docs/a.md", &line), [], "{line}");
        }
    }

    #[test]
    fn a_source_of_packages_is_not_set_in_the_tree() {
        let expected = "another source of packages is set; a machine sets its own outside the tree";
        for line in [
            "[source.crates-io]",
            " [ source . mirror ]",
            "source.a.directory = 'b'",
        ] {
            let path = ".cargo/config.toml";
            assert_eq!(problems(path, line), [Problem::new(path, 1, expected)]);
            assert_eq!(problems("docs/a.md", line), []);
        }
        assert_eq!(problems(".cargo/config.toml", "[alias]\nsources = 1"), []);
    }

    #[test]
    fn an_ignored_code_block_is_refused() {
        let expected = "an ignored code block is never compiled; run it, or mark it `text`";
        for line in [
            "```ignore",
            "    /// ```rust,ignore",
            "//! ```ignore-windows",
            "> ````rust ignore",
        ] {
            assert_eq!(
                problems("a.rs", line),
                [Problem::new("a.rs", 1, expected)],
                "{line}"
            );
        }
        for line in [
            "```text",
            "let a = \"```ignore\";",
            "a `ignore` word",
            "```ignored",
        ] {
            assert_eq!(problems("a.rs", line), [], "{line}");
        }
    }

    #[test]
    fn registry_hosts_are_refused_in_addresses() {
        for host in [
            "static.crates.io",
            "files.pythonhosted.org",
            "registry.npmjs.org",
            "deb.debian.org",
            "pypi.org",
        ] {
            let line = format!("curl http{}{host}/x", "s://");
            let expected = format!("{host} is a package registry's host; name the package instead");
            assert_eq!(problems("a.md", &line), [Problem::new("a.md", 1, expected)]);
        }
    }

    #[test]
    fn a_registry_named_in_prose_passes() {
        let text = "published on crates.io, see docs.rs and https://docs.rs/tokio\n";
        assert_eq!(problems("a.md", text), []);
    }

    #[test]
    fn the_lock_file_takes_packages_from_the_standard_registry_alone() {
        let mirror = "source = \"sparse+https://mirror.example/index/\"";
        let lock = format!("[[package]]\n{CRATES_IO}\n{mirror}\n");
        assert_eq!(
            problems("Cargo.lock", &lock),
            [Problem::new(
                "Cargo.lock",
                3,
                "a source other than the standard registry"
            )]
        );
    }
}
