//! `GraphSpec`: a graph as data, read from and written to JSON and TOML.

use loom_core::{Data, Error, ErrorKind, Name, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::graph::joined::GraphOutput;
use crate::graph::steps::Steps;
use crate::graph::{Graph, from_spec};
use crate::workflow::Workflow;

/// The version of the description that this reads and writes.
const VERSION: u32 = 1;

/// A description of a graph: its nodes name [registered steps](Steps), its edges name nodes.
///
/// Fields that are left out have the values that a [`Graph`] has without them. Unknown fields are
/// refused.
///
/// ```
/// use loom_core::{Loom, Result};
/// use loom_workflow::{GraphSpec, Steps};
///
/// async fn classify(text: String) -> Result<String> {
///     Ok(if text.contains("charged") { "billing" } else { "tech" }.to_owned())
/// }
/// async fn answer(_: String) -> Result<String> {
///     Ok("we look into it".to_owned())
/// }
///
/// # futures::executor::block_on(async {
/// let spec = GraphSpec::from_toml(r#"
///     name = "triage"
///
///     [[nodes]]
///     name = "classify"
///     router = "text"
///
///     [[nodes]]
///     name = "billing"
///     step = "answer"
///
///     [[edges]]
///     from = "START"
///     to = "classify"
///
///     [[edges]]
///     from = "classify"
///     to = "billing"
///     label = "billing"
///
///     [[edges]]
///     from = "billing"
///     to = "END"
/// "#)?;
/// let steps = Steps::new().step("classify", classify).step("answer", answer);
/// let triage = spec.build_as::<String, String>(&steps)?;
/// let outcome = Loom::builder().build().session("alice").run(&triage, "I was charged twice.").await?;
/// assert_eq!(outcome.output, "we look into it");
/// assert_eq!(GraphSpec::from_json(&spec.to_json()?)?, spec);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GraphSpec {
    /// The description's version: 1.
    #[serde(default = "version")]
    pub version: u32,
    /// The workflow's name.
    pub name: Name,
    /// As [`Graph::steps_max`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_max: Option<u32>,
    /// As [`Graph::visits_max`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visits_max: Option<u32>,
    /// As [`Graph::concurrency_max`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<usize>,
    /// The nodes, in the order of their declaration.
    #[serde(default)]
    pub nodes: Vec<NodeSpec>,
    /// The edges, in the order of their declaration; they begin at `START` and end at `END`.
    #[serde(default)]
    pub edges: Vec<EdgeSpec>,
}

/// A node of a described graph.
///
/// ```
/// use loom_workflow::NodeSpec;
///
/// let mut node = NodeSpec::new("classify");
/// node.router = Some("text".into());
/// assert_eq!(node.step, None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeSpec {
    /// The node's name.
    pub name: Name,
    /// The registered step; the one of the node's name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Name>,
    /// The registered router that picks one of the node's edges by its label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Name>,
    /// As [`Graph::settle`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settle: bool,
    /// As [`Graph::sink`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sink: bool,
}

/// An edge of a described graph.
///
/// ```
/// use loom_workflow::EdgeSpec;
///
/// let mut edge = EdgeSpec::new("classify", "billing");
/// edge.label = Some("billing".into());
/// assert!(!edge.otherwise);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EdgeSpec {
    /// The node it leads from, or `START`.
    pub from: Name,
    /// The node it leads to, or `END`.
    pub to: Name,
    /// The label by which the router of its source picks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Name>,
    /// Whether the router takes it for every label that no other edge has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub otherwise: bool,
}

impl GraphSpec {
    /// A description without nodes.
    ///
    /// ```
    /// use loom_workflow::{EdgeSpec, GraphSpec, NodeSpec};
    ///
    /// let mut spec = GraphSpec::new("one");
    /// spec.nodes.push(NodeSpec::new("only"));
    /// spec.edges.push(EdgeSpec::new("START", "only"));
    /// spec.edges.push(EdgeSpec::new("only", "END"));
    /// assert_eq!(GraphSpec::from_toml(&spec.to_toml()?)?, spec);
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn new(name: impl Into<Name>) -> Self {
        Self {
            version: VERSION,
            name: name.into(),
            steps_max: None,
            visits_max: None,
            concurrency_max: None,
            nodes: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// Reads a description in JSON.
    ///
    /// # Errors
    /// `Invalid`, with the place, for text that describes no graph or is of another version.
    pub fn from_json(text: &str) -> Result<Self> {
        let stamp: Stamp = serde_json::from_str(text).map_err(|e| unreadable("JSON", e))?;
        stamp.check()?;
        serde_json::from_str(text).map_err(|e| unreadable("JSON", e))
    }

    /// Reads a description in TOML.
    ///
    /// # Errors
    /// As [`GraphSpec::from_json`].
    pub fn from_toml(text: &str) -> Result<Self> {
        let stamp: Stamp = toml::from_str(text).map_err(|e| unreadable("TOML", e))?;
        stamp.check()?;
        toml::from_str(text).map_err(|e| unreadable("TOML", e))
    }

    /// The description in JSON, over several lines.
    ///
    /// # Errors
    /// `Internal` if it can't be written.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| unwritable("JSON", e))
    }

    /// The description in TOML.
    ///
    /// # Errors
    /// `Internal` if it can't be written.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| unwritable("TOML", e))
    }

    /// The described graph over these steps, to be added to or built.
    ///
    /// What is unknown in it is an error of [`Graph::build`], with all else that is wrong.
    pub fn graph(&self, steps: &Steps) -> Graph {
        from_spec::graph(self, steps)
    }

    /// The workflow over these steps, from JSON to JSON.
    ///
    /// # Errors
    /// `Invalid`, naming everything that is wrong at once: what [`Graph::build_as`] says, and steps
    /// and routers that aren't registered, with the ones that may be meant.
    pub fn build(&self, steps: &Steps) -> Result<Workflow<Value, Value>> {
        self.graph(steps).build()
    }

    /// The workflow over these steps, typed at its rim.
    ///
    /// # Errors
    /// As [`GraphSpec::build`].
    pub fn build_as<I: Data, O: GraphOutput>(&self, steps: &Steps) -> Result<Workflow<I, O::Out>> {
        self.graph(steps).build_as::<I, O>()
    }
}

/// What says by which version all else is to be read; another version may have other fields.
#[derive(Deserialize)]
struct Stamp {
    #[serde(default = "version")]
    version: u32,
    #[serde(default)]
    name: String,
}

impl Stamp {
    fn check(&self) -> Result<()> {
        match self.version {
            VERSION => Ok(()),
            other => Err(Error::invalid(format!(
                "the graph {:?} is described in version {other}; this program reads version {VERSION}",
                self.name
            ))),
        }
    }
}

impl NodeSpec {
    /// A node that runs the step of its own name.
    pub fn new(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            step: None,
            router: None,
            settle: false,
            sink: false,
        }
    }
}

impl EdgeSpec {
    /// An edge that takes everything its source gives.
    pub fn new(from: impl Into<Name>, to: impl Into<Name>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            label: None,
            otherwise: false,
        }
    }
}

fn version() -> u32 {
    VERSION
}

fn unreadable(format: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    let why = source.to_string();
    let message = format!("this {format} describes no graph: {}", why.trim_end());
    Error::with_source(ErrorKind::Invalid, message, source)
}

fn unwritable(format: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = format!("the graph can't be written as {format}: {source}");
    Error::with_source(ErrorKind::Failed, message, source)
}
