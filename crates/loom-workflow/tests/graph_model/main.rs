//! Graphs run as a slow and obviously right model says, under every interleaving tried.
//!
//! `Shape` says what a graph is, `model` runs it on paper, `real` runs it in a loom whose bodies end
//! in the order that a list of choices says; both give a `Trace`, and the two are the same.

#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up with works, or the test fails"
)]

mod shape;
mod text;
mod trace;
mod loops;
mod waits;
mod model;
mod real;
mod interleavings;
mod agreement;
mod shapes;
mod coverage;

mod known_graphs;
mod random_graphs;
mod paused_graphs;
