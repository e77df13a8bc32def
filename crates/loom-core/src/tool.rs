//! `Tool`: a step that a model may call.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::attributes::key;
use crate::context::RunContext;
use crate::data::{Data, written_bytes};
use crate::effect::Effect;
use crate::error::Result;
use crate::info::{Info, Kind};
use crate::into_step::IntoStep;
use crate::name::Name;
use crate::runnable::Runnable;
use crate::safety::{IfUnfinished, Safety};
use crate::step::Step;
use crate::tool_output::ToolOutput;
use crate::tool_schema::{ToolInput, read};

/// A step offered to a model: a name, a description, the schema of its arguments, and flags.
///
/// A tool is a value. Nothing knows one by name, and a workflow's or an agent's `as_tool()` returns
/// one like any other. The user a tool works for comes from its context; user and session ids
/// never stand in its schema.
///
/// ```
/// use loom_core::{Result, Tool};
/// use serde_json::json;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Lookup {
///     invoice: String,
/// }
///
/// async fn lookup(args: Lookup) -> Result<String> {
///     Ok(format!("{} is paid", args.invoice))
/// }
///
/// let tool = Tool::new("lookup", "Finds an invoice.", lookup);
/// assert_eq!(tool.schema()["required"], json!(["invoice"]));
/// assert!(Tool::new("delete", "Deletes an invoice.", lookup).destructive().is_destructive());
/// ```
#[derive(Clone, Debug)]
pub struct Tool {
    name: Name,
    description: Name,
    input: Arc<ToolInput>,
    destructive: bool,
    safety: Safety,
    sequential: bool,
    if_unfinished: IfUnfinished,
    step: Step<Arguments, ToolOutput>,
    made_of: Info,
}

/// A call's arguments: shared with the effect that announces them, so that what was approved is
/// what runs.
struct Arguments {
    all: Arc<Value>,
    of: Arc<ToolInput>,
}

impl Tool {
    /// A tool from a step, with the schema of the step's input type. An input whose schema is no
    /// object is wrapped in one, under the argument [`Tool::input_arg`].
    pub fn new<I, M, S>(name: impl Into<Name>, description: impl Into<Name>, step: S) -> Self
    where
        I: JsonSchema + DeserializeOwned + Send + 'static,
        M: 'static,
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let made_of = step.step_info();
        let step = Arc::new(step);
        let typed = move |cx: RunContext, args: Arguments| {
            let step = step.clone();
            async move {
                let input = read::<I>(args.of.within(&args.all)?)?;
                ToolOutput::of(&step.run_step(&cx, input).await?)
            }
        };
        let input = ToolInput::of::<I>();
        Self::made(
            name.into(),
            description.into(),
            input,
            Step::new(typed),
            made_of,
        )
    }

    /// A tool whose schema comes from elsewhere: `step` gets arguments that fit it.
    ///
    /// ```
    /// use loom_core::{Error, Step, Tool, ToolOutput};
    /// use serde_json::{Value, json};
    ///
    /// let step = Step::new(|args: Value| async move { Ok::<_, Error>(ToolOutput::Json(args)) });
    /// let schema = json!({"type": "object", "properties": {"id": {"type": "integer"}}});
    /// let tool = Tool::with_schema("echo", "Gives its arguments back.", schema, step);
    /// assert_eq!(tool.name(), "echo");
    /// ```
    pub fn with_schema(
        name: impl Into<Name>,
        description: impl Into<Name>,
        schema: Value,
        step: Step<Value, ToolOutput>,
    ) -> Self {
        let made_of = step.info();
        let untyped = move |cx: RunContext, args: Arguments| {
            let step = step.clone();
            async move { step.run(&cx, args.of.within(&args.all)?.clone()).await }
        };
        let input = ToolInput::given(schema);
        Self::made(
            name.into(),
            description.into(),
            input,
            Step::new(untyped),
            made_of,
        )
    }

    fn made(
        name: Name,
        description: Name,
        input: ToolInput,
        step: Step<Arguments, ToolOutput>,
        made_of: Info,
    ) -> Self {
        Self {
            name,
            description,
            input: Arc::new(input),
            destructive: false,
            safety: Safety::NotIdempotent,
            sequential: false,
            if_unfinished: IfUnfinished::Ask,
            step,
            made_of,
        }
    }

    /// The same tool by another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }

    /// The same tool with another description.
    #[must_use]
    pub fn described(mut self, description: impl Into<Name>) -> Self {
        self.description = description.into();
        self
    }

    /// Names the argument under which an input that is no object is wrapped: `input` by default.
    /// Without effect for an input that is an object.
    #[must_use]
    pub fn input_arg(mut self, name: impl Into<Name>) -> Self {
        Arc::make_mut(&mut self.input).set_argument(name.into());
        self
    }

    /// Marks a tool whose effect can't be undone.
    #[must_use]
    pub fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }

    /// Declares that the tool changes nothing.
    ///
    /// ```
    /// use loom_core::{Result, Safety, Tool};
    ///
    /// # #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// # struct Lookup { invoice: String }
    /// async fn lookup(args: Lookup) -> Result<String> {
    ///     Ok(format!("{} is paid", args.invoice))
    /// }
    ///
    /// let tool = Tool::new("lookup", "Finds an invoice.", lookup);
    /// assert_eq!(tool.safety(), Safety::NotIdempotent);
    /// assert_eq!(tool.read_only().safety(), Safety::ReadOnly);
    /// ```
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.safety = Safety::ReadOnly;
        self
    }

    /// Declares that calling the tool twice with the same arguments is as good as calling it once.
    /// A tool that declares nothing isn't idempotent: after a crash in the middle of a call, the
    /// call isn't made again without being asked, and a [`retry`](crate::Wrapped::retry) around it
    /// is refused.
    ///
    /// ```
    /// use loom_core::{Result, Safety, Tool};
    ///
    /// # #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// # struct Address { street: String }
    /// async fn set_address(address: Address) -> Result<String> {
    ///     Ok(address.street)
    /// }
    ///
    /// let tool = Tool::new("set_address", "Sets the address.", set_address).idempotent();
    /// assert_eq!(tool.safety(), Safety::Idempotent);
    /// ```
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.safety = Safety::Idempotent;
        self
    }

    /// Marks a tool that must not run concurrently with others of the same turn.
    #[must_use]
    pub fn sequential(mut self) -> Self {
        self.sequential = true;
        self
    }

    /// Decides what becomes of a call that an earlier attempt began and whose end isn't known:
    /// without this, somebody is asked.
    #[must_use]
    pub fn if_unfinished(mut self, if_unfinished: IfUnfinished) -> Self {
        self.if_unfinished = if_unfinished;
        self
    }

    /// What the tool is made of, for drawings: without this, the step it was made from.
    #[must_use]
    pub fn made_of(mut self, step: Info) -> Self {
        self.made_of = step;
        self
    }

    /// The tool as a part of what holds it.
    pub fn info(&self) -> Info {
        Info::new(self.name.clone(), Kind::Function)
            .with_parts([self.made_of.clone()])
            .with_safety(self.safety)
    }

    /// What the model calls it by.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What the model reads about it.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The JSON schema of its arguments: always of an object.
    pub fn schema(&self) -> Value {
        self.input.schema()
    }

    /// Whether its effect can't be undone.
    pub fn is_destructive(&self) -> bool {
        self.destructive
    }

    /// Returns what comes of calling it twice.
    pub fn safety(&self) -> Safety {
        self.safety
    }

    /// Whether it must not run concurrently with others of the same turn.
    pub fn is_sequential(&self) -> bool {
        self.sequential
    }

    /// The effect of calling it, as it is announced at the door.
    pub fn effect(&self, call_id: impl Into<Name>, args: Arc<Value>) -> Effect {
        Effect::tool(self.name.clone(), call_id)
            .with(key::DESCRIPTION, self.description.clone())
            .with_input(args)
            .destructive(self.destructive)
            .with_safety(self.safety)
            .with_if_unfinished(self.if_unfinished)
            .checking_input(self.input.clone())
    }

    /// Checks arguments that a person changed by this as well, for example against the schema:
    /// what doesn't fit is asked about again.
    #[must_use]
    pub fn checking(
        mut self,
        check: impl Fn(&Value) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.input).set_check(check);
        self
    }

    /// Calls it, as an effect of its own. The arguments only have to make an
    /// input: an agent checks them against the schema first.
    ///
    /// # Errors
    /// `Invalid` for arguments that make no input; the step's own; what the door refuses.
    pub async fn call(
        &self,
        cx: &RunContext,
        call_id: impl Into<Name>,
        args: impl Into<Arc<Value>>,
    ) -> Result<ToolOutput> {
        let all = args.into();
        if let Err(deep) = written_bytes(&*all) {
            // Not even shown: an observer that writes it would recurse as deep.
            let effect = self.effect(call_id, Arc::default());
            return Err(cx.refuse(effect, deep.in_context("the arguments")).await);
        }
        let effect = self.effect(call_id, all.clone());
        cx.perform(effect, (), |cx, ()| async move {
            let all = cx.changed_arguments().unwrap_or(all);
            let of = self.input.clone();
            self.step.run(&cx, Arguments { all, of }).await
        })
        .await
    }
}
