//! `Agent`: instructions, a model and tools under one name.

use std::fmt;
use std::sync::Arc;

use loom_core::{Effect, Info, Name, Result, RunContext, Runnable, Tool};

use crate::builder::AgentBuilder;
use crate::model::DynModel;
use crate::prompt::Prompt;
use crate::toolbox::Toolbox;
use crate::turns;

/// A model with instructions and tools that answers a [`Prompt`] in as many turns as it takes.
///
/// Immutable; a clone shares the definition, and any number of runs may share an agent.
///
/// ```
/// use loom_agent::{Agent, EchoModel};
/// use loom_core::Loom;
///
/// # futures::executor::block_on(async {
/// let agent = Agent::builder("Say it again.").named("parrot").model(EchoModel).build()?;
/// let outcome = Loom::builder().build().session("alice").run(&agent, "hello").await?;
/// assert_eq!(outcome.output, "hello");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Agent(Arc<Definition>);

pub(crate) struct Definition {
    /// Its name is empty for an unnamed agent.
    pub(crate) info: Info,
    pub(crate) instructions: String,
    pub(crate) model: Box<dyn DynModel>,
    /// What is announced for each of its runs, and for each call of its model.
    pub(crate) run: Effect,
    pub(crate) call: Effect,
    pub(crate) toolbox: Toolbox,
    pub(crate) turns_max: u32,
}

impl Agent {
    /// An agent with these instructions, to be given a model and tools.
    pub fn builder(instructions: impl Into<String>) -> AgentBuilder {
        AgentBuilder::new(instructions.into())
    }

    pub(crate) fn new(definition: Definition) -> Self {
        Self(Arc::new(definition))
    }

    /// The agent's name in traces and records: `agent` when it has none of its own.
    pub fn name(&self) -> Name {
        self.0.run.name().clone()
    }

    /// The agent as one tool of another: it takes the question as `input`.
    ///
    /// ```
    /// use loom_agent::{Agent, EchoModel};
    ///
    /// let expert = Agent::builder("Know it all.").named("expert").model(EchoModel).build()?;
    /// let tool = expert.as_tool().described("Ask when in doubt.");
    /// assert_eq!(tool.name(), "expert");
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn as_tool(&self) -> Tool {
        let agent = self.clone();
        let ask = move |cx: RunContext, question: String| {
            let agent = agent.clone();
            async move { agent.run(&cx, Prompt::from(question)).await }
        };
        Tool::new(
            self.name(),
            format!("Ask the `{}` agent.", self.name()),
            ask,
        )
        // What it does again when it is entered again, its tools declare themselves.
        .idempotent()
        .made_of(self.info())
    }
}

impl Runnable<Prompt> for Agent {
    type Out = String;

    async fn run(&self, cx: &RunContext, input: Prompt) -> Result<String> {
        let it = &*self.0;
        cx.perform(it.run.clone(), input, |cx, input| async move {
            turns::answer(it, &cx, input).await
        })
        .await
    }

    fn info(&self) -> Info {
        self.0.info.clone()
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agent({:?}, {:?})", self.name(), self.0.call.name())
    }
}
