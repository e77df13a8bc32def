//! Which crate may depend on which: the one place where the arrows are written down.
//!
//! A new row, or a new arrow in a row, needs a decision record in `docs/adr/` first.

/// One crate of the workspace and what it may name.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Our own crates it may depend on, in any dependency kind.
    pub(crate) may_use: &'static [&'static str],
    /// Our own crates it may have as dev-dependencies besides.
    pub(crate) tested_with: &'static [&'static str],
    /// External crates that nobody else may name; a trailing `*` stands for any ending.
    pub(crate) owns: &'static [&'static str],
    /// What it may name although another crate owns it.
    pub(crate) exceptions: &'static [Exception],
}

/// A crate owned elsewhere that may be named all the same.
pub(crate) struct Exception {
    pub(crate) pattern: &'static str,
    pub(crate) dev_only: DevOnly,
    /// Said aloud, so that nobody widens the exception without meeting it.
    pub(crate) reason: &'static str,
}

/// Whether an exception holds for dev-dependencies alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DevOnly {
    Yes,
    No,
}

const TESTING: &[&str] = &["loom-testing"];

pub(crate) const TABLE: &[Row] = &[
    row("loom-core", &[], &[]).tested_with(TESTING),
    row("loom-testing", &["loom-core"], &[]),
    row("loom-agent", &["loom-core"], &["jsonschema"]).tested_with(TESTING),
    row("loom-workflow", &["loom-core"], &[]).tested_with(TESTING),
    row(
        "loom-providers",
        &["loom-core", "loom-agent"],
        &["anthropic-sdk-rs", "async-openai", "reqwest"],
    ),
    row("loom-audit", &["loom-core"], &["ring"]).tested_with(TESTING),
    row("loom-otel", &["loom-core"], &["opentelemetry*", "tracing*"]).tested_with(TESTING),
    row("loom-sqlite", &["loom-core", "loom-agent"], &["rusqlite"]).tested_with(TESTING),
    Row {
        exceptions: &[Exception {
            pattern: "opentelemetry*",
            dev_only: DevOnly::Yes,
            reason: "tests where crates meet look at what the in-memory exporter received",
        }],
        ..row(
            "loomflow",
            &[
                "loom-core",
                "loom-testing",
                "loom-agent",
                "loom-workflow",
                "loom-providers",
                "loom-audit",
                "loom-otel",
                "loom-sqlite",
            ],
            &[],
        )
    },
    row("loom-cli", &["loomflow"], &["clap"]),
    Row {
        exceptions: &[Exception {
            pattern: "opentelemetry*",
            dev_only: DevOnly::No,
            reason: "an example shows how a program sets up its own exporter",
        }],
        ..row("examples", &["loomflow"], &[])
    },
    row("xtask", &[], &[]),
];

const fn row(
    name: &'static str,
    may_use: &'static [&'static str],
    owns: &'static [&'static str],
) -> Row {
    Row {
        name,
        may_use,
        tested_with: &[],
        owns,
        exceptions: &[],
    }
}

impl Row {
    const fn tested_with(mut self, names: &'static [&'static str]) -> Self {
        self.tested_with = names;
        self
    }
}

/// Whether a name fits a pattern, where a trailing `*` stands for any ending.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}
