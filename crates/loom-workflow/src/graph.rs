//! `Graph`: named nodes, edges, routers and cycles; the workflow whose picture is the point.

mod joined;
mod spec;
mod steps;
mod limits;
mod from_spec;
mod draft;
mod check;
mod ways;
mod alike;
mod assemble;
mod router;
mod body;
mod plan;
mod schedule;
mod active;
mod flow;
mod reach;

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;

use loom_core::{Data, Error, IntoStep, Name, Result};
use serde_json::Value;

use crate::graph::body::StepBody;
use crate::graph::draft::{By, Draft, DraftEdge, DraftNode};
use crate::graph::plan::GraphPlan;
use crate::graph::reach::Reach;
use crate::workflow::Workflow;

pub use joined::{Delivered, Deliveries, GraphOutput, Joined};
pub use spec::{EdgeSpec, GraphSpec, NodeSpec};
pub use steps::Steps;

/// How many things that are wrong an error lists; further ones are counted.
const WRONG_MAX: usize = 50;

/// Where a graph's input comes from; the source of the edges to its first nodes.
pub const START: &str = "START";
/// Where a graph's output is taken from; the target of the edges from its last nodes.
pub const END: &str = "END";

impl Workflow<(), ()> {
    /// Starts a graph: nodes and edges by name, with routers and cycles.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::{END, Workflow};
    ///
    /// async fn classify(text: String) -> Result<String> {
    ///     Ok(if text.contains("charged") { "Billing" } else { "Tech" }.to_owned())
    /// }
    /// async fn billing(_: String) -> Result<String> {
    ///     Ok("we refund it".to_owned())
    /// }
    /// async fn tech(_: String) -> Result<String> {
    ///     Ok("turn it off and on again".to_owned())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let triage = Workflow::graph("triage")
    ///     .node("classify", classify).node("billing", billing).node("tech", tech)
    ///     .start("classify")
    ///     .router("classify", |label: &str| label.to_lowercase(), [("billing", "billing"), ("tech", "tech")])
    ///     .edge("billing", END).edge("tech", END)
    ///     .build_as::<String, String>()?;
    /// let outcome = Loom::builder().build().session("alice").run(&triage, "I was charged twice.").await?;
    /// assert_eq!(outcome.output, "we refund it");
    /// assert_eq!(outcome.visited, ["classify", "billing"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn graph(name: impl Into<Name>) -> Graph {
        Graph(Draft::new(name.into()))
    }
}

/// A graph that is being built.
///
/// # When a node runs
/// A node runs once all that may still reach it in this pass is there: it has a delivery, and
/// nothing that runs or waits can reach it, other than by an edge back to an earlier node of a loop
/// it is in. So branches run side by side without waiting for each other, a join waits for the
/// longest of them and for none that wasn't taken, a loop's next pass begins when the one before is
/// over, and what comes after a loop waits until the loop is left. What a node is given never
/// depends on which of two others was quicker.
///
/// A side branch of a loop belongs to it and runs in each pass: nodes that are fed from the loop and
/// each other alone, and lead only to each other, to [`END`] or nowhere. A node that is also fed from
/// elsewhere, or leads on to such a one, comes after the loop: it waits until the loop is left, and
/// gets what each pass gave.
///
/// ```
/// use loom_core::{Loom, Result};
/// use loom_workflow::{END, Graph, Joined, Workflow};
///
/// async fn halve(n: u64) -> Result<u64> {
///     Ok(n / 2)
/// }
/// async fn note(_: Joined<u64>) -> Result<()> {
///     Ok(())
/// }
/// /// Goes round until the number is odd; each pass sends it to `note`.
/// fn halving() -> Graph {
///     Workflow::graph("halving")
///         .node("halve", halve).node("check", halve).node("note", note).sink("note")
///         .start("halve").edge("halve", "check").edge("halve", "note")
///         .router_of("check", |n: &u64| if n % 2 == 0 { "again" } else { "done" }, [("again", "halve"), ("done", END)])
/// }
///
/// # futures::executor::block_on(async {
/// let session = Loom::builder().build().session("alice");
/// let each_pass = halving().build_as::<u64, u64>()?;
/// let outcome = session.run(&each_pass, 16u64).await?;
/// assert_eq!(outcome.visited, ["halve", "check", "note", "halve", "check", "note"]);
/// let afterwards = halving().start("note").build_as::<u64, u64>()?;
/// let outcome = session.run(&afterwards, 16u64).await?;
/// assert_eq!(outcome.visited, ["halve", "check", "halve", "check", "note"]);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
///
/// # What a node takes
/// A step that takes [`Joined<T>`] gets all deliveries of the pass, in the order in which the
/// edges were declared. A step that takes any other type must get exactly one; two are an error
/// that names both sources. The end is a join like any other.
///
/// Between nodes values are JSON. What JSON has no form for changes on the way: a float that isn't
/// finite becomes `null`, which is an error of the step that takes a float.
///
/// # Limits
/// A graph with a cycle ends as interrupted at `steps_max` steps (100) or `visits_max` visits of
/// one node (25). At most `concurrency_max` (8) bodies run at the same time; others wait.
#[must_use = "a graph is made into a workflow by `.build()`"]
pub struct Graph(Draft);

impl Graph {
    /// Adds a node that runs a step.
    pub fn node<I, M, S>(mut self, name: impl Into<Name>, step: S) -> Self
    where
        I: Deliveries,
        M: 'static,
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        self.0.nodes.push(DraftNode {
            name: name.into(),
            body: Arc::new(StepBody::<S, I, M>::new(step)),
            routed_by: None,
        });
        self
    }

    /// Adds an edge: what the first node gives, the second one takes. Several edges out of one node
    /// fan out.
    pub fn edge(mut self, from: impl Into<Name>, to: impl Into<Name>) -> Self {
        self.push_edge(from.into(), to.into(), By::All);
        self
    }

    /// Names a node that takes the graph's input: short for `.edge(START, name)`.
    pub fn start(self, name: impl Into<Name>) -> Self {
        self.edge(START, name)
    }

    /// Lets a function of what a node gives pick one of several edges by its label, in place of
    /// plain edges. The function sees text as it is, and anything else as JSON. A label that no
    /// edge has is an `Invalid` error of the run, unless there is an edge for all
    /// [other](Graph::otherwise) labels.
    pub fn router<L: Display, N: Into<Name>, T: Into<Name>>(
        self,
        source: impl Into<Name>,
        label: impl Fn(&str) -> L + Send + Sync + 'static,
        edges: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        self.routed(source.into(), router::of_text(label), edges)
    }

    /// [`Graph::router`] over values of one type.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::{END, Workflow};
    ///
    /// async fn halve(n: u64) -> Result<u64> {
    ///     Ok(n / 2)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let odd = Workflow::graph("odd")
    ///     .node("halve", halve)
    ///     .start("halve")
    ///     .router_of("halve", |n: &u64| if n % 2 == 0 { "again" } else { "done" }, [("again", "halve"), ("done", END)])
    ///     .build_as::<u64, u64>()?;
    /// let outcome = Loom::builder().build().session("alice").run(&odd, 40u64).await?;
    /// assert_eq!(outcome.output, 5);
    /// assert_eq!(outcome.visited, ["halve", "halve", "halve"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn router_of<V: Data, L: Display, N: Into<Name>, T: Into<Name>>(
        self,
        source: impl Into<Name>,
        label: impl Fn(&V) -> L + Send + Sync + 'static,
        edges: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        self.routed(source.into(), router::of_value(label), edges)
    }

    /// The edge that a node's router takes for every label that no other edge has.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::{END, Workflow};
    ///
    /// async fn classify(text: String) -> Result<String> {
    ///     Ok(text)
    /// }
    /// async fn bill(_: String) -> Result<String> {
    ///     Ok("we refund it".to_owned())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let triage = Workflow::graph("triage")
    ///     .node("classify", classify).node("bill", bill)
    ///     .start("classify")
    ///     .router("classify", |label: &str| label.to_owned(), [("billing", "bill")])
    ///     .otherwise("classify", END).edge("bill", END)
    ///     .build_as::<String, String>()?;
    /// let outcome = Loom::builder().build().session("alice").run(&triage, "weather").await?;
    /// assert_eq!(outcome.visited, ["classify"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn otherwise(mut self, source: impl Into<Name>, to: impl Into<Name>) -> Self {
        self.push_edge(source.into(), to.into(), By::Otherwise);
        self
    }

    /// Lets a node fail by itself: instead of ending the others it gives its
    /// [`Settled`](crate::Settled) on, done or failed, and what follows takes that. Errors that end
    /// the whole tree still do.
    ///
    /// A router of the node sees that too: as text it is `{"done": ..}` or `{"failed": ..}`, so
    /// pick by [`Graph::router_of`] over `Settled<T>`.
    ///
    /// ```
    /// use loom_core::{Error, Loom, Result};
    /// use loom_workflow::{END, Settled, Workflow};
    ///
    /// async fn search(_: String) -> Result<String> {
    ///     Err(Error::invalid("the index is gone"))
    /// }
    /// async fn report(found: Settled<String>) -> Result<String> {
    ///     Ok(found.done().unwrap_or_else(|| "nothing found".to_owned()))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let look = Workflow::graph("look")
    ///     .node("search", search).settle("search").node("report", report)
    ///     .start("search").edge("search", "report").edge("report", END)
    ///     .build_as::<String, String>()?;
    /// let outcome = Loom::builder().build().session("alice").run(&look, "loom").await?;
    /// assert_eq!(outcome.output, "nothing found");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn settle(mut self, node: impl Into<Name>) -> Self {
        self.0.settled.push(node.into());
        self
    }

    /// Says that what a node gives goes nowhere: it is run for what it does.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::{END, Workflow};
    ///
    /// async fn answer(text: String) -> Result<String> {
    ///     Ok(format!("{text}: done"))
    /// }
    /// async fn count(_: String) -> Result<()> {
    ///     Ok(())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let desk = Workflow::graph("desk")
    ///     .node("answer", answer).node("count", count).sink("count")
    ///     .start("answer").start("count").edge("answer", END)
    ///     .build_as::<String, String>()?;
    /// let outcome = Loom::builder().build().session("alice").run(&desk, "ticket 7").await?;
    /// assert_eq!(outcome.output, "ticket 7: done");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn sink(mut self, node: impl Into<Name>) -> Self {
        self.0.sinks.push(node.into());
        self
    }

    /// The workflow, from JSON to JSON.
    ///
    /// # Errors
    /// As [`Graph::build_as`].
    pub fn build(self) -> Result<Workflow<Value, Value>> {
        self.build_as::<Value, Value>()
    }

    /// The workflow, typed at its rim; inside, the nodes hand JSON to each other. An output of
    /// `Joined<T>` takes all that reaches the end and gives a list of [`Delivered`]; any other
    /// takes exactly one delivery.
    ///
    /// # Errors
    /// `Invalid`, naming everything that is wrong at once: names that are none, are there twice or
    /// are unknown (with the one that may be meant), nodes that can't be reached, lead nowhere or go
    /// round for ever, a
    /// missing start or end, routers beside plain edges, labels that are there twice, limits of 0.
    /// Of more than 50 such things the message counts the rest.
    pub fn build_as<I: Data, O: GraphOutput>(self) -> Result<Workflow<I, O::Out>> {
        let draft = self.0;
        let mut wrong = check::check(&draft);
        if !wrong.is_empty() {
            let more = wrong.len().saturating_sub(WRONG_MAX);
            wrong.truncate(WRONG_MAX);
            if more > 0 {
                wrong.push(format!("and {more} more"));
            }
            return Err(Error::invalid(format!(
                "the graph {:?} can't be built: {}",
                draft.name,
                wrong.join("; ")
            )));
        }
        let flow = assemble::flow_of(&draft);
        let outline = assemble::outline_of(&draft, &flow, O::JOINS);
        let plan = GraphPlan {
            nodes: assemble::plan_nodes(&draft, &flow),
            sources: draft.edges.iter().map(|edge| edge.from.clone()).collect(),
            reach: Reach::of(&flow),
            flow,
            caps: draft.caps,
            types: PhantomData::<fn(I) -> O>,
        };
        Ok(Workflow::new(draft.name, outline, plan, &[]))
    }

    pub(crate) fn of(draft: Draft) -> Self {
        Self(draft)
    }

    fn routed<N: Into<Name>, T: Into<Name>>(
        mut self,
        source: Name,
        picks: router::Picks,
        edges: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        for (label, to) in edges {
            self.push_edge(source.clone(), to.into(), By::Label(label.into()));
        }
        self.0.routers.push((source, picks));
        self
    }

    fn push_edge(&mut self, from: Name, to: Name, by: By) {
        self.0.edges.push(DraftEdge { from, to, by });
    }
}
