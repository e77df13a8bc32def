//! The guide: chapters to read, whose code is compiled and run with the tests.
//!
//! With the feature `full` they stand here; as files they lie in `docs/guide/`.

/// Workflows: every shape, and when to use which.
///
#[cfg_attr(feature = "full", doc = include_str!("../../../docs/guide/workflows.md"))]
pub mod workflows {}
