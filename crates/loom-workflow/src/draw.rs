//! `Drawing`: what a runnable is made of, as a picture and as a tree.

mod figure;
mod label;
mod state;
mod progress;
mod tree;
mod mermaid;
mod dot;
#[cfg(feature = "svg")]
mod svg;

use std::fmt;

use loom_core::Info;

use crate::workflow::Workflow;
use figure::Figure;

pub use progress::Progress;

/// What a runnable is made of, to be looked at: as Mermaid, as DOT, as SVG (feature `svg`), or
/// displayed as an indented tree.
///
/// A whole whose parts are linked, such as a workflow, is a cluster with a `START` and an `END`.
/// One whose parts aren't, such as an agent with its tools, is a cluster in which lines without an
/// arrow lead from itself to its parts. A link back is dashed, and a link that is picked carries
/// its label. What wraps one step is drawn as that step. No two nodes ever become one, whatever
/// they are called.
///
/// Pictures cut names and details at 60 characters, the tree doesn't.
///
/// ```
/// use loom_core::Result;
/// use loom_workflow::Workflow;
///
/// async fn classify(text: String) -> Result<String> {
///     Ok(text)
/// }
/// async fn billing(text: String) -> Result<String> {
///     Ok(text)
/// }
///
/// let support = Workflow::route("support", classify).on("billing", billing).build()?;
/// assert_eq!(
///     support.drawing().to_string(),
///     "\
/// support (workflow)
///   START -> classify
///   classify -> route_billing [billing]
///   route_billing (billing) -> END
/// "
/// );
/// # Ok::<(), loom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a drawing is shown by `.mermaid()`, `.dot()` or `.to_string()`"]
pub struct Drawing {
    root: Figure,
    coloured: bool,
}

impl Drawing {
    /// A drawing of anything that says what it is made of: an agent or a step as well.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    /// use loom_workflow::Drawing;
    ///
    /// let lookup = Info::new("lookup", Kind::Function);
    /// let agent = Info::new("helper", Kind::Agent).with_parts([lookup]);
    /// assert_eq!(Drawing::of(&agent).to_string(), "helper (agent)\n  lookup (tool)\n");
    /// ```
    pub fn of(info: &Info) -> Self {
        Self {
            root: Figure::of(info),
            coloured: false,
        }
    }

    /// The same, each node coloured by what became of it: not taken, running, paused, done,
    /// failed (also denied, or ended by a limit) or cancelled. A node that was visited more than
    /// once shows how often; its colour is that of the last visit, unless one still goes on.
    ///
    /// Only what the runnable says it is made of is coloured: what a function calls by itself
    /// isn't drawn, and `START` and `END` have no colour.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_testing::Recorder;
    /// use loom_workflow::{Progress, Workflow};
    ///
    /// async fn load(id: u64) -> Result<u64> {
    ///     Ok(id)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let workflow = Workflow::chain("ticket").then(load).build();
    /// let recorder = Recorder::default();
    /// let loom = Loom::builder().observe(recorder.clone()).build();
    /// loom.session("alice").run(&workflow, 7u64).await?;
    ///
    /// let drawing = workflow.drawing().coloured_by(&Progress::of(&recorder.events()));
    /// assert_eq!(
    ///     drawing.to_string(),
    ///     "\
    /// ✓ ticket (workflow)
    ///     START -> load
    ///   ✓ load -> END
    /// "
    /// );
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn coloured_by(mut self, progress: &Progress) -> Self {
        self.root.colour(progress);
        self.coloured = true;
        self
    }

    /// The drawing as a Mermaid flowchart.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    /// use loom_workflow::Drawing;
    ///
    /// let step = Info::new("load", Kind::Function);
    /// assert_eq!(Drawing::of(&step).mermaid(), "flowchart TD\n  n[\"load\"]\n");
    /// ```
    pub fn mermaid(&self) -> String {
        mermaid::text(&self.root)
    }

    /// The drawing in DOT, for Graphviz.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    /// use loom_workflow::Drawing;
    ///
    /// let step = Info::new("load", Kind::Function);
    /// assert_eq!(
    ///     Drawing::of(&step).dot(),
    ///     "digraph {\n  node [shape=box];\n  n [label=\"load\"];\n}\n"
    /// );
    /// ```
    pub fn dot(&self) -> String {
        dot::text(&self.root)
    }

    /// The drawing as an SVG image that needs nothing else: no script, no font of its own. Laying
    /// it out takes far longer than writing the other formats, seconds for many hundred nodes.
    /// Several images may stand in one page: the ids in each begin with a hash of what it shows.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    /// use loom_workflow::Drawing;
    ///
    /// let step = Info::new("load", Kind::Function);
    /// let image = Drawing::of(&step).svg();
    /// assert!(image.starts_with("<svg ") && image.contains(">load</text>"));
    /// ```
    #[cfg(feature = "svg")]
    pub fn svg(&self) -> String {
        svg::text(&self.root)
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tree::write(&self.root, self.coloured, f)
    }
}

impl<I, O> Workflow<I, O> {
    /// A drawing of the workflow and all that is nested in it.
    ///
    /// ```
    /// use loom_core::Result;
    /// use loom_workflow::Workflow;
    ///
    /// async fn load(id: u64) -> Result<u64> {
    ///     Ok(id)
    /// }
    ///
    /// let drawing = Workflow::chain("ticket").then(load).build().drawing();
    /// assert_eq!(
    ///     drawing.mermaid(),
    ///     r#"flowchart TD
    ///   subgraph n["ticket<br/>workflow"]
    ///     n_in(["START"])
    ///     n0["load"]
    ///     n_out(["END"])
    ///   end
    ///   n_in --> n0
    ///   n0 --> n_out
    /// "#
    /// );
    /// ```
    pub fn drawing(&self) -> Drawing {
        Drawing::of(self.made_of())
    }
}

/// The workflow's [`Drawing`] as an indented tree.
impl<I, O> fmt::Display for Workflow<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.drawing().fmt(f)
    }
}
