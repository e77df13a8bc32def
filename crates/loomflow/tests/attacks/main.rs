//! Attacks on the spine, written from its contract and its public interface alone: each tries to
//! make it lose, hide, forge, repeat or mix up something, one attack a test.

#![cfg(feature = "full")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

mod support_a;

mod arrival;
mod arrival_in_workflows;
mod names_and_keys;
mod escapes;
mod kept_contexts;
mod meddlers;
mod journals_that_fail;
mod journals_that_lie;
mod lost_leases;
mod values_json_loses;
mod answers;
mod answers_that_race;
mod approvals;

mod support_b;

mod observers;
mod gates_and_approvers;
mod values_that_lie;
mod executors;
mod wakers;
mod readers;
mod destructors;
mod destructors_that_act;
mod looms;
mod partitions;
mod depth;
mod budgets;
mod limits_of_the_tree;
mod limits_and_pauses;
