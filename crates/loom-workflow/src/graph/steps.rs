//! `Steps`: what graphs that are read from files may name.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Display;
use std::sync::Arc;

use loom_core::{Data, IntoStep, Name};

use crate::graph::body::{Body, StepBody};
use crate::graph::joined::Deliveries;
use crate::graph::router::{self, Picks};

/// Steps and routers by name, for graphs that are [described](crate::GraphSpec) as data.
///
/// The router `text` is always there: it takes the text that a node gives as the label.
///
/// ```
/// use loom_core::Result;
/// use loom_workflow::Steps;
///
/// async fn classify(text: String) -> Result<String> {
///     Ok(text)
/// }
///
/// let steps = Steps::new().step("classify", classify).router("lowercase", |it: &str| it.to_lowercase());
/// assert_eq!(format!("{steps:?}"), r#"Steps { steps: ["classify"], routers: ["lowercase", "text"] }"#);
/// ```
#[derive(Clone)]
pub struct Steps {
    pub(crate) steps: BTreeMap<Name, Arc<dyn Body>>,
    pub(crate) routers: BTreeMap<Name, Picks>,
    /// Names that were given twice.
    pub(crate) doubled: Vec<String>,
}

impl Steps {
    /// No step, and the router `text`.
    pub fn new() -> Self {
        Self {
            steps: BTreeMap::new(),
            routers: BTreeMap::from([("text".into(), router::of_text(str::to_owned))]),
            doubled: Vec::new(),
        }
    }

    /// Adds a step: anything that a [node](crate::Graph::node) of a graph may be.
    #[must_use]
    pub fn step<I, M, S>(mut self, name: impl Into<Name>, step: S) -> Self
    where
        I: Deliveries,
        M: 'static,
        S: IntoStep<I, M>,
        S::Out: Data,
    {
        let name = name.into();
        if self.steps.contains_key(&name) {
            self.doubled
                .push(format!("two steps are registered as {name:?}"));
        }
        let body = Arc::new(StepBody::<S, I, M>::new(step));
        self.steps.insert(name, body);
        self
    }

    /// Adds a router over text; of anything else it sees the JSON.
    #[must_use]
    pub fn router<L: Display>(
        self,
        name: impl Into<Name>,
        label: impl Fn(&str) -> L + Send + Sync + 'static,
    ) -> Self {
        self.with_router(name.into(), router::of_text(label))
    }

    /// Adds a router over values of one type.
    ///
    /// ```
    /// use loom_workflow::Steps;
    ///
    /// let steps = Steps::new().router_of("parity", |n: &u64| if n % 2 == 0 { "even" } else { "odd" });
    /// # let _ = steps;
    /// ```
    #[must_use]
    pub fn router_of<V: Data, L: Display>(
        self,
        name: impl Into<Name>,
        label: impl Fn(&V) -> L + Send + Sync + 'static,
    ) -> Self {
        self.with_router(name.into(), router::of_value(label))
    }

    fn with_router(mut self, name: Name, picks: Picks) -> Self {
        if self.routers.contains_key(&name) {
            self.doubled
                .push(format!("two routers are registered as {name:?}"));
        }
        self.routers.insert(name, picks);
        self
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps")
            .field("steps", &self.steps.keys().collect::<Vec<_>>())
            .field("routers", &self.routers.keys().collect::<Vec<_>>())
            .finish()
    }
}
