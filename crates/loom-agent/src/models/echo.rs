//! `EchoModel`: says what it was told.

use loom_core::{Result, RunContext};

use crate::message::Reply;
use crate::model::{Model, Request};

/// Answers every request with the prompt's text.
///
/// ```
/// use loom_agent::{Agent, EchoModel};
/// use loom_core::Loom;
///
/// # futures::executor::block_on(async {
/// let agent = Agent::builder("Echo.").model(EchoModel).build()?;
/// let outcome = Loom::builder().build().session("alice").run(&agent, "hello").await?;
/// assert_eq!(outcome.output, "hello");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct EchoModel;

impl Model for EchoModel {
    fn name(&self) -> &str {
        "echo"
    }

    async fn stream(&self, cx: &RunContext, request: &Request<'_>) -> Result<Reply> {
        let text = request
            .prompt()
            .map(crate::Prompt::text)
            .unwrap_or_default();
        cx.delta(&text);
        Ok(Reply::text(text))
    }
}
