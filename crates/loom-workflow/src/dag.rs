//! `Dag`: nodes that take what other nodes give, each begun as soon as all it takes is there.

mod var;
mod handles;
mod values;
mod step;
mod plan;
mod nowhere;

use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;

use loom_core::{Accepts, Data, Error, Info, IntoStep, Link, Name, Result};

use crate::concurrency::CONCURRENCY_MAX;
use crate::dag::plan::DagPlan;
use crate::dag::step::{Begin, DagStep};
use crate::dag::var::Place;
use crate::node::StepNode;
use crate::node_names::NodeNames;
use crate::outline::{Outline, faults, node_info};
use crate::parallel::Settled;
use crate::workflow::Workflow;

pub use handles::Handles;
pub use var::Var;

/// A workflow of named nodes that is being built, in which a node takes what earlier nodes give.
///
/// A node is added with handles ([`Var`]) on what it takes and gives a handle on what it gives: so
/// types are checked by the compiler, and there is no way to make a cycle. A node begins as soon
/// as all it takes is there; nodes that don't need each other run beside each other. The first
/// failure cancels the others, unless it is of a [settled](Dag::settled) node.
///
/// ```
/// use loom_core::{Loom, Result};
/// use loom_workflow::Dag;
///
/// async fn search_web(question: String) -> Result<Vec<String>> {
///     Ok(vec![format!("a page on {question}")])
/// }
/// async fn search_docs(question: String) -> Result<String> {
///     Ok(format!("a chapter on {question}"))
/// }
/// async fn merge((web, docs): (Vec<String>, String)) -> Result<String> {
///     Ok(format!("{}, {docs}", web.join(", ")))
/// }
///
/// # futures::executor::block_on(async {
/// let (mut dag, question) = Dag::<String>::new("research");
/// let web = dag.node("web", question, search_web);
/// let docs = dag.node("docs", question, search_docs);
/// let answer = dag.node("merge", (web, docs), merge);
/// let research = dag.output(answer)?;
///
/// let outcome = Loom::builder().build().session("alice").run(&research, "looms").await?;
/// assert_eq!(outcome.output, "a page on looms, a chapter on looms");
/// assert_eq!(outcome.visited, ["web", "docs", "merge"]);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "a dag is made into a workflow by `.output(..)`"]
pub struct Dag<I> {
    name: Name,
    /// Tells this dag's handles from those of any other.
    id: u64,
    nodes: Vec<Box<dyn Begin>>,
    parts: Vec<Info>,
    /// What each node takes, as places: 0 is the input, the others are the nodes from 1 on.
    takes: Vec<Vec<usize>>,
    names: NodeNames,
    strangers: Vec<String>,
    concurrency_max: usize,
    types: PhantomData<fn(I)>,
}

impl<I: Data> Dag<I> {
    /// Starts a dag that takes `I`; gives it with the handle on its input.
    ///
    /// ```
    /// use loom_workflow::Dag;
    ///
    /// let (dag, input) = Dag::<String>::new("as it is");
    /// assert_eq!(dag.output(input)?.name(), "as it is");
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn new(name: impl Into<Name>) -> (Self, Var<I>) {
        // A state of its own has keys of its own, so no other dag is likely to have this number:
        // that two share it isn't impossible, and then a mistaken handle of the other isn't told.
        let id = RandomState::new().hash_one("dag");
        let dag = Self {
            name: name.into(),
            id,
            nodes: Vec::new(),
            parts: Vec::new(),
            takes: Vec::new(),
            names: NodeNames::default(),
            strangers: Vec::new(),
            concurrency_max: CONCURRENCY_MAX,
            types: PhantomData,
        };
        (dag, Var::at(Place { dag: id, index: 0 }))
    }

    /// Adds a node: a step under this name that takes what the handles give, or what can be made
    /// from it ([`Accepts`]). See [`Handles`] for how it takes several values.
    pub fn node<V, J, M, S>(&mut self, name: impl Into<Name>, takes: V, step: S) -> Var<S::Out>
    where
        V: Handles,
        J: Accepts<V::Value> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
    {
        let node = StepNode::new(name.into(), step);
        self.add(takes, node, |result| result, Name::EMPTY)
    }

    /// Adds a node whose failure is a value and cancels nothing: what it gives is its
    /// [`Settled`]. Errors that end the whole tree still do.
    ///
    /// ```
    /// use loom_core::{Error, Loom, Result};
    /// use loom_workflow::{Dag, Settled};
    ///
    /// async fn search(_: String) -> Result<u64> {
    ///     Err(Error::invalid("the net is down"))
    /// }
    /// async fn count(found: Settled<u64>) -> Result<u64> {
    ///     Ok(found.done().unwrap_or(0))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let (mut dag, question) = Dag::<String>::new("research");
    /// let found = dag.settled("web", question, search);
    /// let counted = dag.node("count", found, count);
    /// let research = dag.output(counted)?;
    /// let outcome = Loom::builder().build().session("alice").run(&research, "looms").await?;
    /// assert_eq!(outcome.output, 0);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn settled<V, J, M, S>(
        &mut self,
        name: impl Into<Name>,
        takes: V,
        step: S,
    ) -> Var<Settled<S::Out>>
    where
        V: Handles,
        J: Accepts<V::Value> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
    {
        let node = StepNode::new(name.into(), step).keeping_failure();
        self.add(takes, node, Settled::of, "settled".into())
    }

    /// How many bodies run at the same time, 8 unless said otherwise: a node that has all it takes
    /// waits for a place, in the order in which nodes had it.
    ///
    /// ```
    /// use loom_core::Result;
    /// use loom_workflow::Dag;
    ///
    /// async fn fetch(url: String) -> Result<String> {
    ///     Ok(url)
    /// }
    ///
    /// let (mut dag, url) = Dag::<String>::new("one at a time");
    /// dag.concurrency_max(1);
    /// let first = dag.node("first", url, fetch);
    /// let second = dag.node("second", url, fetch);
    /// let both = dag.output((first, second))?;
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn concurrency_max(&mut self, concurrency_max: usize) {
        self.concurrency_max = concurrency_max;
    }

    /// The workflow that gives what this handle gives, or several do together.
    ///
    /// # Errors
    /// `Invalid`, naming everything that is wrong at once: a name that is invalid or of two nodes, a
    /// handle of another dag, a node that leads nowhere, a step that can't run, a `concurrency_max`
    /// of 0.
    pub fn output<V: Handles>(mut self, output: V) -> Result<Workflow<I, V::Value>> {
        let before = self.strangers.len();
        let ends = self.own_places(&output, || "the output".to_owned());
        let is_known = self.strangers.len() == before;
        self.names.check("the workflow", &self.name);
        let mut wrong = self.names.into_wrong();
        wrong.append(&mut self.strangers);
        wrong.extend(faults(&self.parts));
        if self.concurrency_max == 0 {
            wrong.push("concurrency_max is 0: then nothing could run".to_owned());
        }
        if is_known {
            // Else what was meant to lead there would all be told to lead nowhere.
            wrong.extend(nowhere::nodes(&self.parts, &self.takes, &ends));
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(format!(
                "the dag {:?} can't be built: {}",
                self.name,
                wrong.join("; ")
            )));
        }
        let links = links(&self.takes, &ends);
        let outline = Outline::of(self.parts, links, ends.len() > 1);
        let plan =
            DagPlan::<I, V>::new(self.nodes, &self.takes, &ends, output, self.concurrency_max);
        Ok(Workflow::new(self.name, outline, plan, &[]))
    }

    fn add<V, J, M, S, O>(
        &mut self,
        takes: V,
        node: StepNode<V::Value, J, M, S>,
        finish: fn(Result<S::Out>) -> Result<O>,
        detail: Name,
    ) -> Var<O>
    where
        V: Handles,
        J: Accepts<V::Value> + Data,
        M: 'static,
        S: IntoStep<J, M>,
        S::Out: Data,
        O: Send + 'static,
    {
        let name = node.name();
        self.names.take_once(name);
        let places = self.own_places(&takes, || format!("the node {name:?}"));
        let info = node_info(name, node.step_info());
        self.parts
            .push(info.with_detail(detail).joining(places.len() > 1));
        self.takes.push(places);
        self.nodes.push(Box::new(DagStep::new(takes, node, finish)));
        Var::at(Place {
            dag: self.id,
            index: self.nodes.len(),
        })
    }

    /// The places of these handles; those of another dag are noted.
    fn own_places(&mut self, handles: &impl Handles, taker: impl FnOnce() -> String) -> Vec<usize> {
        let mut places = Vec::new();
        handles.places(&mut places);
        if places.iter().any(|place| place.dag != self.id) {
            self.strangers
                .push(format!("{} takes a handle of another dag", taker()));
        }
        let own = places.iter().filter(|place| place.dag == self.id);
        own.map(|place| place.index).collect()
    }
}

/// What flows where, in the order of the nodes and of their handles.
fn links(takes: &[Vec<usize>], ends: &[usize]) -> Vec<Link> {
    let to_nodes = takes.iter().enumerate().flat_map(|(node, places)| {
        places.iter().map(move |place| match place.checked_sub(1) {
            None => Link::entry(node),
            Some(from) => Link::new(from, node),
        })
    });
    let to_end = ends.iter().map(|place| match place.checked_sub(1) {
        None => Link::default(),
        Some(from) => Link::exit(from),
    });
    to_nodes.chain(to_end).collect()
}
