//! `ScriptedModel`: replies from a list.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use loom_core::{Error, ErrorKind, Result, RunContext};

use crate::message::Reply;
use crate::model::{Model, Request};

/// Gives the replies of a list, one a call, whatever it is asked; the text in words, as a stream.
///
/// A call beyond the end of the list is an `Invalid` error.
///
/// ```
/// use loom_agent::{Agent, Reply, ScriptedModel};
/// use loom_core::{ErrorKind, Loom};
///
/// # futures::executor::block_on(async {
/// let agent = Agent::builder("Answer.").model(ScriptedModel::new([Reply::text("yes")])).build()?;
/// let session = Loom::builder().build().session("alice");
/// assert_eq!(session.run(&agent, "Is it?").await?.output, "yes");
/// assert_eq!(session.run(&agent, "Really?").await.unwrap_err().error().kind(), ErrorKind::Invalid);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub struct ScriptedModel {
    name: String,
    replies: Mutex<VecDeque<Result<Reply>>>,
    length: usize,
}

impl ScriptedModel {
    /// A model by the name `scripted` with these replies.
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with_results(replies.into_iter().map(Ok))
    }

    /// A model whose calls may fail too.
    ///
    /// ```
    /// use loom_agent::{Reply, ScriptedModel};
    /// use loom_core::{Error, ErrorKind};
    ///
    /// let overloaded = Error::new(ErrorKind::Upstream, "overloaded").retryable(true);
    /// let model = ScriptedModel::with_results([Err(overloaded), Ok(Reply::text("yes"))]);
    /// # let _ = model;
    /// ```
    pub fn with_results(replies: impl IntoIterator<Item = Result<Reply>>) -> Self {
        let replies: VecDeque<_> = replies.into_iter().collect();
        Self {
            name: "scripted".into(),
            length: replies.len(),
            replies: Mutex::new(replies),
        }
    }

    /// The same model by another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Model for ScriptedModel {
    fn name(&self) -> &str {
        &self.name
    }

    async fn stream(&self, cx: &RunContext, _request: &Request<'_>) -> Result<Reply> {
        let next = self
            .replies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(reply) = next else {
            let message = format!(
                "the script of {:?} has {} replies, and all are given",
                self.name, self.length
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        };
        let reply = reply?;
        for word in reply.text.split_inclusive(' ') {
            cx.delta(word);
        }
        Ok(reply)
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScriptedModel({:?}, {} replies)", self.name, self.length)
    }
}
