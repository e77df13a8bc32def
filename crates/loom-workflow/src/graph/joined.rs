//! What a node of a graph takes: one delivery, or all of them together.

use std::ops::Deref;
use std::sync::Arc;

use loom_core::{Data, Error, ErrorKind, Name, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A value with the name of the node it came from; from [`START`](crate::START) it is the graph's
/// own input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered<T> {
    /// The node that gave it.
    pub source: Name,
    /// What it gave.
    pub value: T,
}

/// All deliveries of a node's pass, ordered by the declaration of the edges they came by.
///
/// A step that takes this joins what reaches it, be it from one node or from many. A node after a
/// loop gets what each pass of the loop gave, in the order of the passes; a side branch that runs
/// in each pass gets what that pass gave ([when a node runs](crate::Graph#when-a-node-runs)).
///
/// ```
/// use loom_core::{Loom, Result};
/// use loom_workflow::{END, Joined, Workflow};
///
/// async fn web(query: String) -> Result<u64> {
///     Ok(query.len() as u64)
/// }
/// async fn docs(query: String) -> Result<u64> {
///     Ok(2 * query.len() as u64)
/// }
/// async fn merge(found: Joined<u64>) -> Result<String> {
///     let found = found.iter().map(|it| format!("{} {}", it.source, it.value));
///     Ok(found.collect::<Vec<_>>().join(", "))
/// }
///
/// # futures::executor::block_on(async {
/// let research = Workflow::graph("research")
///     .node("web", web).node("docs", docs).node("merge", merge)
///     .start("web").start("docs")
///     .edge("web", "merge").edge("docs", "merge").edge("merge", END)
///     .build_as::<String, String>()?;
/// let outcome = Loom::builder().build().session("alice").run(&research, "loom").await?;
/// assert_eq!(outcome.output, "web 4, docs 8");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined<T>(pub Vec<Delivered<T>>);

impl<T> Joined<T> {
    /// The values alone, in order.
    pub fn into_values(self) -> Vec<T> {
        self.0.into_iter().map(|it| it.value).collect()
    }
}

impl<T> Deref for Joined<T> {
    type Target = [Delivered<T>];

    fn deref(&self) -> &[Delivered<T>] {
        &self.0
    }
}

impl<T> IntoIterator for Joined<T> {
    type Item = Delivered<T>;
    type IntoIter = std::vec::IntoIter<Delivered<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a node of a graph may take: any [`Data`] from exactly one delivery, or [`Joined`].
#[diagnostic::on_unimplemented(
    message = "a node of a graph can't take `{Self}`",
    note = "it takes a `Data` type, from one delivery, or `Joined<T>` with a `Data` type `T`, from all of them"
)]
pub trait Deliveries: Send + Sized + 'static {
    /// Whether all deliveries are taken together.
    #[doc(hidden)]
    const JOINS: bool;

    /// Makes the input.
    #[doc(hidden)]
    fn gather(inputs: Inputs) -> Result<Self>;
}

impl<T: Data> Deliveries for T {
    const JOINS: bool = false;

    fn gather(inputs: Inputs) -> Result<T> {
        T::from_value(inputs.into_one("take `Joined<_>` to join them")?)
    }
}

impl<T: Data> Deliveries for Joined<T> {
    const JOINS: bool = true;

    fn gather(inputs: Inputs) -> Result<Self> {
        inputs.into_all().map(Self)
    }
}

/// What a graph may give: any [`Data`], where exactly one delivery reaches the end, or
/// `Joined<T>`: all of them, as a list of [`Delivered`].
#[diagnostic::on_unimplemented(
    message = "a graph can't give `{Self}`",
    note = "it gives a `Data` type, from one delivery, or `Joined<T>` with a `Data` type `T`: a list of all deliveries"
)]
pub trait GraphOutput: Send + Sized + 'static {
    /// What the workflow gives.
    type Out: Data;

    /// Whether all deliveries are taken together.
    #[doc(hidden)]
    const JOINS: bool;

    /// Makes the output.
    #[doc(hidden)]
    fn gather(inputs: Inputs) -> Result<Self::Out>;
}

impl<T: Data> GraphOutput for T {
    type Out = T;
    const JOINS: bool = false;

    fn gather(inputs: Inputs) -> Result<T> {
        let hint = "build the graph with an output of type `Joined<_>`, or join them in a node";
        T::from_value(inputs.into_one(hint)?)
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> GraphOutput for Joined<T> {
    type Out = Vec<Delivered<T>>;
    const JOINS: bool = true;

    fn gather(inputs: Inputs) -> Result<Vec<Delivered<T>>> {
        inputs.into_all()
    }
}

/// What reached a node: values with the names of their sources, in the order of the edges. Shown
/// as JSON only to who looks.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Each with the number of the edge it came by.
    pub(crate) parcels: Vec<(usize, Arc<Value>)>,
    /// The source of each edge of the graph.
    pub(crate) sources: Arc<[Name]>,
    pub(crate) joins: bool,
}

impl Inputs {
    fn into_one(mut self, hint: &str) -> Result<Value> {
        match (self.parcels.pop(), self.parcels.as_slice()) {
            (Some((_, value)), []) => Ok(Arc::unwrap_or_clone(value)),
            (Some((last, _)), others) => {
                let edges = others.iter().map(|(edge, _)| *edge).chain([last]);
                let sources = edges.map(|edge| format!("{:?}", self.sources[edge]));
                let sources: Vec<String> = sources.collect();
                Err(Error::invalid(format!(
                    "{} deliveries where one is taken, from {}: {hint}",
                    sources.len(),
                    sources.join(" and ")
                )))
            }
            (None, _) => Err(Error::new(ErrorKind::Failed, "a node without a delivery")),
        }
    }

    fn into_all<T: Data>(self) -> Result<Vec<Delivered<T>>> {
        let all = self.parcels.into_iter().map(|(edge, value)| {
            let value = T::from_value(Arc::unwrap_or_clone(value))?;
            let source = self.sources[edge].clone();
            Ok(Delivered { source, value })
        });
        all.collect()
    }
}

impl Data for Inputs {
    fn to_value(&self) -> Result<Value> {
        match self.parcels.as_slice() {
            [(_, one)] if !self.joins => Ok((**one).clone()),
            all => Ok(all
                .iter()
                .map(|(edge, value)| json!({"source": self.sources[*edge], "value": **value}))
                .collect()),
        }
    }

    fn from_value(_: Value) -> Result<Self> {
        Err(Error::new(
            ErrorKind::Failed,
            "what reached a node is shown, never read back",
        ))
    }
}
