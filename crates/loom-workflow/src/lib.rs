//! Workflows for loomflow: the developer controls the graph.
//!
//! A [`Workflow`] is a [`Runnable`](loom_core::Runnable): it goes wherever a step goes, and
//! [`Workflow::as_tool`] makes it one tool of an agent. Its run and each of its steps pass the
//! core's one door, which is all the tracing, recording and limiting there is.
//!
//! This crate knows no model, message or agent: an agent is a step like any other.
//!
//! ```
//! use loom_core::{Loom, Result};
//! use loom_workflow::Workflow;
//!
//! async fn load(id: u64) -> Result<String> {
//!     Ok(format!("ticket {id}"))
//! }
//!
//! async fn shout(text: String) -> Result<String> {
//!     Ok(text.to_uppercase())
//! }
//!
//! # futures::executor::block_on(async {
//! let workflow = Workflow::chain("ticket").then(load).then(shout).build();
//! let outcome = Loom::builder().build().session("alice").run(&workflow, 7u64).await?;
//! assert_eq!(outcome.output, "TICKET 7");
//! assert_eq!(outcome.visited, ["load", "shout"]);
//! # Ok::<(), loom_core::Error>(())
//! # }).unwrap();
//! ```

mod workflow;
mod chain;
mod route;
mod parallel;
mod dag;
mod graph;
mod node;
mod node_names;
mod label;
mod concurrency;
mod outline;
mod payload;
mod discard;
mod draw;

pub use chain::Chain;
pub use dag::{Dag, Handles, Var};
pub use draw::{Drawing, Progress};
pub use graph::{
    Delivered, Deliveries, END, EdgeSpec, Graph, GraphOutput, GraphSpec, Joined, NodeSpec, START,
    Steps,
};
pub use parallel::{Branches, Settle, Settled, Settling, branch};
pub use route::Route;
pub use workflow::Workflow;
