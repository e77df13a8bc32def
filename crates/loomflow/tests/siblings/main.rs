//! Where agents and workflows meet: pauses, limits, permissions, streams and retries that reach
//! from a workflow through an agent and its tool into a workflow, recorded whole.
#![cfg(feature = "full")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

mod pausing;
mod pausing_twice;
mod pausing_side_by_side;
mod resuming;
mod other_prompts;
mod budgets;
mod caps;
mod permissions;
mod tool_schemas;
mod streaming;
mod retrying;
mod joining;
mod graphs;

mod support;
mod watched;
