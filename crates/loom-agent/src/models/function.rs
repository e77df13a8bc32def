//! `FnModel`: a function of the request.

use std::fmt;

use loom_core::{Result, RunContext};

use crate::message::Reply;
use crate::model::{Model, Request};

/// Replies with a function of the request: the offline stand-in that reacts to what it is asked.
///
/// ```
/// use loom_agent::{Agent, FnModel, Reply, Request};
/// use loom_core::Loom;
///
/// # futures::executor::block_on(async {
/// let model = FnModel::new("counter", |request: &Request<'_>| {
///     let words = request.prompt().map_or(0, |it| it.text().split_whitespace().count());
///     Ok(Reply::text(format!("{words} words")))
/// });
/// let agent = Agent::builder("Count.").model(model).build()?;
/// let outcome = Loom::builder().build().session("alice").run(&agent, "one two three").await?;
/// assert_eq!(outcome.output, "3 words");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub struct FnModel<F> {
    name: String,
    function: F,
}

impl<F> FnModel<F>
where
    F: Fn(&Request<'_>) -> Result<Reply> + Send + Sync + 'static,
{
    /// A model of this name that replies with the function's result.
    pub fn new(name: impl Into<String>, function: F) -> Self {
        Self {
            name: name.into(),
            function,
        }
    }
}

impl<F> Model for FnModel<F>
where
    F: Fn(&Request<'_>) -> Result<Reply> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn stream(&self, cx: &RunContext, request: &Request<'_>) -> Result<Reply> {
        let reply = (self.function)(request)?;
        cx.delta(&reply.text);
        Ok(reply)
    }
}

impl<F> fmt::Debug for FnModel<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FnModel({:?})", self.name)
    }
}
