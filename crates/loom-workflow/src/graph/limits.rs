//! What a graph's run may do at most.

use crate::graph::Graph;

impl Graph {
    /// How many steps a run may take if the graph has a cycle: 100 unless it is said.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_workflow::{END, Workflow};
    ///
    /// async fn spin(n: u64) -> Result<u64> {
    ///     Ok(n)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let endless = Workflow::graph("endless")
    ///     .node("spin", spin).start("spin")
    ///     .router_of("spin", |_: &u64| "on", [("on", "spin"), ("off", END)])
    ///     .steps_max(3)
    ///     .build_as::<u64, u64>()?;
    /// let error = Loom::builder().build().session("alice").run(&endless, 7u64).await.unwrap_err();
    /// assert_eq!(error.message(), "spin: steps_max 3 reached");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn steps_max(mut self, steps_max: u32) -> Self {
        self.0.caps.steps_max = steps_max;
        self
    }

    /// How often a run may visit one node if the graph has a cycle: 25 unless it is said.
    ///
    /// ```
    /// # use loom_core::Result;
    /// # use loom_workflow::{END, Workflow};
    /// # async fn spin(n: u64) -> Result<u64> {
    /// #     Ok(n)
    /// # }
    /// let looping = Workflow::graph("looping")
    ///     .node("spin", spin).start("spin")
    ///     .router_of("spin", |n: &u64| if *n > 9 { "off" } else { "on" }, [("on", "spin"), ("off", END)])
    ///     .visits_max(3)
    ///     .build_as::<u64, u64>()?;
    /// assert!(looping.to_string().contains("3 visits of a node"));
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn visits_max(mut self, visits_max: u32) -> Self {
        self.0.caps.visits_max = visits_max;
        self
    }

    /// How many bodies run at the same time: 8 unless it is said. Further ones wait.
    ///
    /// ```
    /// # use loom_core::Result;
    /// # use loom_workflow::{END, Joined, Workflow};
    /// # async fn fetch(url: String) -> Result<String> {
    /// #     Ok(url)
    /// # }
    /// // One page at a time.
    /// let pages = Workflow::graph("pages")
    ///     .node("one", fetch).node("other", fetch)
    ///     .start("one").start("other").edge("one", END).edge("other", END)
    ///     .concurrency_max(1)
    ///     .build_as::<String, Joined<String>>()?;
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn concurrency_max(mut self, concurrency_max: usize) -> Self {
        self.0.caps.concurrency_max = concurrency_max;
        self
    }
}
