//! Agents for loomflow: a model controls the loop.
//!
//! An [`Agent`] is a [`Runnable`](loom_core::Runnable) of a [`Prompt`]: it goes wherever a step
//! goes, and any value that can be written flows into it. Its run, its turns, its model calls and
//! its tools all pass the core's one door. [`ScriptedModel`], [`EchoModel`] and [`FnModel`] stand
//! in for models offline.
//!
//! This crate knows no workflow and no vendor: a workflow is a tool like any other.
//!
//! ```
//! use loom_agent::{Agent, Reply, ScriptedModel};
//! use loom_core::{Loom, Result, Tool};
//! use serde_json::json;
//!
//! async fn lookup(invoice: String) -> Result<String> {
//!     Ok(format!("{invoice} is paid"))
//! }
//!
//! # futures::executor::block_on(async {
//! let model = ScriptedModel::new([
//!     Reply::call("lookup", json!({"invoice": "INV-1"})),
//!     Reply::text("It is paid."),
//! ]);
//! let agent = Agent::builder("Answer questions about invoices.")
//!     .model(model)
//!     .tool(Tool::new("lookup", "Finds an invoice.", lookup).input_arg("invoice"))
//!     .build()?;
//! let outcome = Loom::builder().build().session("alice").run(&agent, "Is INV-1 paid?").await?;
//! assert_eq!(outcome.output, "It is paid.");
//! assert_eq!(outcome.usage.tool_calls, 1);
//! # Ok::<(), loom_core::Error>(())
//! # }).unwrap();
//! ```

mod agent;
mod builder;
mod turns;
mod toolbox;
mod prompt;
mod message;
mod model;
mod models;

pub use agent::Agent;
pub use builder::AgentBuilder;
pub use message::{Message, Reply, ToolCall, ToolResult};
pub use model::{Model, Request, ToolSpec};
pub use models::{EchoModel, FnModel, ScriptedModel};
pub use prompt::{Part, Prompt};
