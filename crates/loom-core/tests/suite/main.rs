//! What the spine promises, one promise a test: whole recorded trees, whole stories, paused time.

#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up with works, or the test fails"
)]

mod door;
mod visited;
mod roots;
mod paths;
mod identity;
mod acting_as;
mod partitions;
mod repeatable;
mod traces;

mod cancelling;
mod timeouts;
mod dropping;
mod panics;
mod hostile_panics;
mod broken_clocks;
mod kept_contexts;
mod spawned;
mod late;
mod closed_meanwhile;
mod values;
mod safety;
mod repeating;
mod zeros;
mod unwritable;

mod gates;
mod permissions;
mod approvals;
mod acting_gates;
mod asking;
mod observers;
mod settling;
mod saying;
mod tools;

mod limits;
mod budget;
mod budget_shared;
mod budget_random;
mod billing;
mod backpressure;

mod retrying;
mod retried_paths;
mod falling_back;
mod timeouts_combined;
mod idempotency;
mod joining;
mod result_ext;
mod hidden_errors;
mod errors_of_other_runs;

mod journal_memory;
mod pausing;
mod asking_gates;
mod spent_approvals;
mod given_up_calls;
mod resuming;
mod resuming_changed;
mod resuming_redefined;
mod resuming_limits;
mod handled_pauses;
mod resuming_users;
mod crashing;
mod forgotten_calls;
mod answers;
mod misfits;
mod answering;
mod hanging_journals;

mod streams;
mod streamed_from_afar;
mod shutting_down;
mod blocking;
mod people;

mod recorded;
mod journaled;
mod unruly_journals;
mod steps;
