//! How much of a workflow runs at the same time.

/// How many bodies run at the same time unless something else is said; the others wait.
pub(crate) const CONCURRENCY_MAX: usize = 8;
