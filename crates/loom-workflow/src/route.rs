//! `Route`: a classifier's label picks the handler, which gets the original input.

use std::fmt::Display;
use std::marker::PhantomData;

use loom_core::{Accepts, BoxFuture, Data, Error, IntoStep, Name, Result, RunContext};

use crate::label;
use crate::node::{Node, StepNode};
use crate::node_names::NodeNames;
use crate::outline::{Outline, node_info};
use crate::payload::Payload;
use crate::workflow::{Plan, Workflow};

impl Workflow<(), ()> {
    /// Starts a route: the classifier gives a label, and the handler of that label gets what the
    /// classifier got.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::Workflow;
    ///
    /// async fn classify(text: String) -> Result<String> {
    ///     Ok(if text.contains("charged") { "billing" } else { "tech" }.to_owned())
    /// }
    /// async fn billing(text: String) -> Result<String> {
    ///     Ok(format!("billing looks at: {text}"))
    /// }
    /// async fn tech(text: String) -> Result<String> {
    ///     Ok(format!("tech looks at: {text}"))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let support = Workflow::route("support", classify).on("billing", billing).on("tech", tech).build()?;
    /// let outcome = Loom::builder().build().session("alice").run(&support, "I was charged twice.").await?;
    /// assert_eq!(outcome.output, "billing looks at: I was charged twice.");
    /// assert_eq!(outcome.visited, ["classify", "route_billing"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn route<I, M, O, S>(name: impl Into<Name>, classify: S) -> Route<I, O>
    where
        I: Data + Clone,
        M: 'static,
        O: Data,
        S: IntoStep<I, M>,
        S::Out: Data + Display,
    {
        let mut names = NodeNames::default();
        let info = classify.step_info();
        let classifier = names.of_step(&info, 1);
        Route {
            name: name.into(),
            outline: Outline::starting_with(node_info(&classifier, info)),
            classify: Box::new(Labelled(StepNode::<I, I, M, S>::new(classifier, classify))),
            handlers: Vec::new(),
            otherwise: None,
            wrong: Vec::new(),
            names,
            types: PhantomData,
        }
    }
}

/// A route that is being built: takes `I`, gives `O`.
#[must_use = "a route is made into a workflow by `.build()`"]
pub struct Route<I, O> {
    name: Name,
    outline: Outline,
    classify: Box<dyn Classify<I>>,
    handlers: Vec<(Name, Box<dyn Node>)>,
    otherwise: Option<Box<dyn Node>>,
    wrong: Vec<String>,
    names: NodeNames,
    types: PhantomData<fn(I) -> O>,
}

impl<I: Data + Clone, O: Data> Route<I, O> {
    /// Adds the handler of a label: a step by the name `route_LABEL` that takes what the
    /// classifier takes, or what can be made from it. Labels are compared as they are.
    pub fn on<J, M, S>(mut self, label: impl Into<Name>, handler: S) -> Self
    where
        J: Accepts<I> + Data,
        M: 'static,
        S: IntoStep<J, M, Out = O>,
    {
        let label = label.into();
        if self.handlers.iter().any(|(other, _)| *other == label) {
            self.wrong
                .push(format!("two handlers for the label {label:?}"));
        }
        let node = self.handler(Some(&label), handler);
        self.handlers.push((label, node));
        self
    }

    /// Adds the handler of all other labels: a step by the name `route_otherwise`.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::Workflow;
    ///
    /// async fn classify(text: String) -> Result<String> {
    ///     Ok(text)
    /// }
    /// async fn billing(_: String) -> Result<String> {
    ///     Ok("we refund it".to_owned())
    /// }
    /// async fn other(text: String) -> Result<String> {
    ///     Ok(format!("a person reads: {text}"))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let support = Workflow::route("support", classify).on("billing", billing).otherwise(other).build()?;
    /// let outcome = Loom::builder().build().session("alice").run(&support, "weather").await?;
    /// assert_eq!(outcome.output, "a person reads: weather");
    /// assert_eq!(outcome.visited, ["classify", "route_otherwise"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn otherwise<J, M, S>(mut self, handler: S) -> Self
    where
        J: Accepts<I> + Data,
        M: 'static,
        S: IntoStep<J, M, Out = O>,
    {
        if self.otherwise.is_some() {
            self.wrong
                .push("two handlers for all other labels".to_owned());
        }
        self.otherwise = Some(self.handler(None, handler));
        self
    }

    /// The workflow.
    ///
    /// # Errors
    /// `Invalid`, naming everything that is wrong at once: no handler, two handlers for one
    /// label, an invalid name, a step that can't run.
    pub fn build(mut self) -> Result<Workflow<I, O>> {
        self.names.check("the workflow", &self.name);
        if self.handlers.is_empty() {
            self.wrong.push(
                "no label has a handler: add one for each with `.on(label, handler)`".to_owned(),
            );
        }
        self.wrong.extend(self.names.into_wrong());
        self.wrong.extend(self.outline.faults());
        if !self.wrong.is_empty() {
            return Err(Error::invalid(format!(
                "the route {:?} can't be built: {}",
                self.name,
                self.wrong.join("; ")
            )));
        }
        let plan = Fork {
            classify: self.classify,
            handlers: self.handlers,
            otherwise: self.otherwise,
            types: PhantomData::<fn(I) -> O>,
        };
        Ok(Workflow::new(self.name, self.outline, plan, &[]))
    }

    /// The handler of a label, or of all others.
    fn handler<J, M, S>(&mut self, label: Option<&Name>, handler: S) -> Box<dyn Node>
    where
        J: Accepts<I> + Data,
        M: 'static,
        S: IntoStep<J, M, Out = O>,
    {
        let called = label.map_or("otherwise", |label| label.as_str());
        let name = self.names.take(format!("route_{called}").into());
        self.outline
            .choice(label.cloned(), node_info(&name, handler.step_info()));
        Box::new(StepNode::<I, J, M, S>::new(name, handler))
    }
}

/// A route's plan.
struct Fork<I, O> {
    classify: Box<dyn Classify<I>>,
    handlers: Vec<(Name, Box<dyn Node>)>,
    otherwise: Option<Box<dyn Node>>,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Fork<I, O> {
    fn handler(&self, label: &str) -> Result<&dyn Node> {
        let named = self
            .handlers
            .iter()
            .find(|(it, _)| it == label)
            .map(|(_, node)| node);
        match named.or(self.otherwise.as_ref()) {
            Some(node) => Ok(&**node),
            None => {
                let choices = self.handlers.iter().map(|(it, _)| it);
                Err(label::unknown("handler", label, choices))
            }
        }
    }
}

impl<I: Data + Clone, O: Send + 'static> Plan<I, O> for Fork<I, O> {
    fn run<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<O>> {
        Box::pin(async move {
            let label = self.classify.label(cx, input.clone()).await?;
            let handler = self.handler(&label)?;
            handler.run(cx, Payload::new(input)).await?.take()
        })
    }
}

/// A classifier whose label's type is forgotten.
trait Classify<I>: Send + Sync {
    fn label<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<String>>;
}

struct Labelled<N>(N);

impl<I, M, S> Classify<I> for Labelled<StepNode<I, I, M, S>>
where
    I: Data,
    M: 'static,
    S: IntoStep<I, M>,
    S::Out: Data + Display,
{
    fn label<'a>(&'a self, cx: &'a RunContext, input: I) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move { Ok(self.0.perform(cx, input).await?.to_string()) })
    }
}
