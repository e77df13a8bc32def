//! A model with a script that keeps what it was shown, and what that looks like.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use loom_agent::{Agent, FnModel, Message, Model, Reply, Request, ToolResult};
use loom_core::{Error, Tool};

/// The conversations a model was shown, one a turn.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Vec<Vec<Message>>>>);

impl Shown {
    pub(crate) fn conversations(&self) -> Vec<Vec<Message>> {
        self.0.lock().unwrap().clone()
    }

    /// What the model was last told of its tool calls.
    pub(crate) fn told(&self) -> Vec<ToolResult> {
        match self.conversations().last().and_then(|it| it.last()) {
            Some(Message::Tools(results)) => results.clone(),
            _ => Vec::new(),
        }
    }

    fn add(&self, request: &Request<'_>) {
        self.0.lock().unwrap().push(request.messages.to_vec());
    }
}

/// A model by the name `scripted` that gives these replies, and what it was shown.
pub(crate) fn script(replies: impl IntoIterator<Item = Reply>) -> (impl Model, Shown) {
    let shown = Shown::default();
    let kept = shown.clone();
    let replies: Mutex<VecDeque<Reply>> = Mutex::new(replies.into_iter().collect());
    let model = FnModel::new("scripted", move |request: &Request<'_>| {
        kept.add(request);
        let next = replies.lock().unwrap().pop_front();
        next.ok_or_else(|| Error::invalid("the script is over"))
    });
    (model, shown)
}

/// An agent whose model makes these calls and then says "done", and what the model was shown.
pub(crate) fn caller(calls: Reply, tools: impl IntoIterator<Item = Tool>) -> (Agent, Shown) {
    let (model, shown) = script([calls, Reply::text("done")]);
    let agent = Agent::builder("Use your tools.").model(model).tools(tools);
    (agent.build().unwrap(), shown)
}

/// What a model is told of a call that went well.
pub(crate) fn gave(call_id: &'static str, tool: &'static str, text: &str) -> ToolResult {
    ToolResult {
        call_id: call_id.into(),
        name: tool.into(),
        text: text.to_owned(),
        is_error: false,
    }
}

/// What a model is told of a call that went wrong.
pub(crate) fn erred(call_id: &'static str, tool: &'static str, text: &str) -> ToolResult {
    ToolResult {
        is_error: true,
        ..gave(call_id, tool, text)
    }
}
