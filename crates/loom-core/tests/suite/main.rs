//! What the spine promises, one promise a test: whole recorded trees, whole stories, paused time.

#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up with works, or the test fails"
)]

mod door;
mod refusals;
mod visited;
mod roots;
mod paths;
mod identity;
mod acting_as;
mod partitions;
mod repeatable;
mod traces;

mod cancelling;
mod deadlines;
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
mod asking;
mod observers;
mod reentrant;
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
mod errors_of_other_runs;

mod journal_memory;
mod pausing;
mod asking_gates;
mod changed_arguments;
mod spent_approvals;
mod given_up_calls;
mod resuming;
mod resuming_changed;
mod resuming_redefined;
mod resuming_limits;
mod handled_pauses;
mod withdrawn;
mod resuming_users;
mod crashing;
mod unfinished;
mod forgotten_calls;
mod answers;
mod misfits;
mod answering;
mod answered_meanwhile;
mod next_attempts;
mod hanging_journals;
mod leases;
mod named_runs;

mod streams;
mod streamed_from_afar;
mod shutting_down;
mod cancelled_by_id;
mod blocking;
mod people;

mod recorded;
mod journaled;
mod batches;
mod unruly_journals;
mod steps;
