//! What an exporter gets to see of runs.

// The lint knows test functions, but not what they call.
#![allow(clippy::unwrap_used)]

mod exported;

mod page_example;
mod ids;
mod endings;
mod events;
mod asking;
mod acting;
mod resuming;
mod audit_anchor;
mod nesting;
mod sampling;
mod console;
