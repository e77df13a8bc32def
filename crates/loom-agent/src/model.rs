//! `Model`: what an agent asks for its next reply.

use std::sync::Arc;

use loom_core::{BoxFuture, Name, Result, RunContext};
use serde_json::Value;

use crate::message::{Message, Reply, ToolResult};
use crate::prompt::Prompt;

/// What a model is asked: everything it needs to know for its next reply.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The agent's instructions.
    pub instructions: &'a str,
    /// The conversation so far, oldest first.
    pub messages: &'a [Message],
    /// The tools the model may call.
    pub tools: &'a [ToolSpec],
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        instructions: &'a str,
        messages: &'a [Message],
        tools: &'a [ToolSpec],
    ) -> Self {
        Self {
            instructions,
            messages,
            tools,
        }
    }

    /// What a reply may take at most, for the limits: a token for every four characters it reads,
    /// and 4,096 that it writes.
    pub(crate) fn tokens_estimate(&self) -> u64 {
        let messages: usize = self.messages.iter().map(Message::length).sum();
        let tools: usize = self.tools.iter().map(|it| it.length).sum();
        (self.instructions.len() + messages + tools) as u64 / 4 + 4_096
    }

    /// What the agent was asked last.
    pub fn prompt(&self) -> Option<&'a Prompt> {
        self.messages
            .iter()
            .rev()
            .find_map(|message| match message {
                Message::User(prompt) => Some(prompt),
                Message::Assistant(_) | Message::Tools(_) => None,
            })
    }

    /// What the tool calls of the last reply gave; empty when it made none.
    pub fn tool_results(&self) -> &'a [ToolResult] {
        match self.messages.last() {
            Some(Message::Tools(results)) => results,
            Some(Message::User(_) | Message::Assistant(_)) | None => &[],
        }
    }
}

/// What a model is told of a tool.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolSpec {
    /// The tool's name.
    pub name: Name,
    /// What it does.
    pub description: String,
    /// The JSON schema of its arguments.
    pub schema: Value,
    /// How many characters a model reads of it, about.
    length: usize,
}

impl ToolSpec {
    pub(crate) fn new(name: Name, description: String, schema: Value) -> Self {
        Self {
            length: name.len() + description.len() + schema.to_string().len(),
            name,
            description,
            schema,
        }
    }
}

/// Gives the next reply of a conversation.
///
/// Streaming always: pieces of text go to whoever watches through `cx.delta(..)` as they come,
/// and the whole reply is returned at the end. A stream that ends without its end is an error,
/// never a short answer.
///
/// A whole one, which shouts back:
///
/// ```
/// use loom_agent::{Agent, Model, Reply, Request};
/// use loom_core::{Loom, Result, RunContext};
///
/// struct Shout;
///
/// impl Model for Shout {
///     fn name(&self) -> &str {
///         "shout"
///     }
///
///     async fn stream(&self, cx: &RunContext, request: &Request<'_>) -> Result<Reply> {
///         let text = request.prompt().map(|it| it.text().to_uppercase()).unwrap_or_default();
///         for word in text.split_inclusive(' ') {
///             cx.delta(word);
///         }
///         Ok(Reply::text(text))
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let agent = Agent::builder("Shout.").model(Shout).build()?;
/// let outcome = Loom::builder().build().session("alice").run(&agent, "hello there").await?;
/// assert_eq!(outcome.output, "HELLO THERE");
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a model",
    note = "implement `Model`: `fn name(&self) -> &str` and `async fn stream(&self, cx: &RunContext, request: &Request<'_>) -> Result<Reply>`"
)]
pub trait Model: Send + Sync + 'static {
    /// The model's name in traces and records.
    fn name(&self) -> &str;

    /// Who serves it, as telemetry conventions spell it (`anthropic`, `openai`), if anybody does.
    fn provider(&self) -> Option<&str> {
        None
    }

    /// The next reply.
    fn stream(
        &self,
        cx: &RunContext,
        request: &Request<'_>,
    ) -> impl Future<Output = Result<Reply>> + Send;
}

impl<M: Model> Model for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn provider(&self) -> Option<&str> {
        (**self).provider()
    }

    fn stream(
        &self,
        cx: &RunContext,
        request: &Request<'_>,
    ) -> impl Future<Output = Result<Reply>> + Send {
        (**self).stream(cx, request)
    }
}

/// The object-safe twin of [`Model`].
pub(crate) trait DynModel: Send + Sync {
    fn name(&self) -> &str;
    fn provider(&self) -> Option<&str>;
    fn stream<'a>(
        &'a self,
        cx: &'a RunContext,
        request: &'a Request<'a>,
    ) -> BoxFuture<'a, Result<Reply>>;
}

impl<M: Model> DynModel for M {
    fn name(&self) -> &str {
        Model::name(self)
    }

    fn provider(&self) -> Option<&str> {
        Model::provider(self)
    }

    fn stream<'a>(
        &'a self,
        cx: &'a RunContext,
        request: &'a Request<'a>,
    ) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(Model::stream(self, cx, request))
    }
}
