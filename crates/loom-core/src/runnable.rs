//! `Runnable`: what agents, workflows and users' own parts have in common.

use std::sync::Arc;

use crate::context::RunContext;
use crate::error::Result;
use crate::name::Name;

/// Something that turns an input into an output inside a run.
///
/// Agents and workflows implement it, and so can any type: it is then accepted wherever a step
/// is, by its shape alone. What it does goes through the context: `cx.perform(..)` opens its
/// spans, and `cx` is handed on to whatever it calls.
///
/// A whole one:
///
/// ```
/// use loom_core::{Loom, Result, RunContext, Runnable};
///
/// struct Repeat(usize);
///
/// impl Runnable<String> for Repeat {
///     type Out = String;
///
///     async fn run(&self, _cx: &RunContext, input: String) -> Result<String> {
///         Ok(input.repeat(self.0))
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let outcome = Loom::builder().build().session("alice").run(&Repeat(2), "ab").await?;
/// assert_eq!(outcome.output, "abab");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a runnable that takes `{I}`",
    note = "implement `Runnable<{I}>`: `type Out` and `async fn run(&self, cx: &RunContext, input: {I}) -> Result<Self::Out>`"
)]
pub trait Runnable<I>: Send + Sync + 'static {
    /// What it gives. Where it crosses an edge it must be [`Data`](crate::Data).
    type Out: Send + 'static;

    /// Runs it once.
    fn run(&self, cx: &RunContext, input: I) -> impl Future<Output = Result<Self::Out>> + Send;

    /// What it is called and what it is made of.
    fn info(&self) -> Info {
        Info::default()
    }
}

/// What a step is called and made of, for names and drawings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Its name; empty when it has none of its own.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// The steps it is made of.
    pub parts: Arc<[Info]>,
}

impl Info {
    /// A part of this name and kind.
    pub fn new(name: impl Into<Name>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            parts: Arc::default(),
        }
    }

    /// The same with the steps it is made of.
    #[must_use]
    pub fn with_parts(mut self, parts: impl Into<Arc<[Info]>>) -> Self {
        self.parts = parts.into();
        self
    }

    /// The name of a node that holds this as its step: its own, or `agent_node` for an unnamed
    /// agent, or empty.
    pub fn node_name(&self) -> Name {
        match self.kind {
            Kind::Agent if self.name.is_empty() => "agent_node".into(),
            Kind::Agent | Kind::Workflow | Kind::Function => self.name.clone(),
        }
    }

    /// The info of a wrapper around this: a function by the node's name, made of this.
    #[must_use]
    pub fn wrapped(self) -> Self {
        Self {
            name: self.node_name(),
            kind: Kind::Function,
            parts: [self].into(),
        }
    }
}

/// What a runnable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Anything else. As a root it is wrapped in a workflow run.
    #[default]
    Function,
    /// An agent: its `run` opens exactly one agent run.
    Agent,
    /// A workflow: its `run` opens exactly one workflow run.
    Workflow,
}
