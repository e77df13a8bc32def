//! `Workflow`: steps under one name, whatever shape connects them.

use std::fmt;
use std::sync::Arc;

use loom_core::{
    BoxFuture, Data, Effect, EffectKind, Error, Info, Name, Result, RunContext, Runnable, Tool,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::outline::Outline;

/// Steps under one name: takes `I`, gives `O`. Immutable; a clone shares the definition.
///
/// Built by [`Workflow::chain`], [`Workflow::route`], [`Workflow::graph`] or
/// [`Dag`](crate::Dag).
///
/// ```
/// use loom_core::{Error, Loom};
/// use loom_workflow::Workflow;
///
/// # futures::executor::block_on(async {
/// let workflow = Workflow::chain("greet")
///     .then_fn("compose", |_cx, name: String| async move { Ok::<_, Error>(format!("hello {name}")) })
///     .build();
/// let outcome = Loom::builder().build().session("alice").run(&workflow, "bob").await?;
/// assert_eq!(outcome.output, "hello bob");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub struct Workflow<I = (), O = ()>(Arc<Definition<I, O>>);

struct Definition<I, O> {
    info: Info,
    /// What is announced for each of its runs.
    effect: Effect,
    plan: Box<dyn Plan<I, O>>,
    wrong: Option<String>,
}

/// How a workflow's steps are connected.
pub(crate) trait Plan<I, O>: Send + Sync {
    fn run<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<O>>;
}

impl<I, O> Workflow<I, O> {
    /// A workflow of this name. What is wrong with its definition, if anything, is the error of
    /// every run.
    pub(crate) fn new(
        name: Name,
        outline: Outline,
        plan: impl Plan<I, O> + 'static,
        wrong: &[String],
    ) -> Self {
        let effect = Effect::new(EffectKind::Workflow, name.clone());
        let info = outline.into_info(name);
        let wrong = (!wrong.is_empty()).then(|| wrong.join("; "));
        Self(Arc::new(Definition {
            effect,
            info: match &wrong {
                None => info,
                Some(wrong) => info.with_fault(wrong.clone()),
            },
            plan: Box::new(plan),
            wrong,
        }))
    }

    /// The definition's hash: 64 hex digits that change when what the workflow means changes, and
    /// only then; see [`Info::definition_hash`]. For functions their names stand.
    ///
    /// ```
    /// use loom_core::Result;
    /// use loom_workflow::Workflow;
    ///
    /// # async fn load(id: u64) -> Result<u64> { Ok(id) }
    /// # async fn save(id: u64) -> Result<u64> { Ok(id) }
    /// let one = Workflow::chain("one").then(load).then(save).build();
    /// let other = Workflow::chain("other").then(save).then(load).build();
    /// assert_eq!(one.definition_hash(), one.clone().definition_hash());
    /// assert_ne!(one.definition_hash(), other.definition_hash());
    /// ```
    pub fn definition_hash(&self) -> String {
        self.0.info.definition_hash()
    }

    /// The workflow's name.
    pub fn name(&self) -> &Name {
        &self.0.info.name
    }

    /// What it is made of.
    pub(crate) fn made_of(&self) -> &Info {
        &self.0.info
    }
}

impl<I: Data, O: Data> Runnable<I> for Workflow<I, O> {
    type Out = O;

    async fn run(&self, cx: &RunContext, input: I) -> Result<O> {
        if let Some(wrong) = &self.0.wrong {
            return Err(Error::invalid(wrong));
        }
        cx.perform_step(self.0.effect.clone(), &*self.0, input)
            .await
    }

    fn info(&self) -> Info {
        self.0.info.clone()
    }
}

/// What runs behind the door, below the workflow's run.
impl<I: Data, O: Data> Runnable<I> for Definition<I, O> {
    type Out = O;

    async fn run(&self, cx: &RunContext, input: I) -> Result<O> {
        self.plan.run(cx, input).await
    }

    fn info(&self) -> Info {
        self.info.clone()
    }
}

impl<I: Data + JsonSchema + DeserializeOwned, O: Data> Workflow<I, O> {
    /// The workflow as one tool of an agent. The tool takes what the workflow takes: an object's
    /// fields as arguments, anything else under the argument `input`.
    ///
    /// ```
    /// use loom_core::Result;
    /// use loom_workflow::Workflow;
    ///
    /// async fn authorize(invoice: String) -> Result<String> {
    ///     Ok(invoice)
    /// }
    ///
    /// let tool = Workflow::chain("refund").then(authorize).build().as_tool().input_arg("invoice");
    /// assert_eq!(tool.name(), "refund");
    /// assert_eq!(tool.description(), "Run the `refund` workflow.");
    /// assert_eq!(tool.schema()["required"], serde_json::json!(["invoice"]));
    /// ```
    pub fn as_tool(&self) -> Tool {
        Tool::new(
            self.name().clone(),
            format!("Run the `{}` workflow.", self.name()),
            self.clone(),
        )
        // What it does again when it is entered again, its steps declare themselves.
        .idempotent()
    }
}

impl<I, O> Clone for Workflow<I, O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I, O> fmt::Debug for Workflow<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workflow({})", self.name())
    }
}
