//! What an agent promises, one promise a test: a scripted model, paused time, whole trees compared.

#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up with works, or the test fails"
)]

mod turn_loop;
mod spans;
mod streaming;
mod usage;
mod usage_saturating;
mod concurrent_tools;
mod many_calls;
mod arguments;
mod composed_schemas;
mod deep_arguments;
mod unknown_tools;
mod errors_to_the_model;
mod errors_that_end_the_run;
mod model_errors;
mod agent_as_step;
mod agent_as_tool;
mod building;
mod cancelling;
mod shared_by_many;
mod calls_resumed;

mod recorded;
mod script;
