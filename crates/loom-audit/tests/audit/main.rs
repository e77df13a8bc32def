//! What the audit log writes, what its verifier accepts, and everything it must not accept.

#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on has failed, helpers of tests too"
)]

mod composed;
mod rows;
mod asked;
mod remarks;
mod resumed;
mod unfinished;
mod bytes;
mod by_hand;
mod detail;
mod hostile;
mod clock;

mod fields;
mod signed;
mod bits;
mod lines;
mod anchors;
mod late;
mod keys;
