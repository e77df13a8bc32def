//! What a workflow promises, one promise a test: whole trees, whole reports, paused time.

#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up with works, or the test fails"
)]

mod chain;
mod chain_conversions;
mod chain_errors;
mod each;
mod each_endings;
mod repeat;
mod interrupted;
mod route;
mod route_building;
mod naming;
mod safety;
mod zeros;
mod wrong_names;
mod as_tool;
mod tool_schema;
mod nesting;
mod cancelling;
mod parallel_tuples;
mod parallel_lists;
mod parallel_failures;
mod parallel_endings;
mod parallel_settled;
mod settled_resuming;
mod arrival;
mod dag;
mod dag_building;
mod dag_endings;
mod dag_random;
mod many_runs;
mod graph;
mod graph_building;
mod graph_spec;
mod graph_endings;
mod graph_pausing;
mod drawing;
mod drawing_runs;
mod drawing_graphs;
mod drawing_names;
#[cfg(feature = "svg")]
mod drawing_svg;

mod graph_steps;
mod look_alike;
mod drawn;
mod hostile;
mod recorded;
