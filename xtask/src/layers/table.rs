//! Which crate may depend on which: the one place where the arrows are written down.
//!
//! A new row, or a new arrow in a row, needs a decision record in `docs/adr/` first.

/// One crate of the workspace and what it may name.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Our own crates it may depend on, in any dependency kind.
    pub(crate) may_use: &'static [&'static str],
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

pub(crate) const TABLE: &[Row] = &[
    row("loom-core", &[], &[]),
    row("loom-agent", &["loom-core"], &["jsonschema"]),
    row("loom-workflow", &["loom-core"], &[]),
    row(
        "loom-providers",
        &["loom-core", "loom-agent"],
        &["anthropic-sdk-rs", "async-openai", "reqwest"],
    ),
    row("loom-audit", &["loom-core"], &["ring"]),
    row("loom-otel", &["loom-core"], &["opentelemetry*", "tracing*"]),
    row("loom-sqlite", &["loom-core", "loom-agent"], &["rusqlite"]),
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
        owns,
        exceptions: &[],
    }
}

/// Whether a name fits a pattern, where a trailing `*` stands for any ending.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}
