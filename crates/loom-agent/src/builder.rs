//! `AgentBuilder`: an agent in the making; `build` says everything that is wrong at once.

use loom_core::{Effect, EffectKind, Error, Info, Kind, Name, Result, Tool, key};

use crate::agent::{Agent, Definition};
use crate::model::{DynModel, Model};
use crate::toolbox::Toolbox;

/// An agent in the making; see [`Agent::builder`].
#[must_use = "an agent is made by `.build()`"]
pub struct AgentBuilder {
    name: Option<Name>,
    instructions: String,
    model: Option<Box<dyn DynModel>>,
    tools: Vec<Tool>,
    turns_max: u32,
}

impl AgentBuilder {
    pub(crate) fn new(instructions: String) -> Self {
        Self {
            name: None,
            instructions,
            model: None,
            tools: Vec::new(),
            turns_max: 50,
        }
    }

    /// Names the agent. As a node of a workflow an unnamed one is called `agent_node`.
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The model that controls the loop. The last one given counts.
    pub fn model(mut self, model: impl Model) -> Self {
        self.model = Some(Box::new(model));
        self
    }

    /// Adds a tool the model may call.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds several tools.
    pub fn tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// How many turns a run may take, at least one: 50. A run that needs more is interrupted.
    pub fn turns_max(mut self, turns_max: u32) -> Self {
        self.turns_max = turns_max;
        self
    }

    /// The agent.
    ///
    /// # Errors
    /// `Invalid`, naming everything that is wrong at once: no model, a name that is no name, two
    /// tools of one name, a tool whose schema is no schema, `turns_max` 0.
    ///
    /// ```
    /// use loom_agent::Agent;
    ///
    /// let error = Agent::builder("Help.").named("").turns_max(0).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the agent can't be built: no model: give it one with `.model(..)`; \
    ///      the name \"\" is empty; `turns_max` is 0: give it at least one turn"
    /// );
    /// ```
    pub fn build(self) -> Result<Agent> {
        let mut wrong = Vec::new();
        if self.model.is_none() {
            wrong.push("no model: give it one with `.model(..)`".to_owned());
        }
        if let Some(Err(error)) = self.name.as_ref().map(Name::check) {
            wrong.push(error.message().to_owned());
        }
        if let Some(model) = &self.model
            && let Err(error) = Name::from(model.name().to_owned()).check()
        {
            wrong.push(format!("the model: {}", error.message()));
        }
        if self.turns_max == 0 {
            wrong.push("`turns_max` is 0: give it at least one turn".to_owned());
        }
        let toolbox = Toolbox::new(self.tools, &mut wrong);
        match self.model {
            Some(model) if wrong.is_empty() => {
                let name = self.name.unwrap_or_default();
                let (run, call) = effects(&name, &*model, self.turns_max);
                let tools: Vec<Info> = toolbox.infos().collect();
                Ok(Agent::new(Definition {
                    info: Info::new(name, Kind::Agent).with_parts(tools),
                    instructions: self.instructions,
                    run,
                    call,
                    model,
                    toolbox,
                    turns_max: self.turns_max,
                }))
            }
            _ => Err(Error::invalid(format!(
                "the agent can't be built: {}",
                wrong.join("; ")
            ))),
        }
    }
}

/// What is announced for a run of an agent, and for a call of its model.
fn effects(agent: &Name, model: &dyn DynModel, turns_max: u32) -> (Effect, Effect) {
    let agent = match agent.is_empty() {
        true => "agent".into(),
        false => agent.clone(),
    };
    let name = Name::from(model.name().to_owned());
    let mut run = Effect::new(EffectKind::Agent, agent)
        .with(key::MODEL, name.clone())
        .with(key::TURNS_MAX, turns_max);
    let mut call = Effect::new(EffectKind::Model, name).only_one();
    if let Some(provider) = model.provider() {
        let provider = Name::from(provider.to_owned());
        run = run.with(key::PROVIDER, provider.clone());
        call = call.with(key::PROVIDER, provider);
    }
    (run, call)
}
