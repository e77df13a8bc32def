//! Do the crates depend only on what the table allows?
//!
//! Looks at the dependencies each member *declares*, of every kind, optional and for other platforms included: a
//! forbidden arrow is refused before any feature turns it on.

pub(crate) mod table;

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::{Dependency, Metadata, Package, Workspace};
use table::{DevOnly, Row, TABLE, fits};

pub(crate) fn run(workspace: &Workspace, _: Options) -> Outcome {
    let metadata = workspace.metadata()?;
    let mut problems = problems(&metadata);
    let crates = workspace.crates_of("loomflow")?;
    problems.extend(too_heavy(crates));
    let said = format!("({crates} crates in all)");
    if !workspace.read("README.md")?.contains(&said) {
        problems.push(format!(
            "README.md doesn't say what loomflow without features compiles: {said}"
        ));
    }
    if problems.is_empty() {
        println!(
            "{} crates, every arrow is in the table; {crates} are compiled for loomflow without features",
            metadata.members().count()
        );
        return Ok(());
    }
    let where_to_look = "the table is xtask/src/layers/table.rs; a new arrow or crate needs a record in docs/adr first";
    Err(Failure::new(format!(
        "{}\n{where_to_look}",
        problems.join("\n")
    )))
}

fn problems(metadata: &Metadata) -> Vec<String> {
    let members: Vec<&Package> = metadata.members().collect();
    let mut problems = Vec::new();
    for package in &members {
        let Some(row) = TABLE.iter().find(|row| row.name == package.name) else {
            problems.push(format!(
                "{} is in the workspace and not in the table",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let is_ours = members.iter().any(|member| member.name == dependency.name)
                || TABLE.iter().any(|other| other.name == dependency.name);
            let problem = if is_ours {
                arrow(row, dependency)
            } else {
                ownership(row, dependency)
            };
            problems.extend(problem);
        }
        problems.extend(too_many(package));
    }
    problems.sort();
    problems
}

/// The core stays small enough to be read, and the facade's features few enough to be tested.
const CORE_DEPENDENCIES_MAX: usize = 10;
const FACADE_FEATURES_MAX: usize = 8;

/// What a program compiles that uses the facade without features.
const FACADE_CRATES_MAX: usize = 60;

fn too_heavy(crates: usize) -> Option<String> {
    (crates > FACADE_CRATES_MAX).then(|| {
        format!(
            "loomflow without features compiles {crates} crates; at most {FACADE_CRATES_MAX} are allowed"
        )
    })
}

fn too_many(package: &Package) -> Option<String> {
    let direct = package
        .dependencies
        .iter()
        .filter(|it| it.kind.is_none())
        .count();
    let features = package
        .features
        .keys()
        .filter(|name| *name != "default")
        .count();
    match package.name.as_str() {
        "loom-core" if direct > CORE_DEPENDENCIES_MAX => Some(format!(
            "loom-core has {direct} direct dependencies; at most {CORE_DEPENDENCIES_MAX} are allowed"
        )),
        "loomflow" if features > FACADE_FEATURES_MAX => Some(format!(
            "loomflow has {features} features; at most {FACADE_FEATURES_MAX} are allowed"
        )),
        _ => None,
    }
}

/// An arrow between two of ours.
fn arrow(row: &Row, dependency: &Dependency) -> Option<String> {
    let (name, is_dev) = (dependency.name.as_str(), is_dev(dependency));
    if row.may_use.contains(&name) || (is_dev && row.tested_with.contains(&name)) {
        return None;
    }
    let allowed = match row.may_use {
        [] => "none of ours".into(),
        names => names.join(", "),
    };
    Some(format!(
        "{} names {} as a {}; the table allows it {allowed}",
        row.name,
        dependency.name,
        kind(dependency)
    ))
}

/// An arrow from one of ours to somebody else's crate.
fn ownership(row: &Row, dependency: &Dependency) -> Option<String> {
    let owner = TABLE.iter().find(|other| {
        other
            .owns
            .iter()
            .any(|pattern| fits(pattern, &dependency.name))
    })?;
    let is_dev = is_dev(dependency);
    let exception = row
        .exceptions
        .iter()
        .find(|exception| fits(exception.pattern, &dependency.name));
    let reason = match exception {
        _ if owner.name == row.name => return None,
        Some(exception) if exception.dev_only == DevOnly::No || is_dev => return None,
        Some(exception) => format!(" (excepted as a dev-dependency only: {})", exception.reason),
        None => String::new(),
    };
    Some(format!(
        "{} names {} as a {}; only {} may{reason}",
        row.name,
        dependency.name,
        kind(dependency),
        owner.name
    ))
}

fn is_dev(dependency: &Dependency) -> bool {
    dependency.kind.as_deref() == Some("dev")
}

fn kind(dependency: &Dependency) -> String {
    match &dependency.kind {
        None => "dependency".into(),
        Some(kind) => format!("{kind}-dependency"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What a dependency is named and of which kind it is.
    type Named<'a> = (&'a str, Option<&'a str>);

    /// A workspace of crates with their dependencies.
    fn workspace(crates: &[(&str, &[Named<'_>])]) -> Metadata {
        let packages: Vec<Value> = crates
            .iter()
            .map(|(name, dependencies)| {
                let dependencies: Vec<Value> = dependencies
                    .iter()
                    .map(|(name, kind)| json!({"name": name, "kind": kind}))
                    .collect();
                json!({"id": name, "name": name, "manifest_path": "Cargo.toml", "targets": [],
                       "dependencies": dependencies})
            })
            .collect();
        let members: Vec<&str> = crates.iter().map(|(name, _)| *name).collect();
        let text = json!({"packages": packages, "workspace_members": members, "resolve": null})
            .to_string();
        Metadata::parse(&text).unwrap()
    }

    #[test]
    fn an_eleventh_dependency_of_the_core_is_refused() {
        let names: Vec<String> = (0..11).map(|n| format!("crate{n}")).collect();
        let named: Vec<Named<'_>> = names.iter().map(|name| (name.as_str(), None)).collect();
        assert_eq!(
            problems(&workspace(&[("loom-core", &named[..10])])),
            Vec::<String>::new()
        );
        assert_eq!(
            problems(&workspace(&[("loom-core", &named)])),
            ["loom-core has 11 direct dependencies; at most 10 are allowed"]
        );
    }

    #[test]
    fn a_61st_crate_below_the_facade_is_refused() {
        assert_eq!(too_heavy(60), None);
        assert_eq!(
            too_heavy(61).as_deref(),
            Some("loomflow without features compiles 61 crates; at most 60 are allowed")
        );
    }

    #[test]
    fn a_forbidden_arrow_is_refused_even_as_a_dev_dependency() {
        let metadata = workspace(&[
            ("loom-agent", &[("loom-workflow", Some("dev"))]),
            ("loom-workflow", &[]),
        ]);
        assert_eq!(
            problems(&metadata),
            ["loom-agent names loom-workflow as a dev-dependency; the table allows it loom-core"]
        );
    }

    #[test]
    fn an_arrow_is_refused_in_every_kind() {
        for (kind, word) in [
            (None, "dependency"),
            (Some("dev"), "dev-dependency"),
            (Some("build"), "build-dependency"),
        ] {
            let metadata = workspace(&[("loom-core", &[("loom-otel", kind)])]);
            let expected =
                format!("loom-core names loom-otel as a {word}; the table allows it none of ours");
            assert_eq!(problems(&metadata), [expected]);
        }
    }

    #[test]
    fn what_tests_alone_may_use_is_a_dev_dependency() {
        let tested = workspace(&[("loom-core", &[("loom-testing", Some("dev"))])]);
        assert_eq!(problems(&tested), Vec::<String>::new());
        let used = workspace(&[("loom-core", &[("loom-testing", None)])]);
        assert_eq!(
            problems(&used),
            ["loom-core names loom-testing as a dependency; the table allows it none of ours"]
        );
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        let metadata = workspace(&[("loom-extra", &[])]);
        assert_eq!(
            problems(&metadata),
            ["loom-extra is in the workspace and not in the table"]
        );
    }

    #[test]
    fn an_owned_crate_is_named_by_its_owner_alone() {
        let metadata = workspace(&[
            ("loom-audit", &[("ring", None), ("serde", None)]),
            (
                "loom-core",
                &[("ring", None), ("tracing-subscriber", Some("dev"))],
            ),
        ]);
        assert_eq!(
            problems(&metadata),
            [
                "loom-core names ring as a dependency; only loom-audit may",
                "loom-core names tracing-subscriber as a dev-dependency; only loom-otel may",
            ]
        );
    }

    #[test]
    fn an_exception_holds_in_its_own_kind_and_says_its_reason() {
        let allowed = workspace(&[
            ("loomflow", &[("opentelemetry_sdk", Some("dev"))]),
            (
                "examples",
                &[("loomflow", None), ("opentelemetry_sdk", None)],
            ),
        ]);
        assert_eq!(problems(&allowed), Vec::<String>::new());
        let refused = workspace(&[("loomflow", &[("opentelemetry_sdk", None)])]);
        assert_eq!(
            problems(&refused),
            [
                "loomflow names opentelemetry_sdk as a dependency; only loom-otel may (excepted as a \
              dev-dependency only: tests where crates meet look at what the in-memory exporter received)"
            ]
        );
    }

    #[test]
    fn this_workspace_passes() {
        let workspace = Workspace::here().unwrap();
        let metadata = workspace.metadata().unwrap();
        assert_eq!(problems(&metadata), Vec::<String>::new());
        assert_eq!(too_heavy(workspace.crates_of("loomflow").unwrap()), None);
    }
}
