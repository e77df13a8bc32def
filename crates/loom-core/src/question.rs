//! Questions: what a run asks people, and who answers.

use std::fmt;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::RunContext;
use crate::effect::Effect;

/// Something a run waits to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// Where it was asked; [`Session::answer`](crate::Session::answer) takes it.
    pub path: String,
    /// Its name: the one given to `cx.ask`, or the gate's.
    pub name: String,
    /// What is asked.
    pub body: String,
    /// All that would go in, where a gate asks about a call with arguments: the body shows only so
    /// much of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

impl Question {
    pub(crate) fn new(path: String, name: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            path,
            name: name.into(),
            body: body.into(),
            input: None,
        }
    }

    /// The same about a call with these arguments. A null is none: the record couldn't tell them
    /// apart.
    pub(crate) fn about(self, input: Option<&Value>) -> Self {
        Self {
            input: input.filter(|it| !it.is_null()).cloned(),
            ..self
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.body)
    }
}

/// What an approver says of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Approval {
    /// It may happen.
    Granted,
    /// It must not happen, and why.
    Refused(String),
}

/// Answers the questions of gates on the spot: a person at a terminal, another service, a rule.
///
/// It is shown the very effect that will run if it grants: the tool with these arguments, of this
/// user, in this run. Nothing else can use the approval. Only the run's deadline bounds how long
/// it takes; if it panics, it refused.
///
/// ```
/// use loom_core::{Approval, Approver, Effect, Loom, Question, RunContext};
///
/// /// Grants small refunds.
/// struct Desk;
///
/// impl Approver for Desk {
///     async fn approve(&self, _cx: &RunContext, effect: &Effect, _question: &Question) -> Approval {
///         let cents = effect.input().and_then(|it| it["cents"].as_u64());
///         match cents {
///             Some(0..=1000) => Approval::Granted,
///             _ => Approval::Refused("only small refunds at this desk".into()),
///         }
///     }
/// }
///
/// let loom = Loom::builder().approver(Desk).build();
/// # let _ = loom;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't an approver",
    note = "implement `Approver`: `async fn approve(&self, cx: &RunContext, effect: &Effect, question: &Question) -> Approval`"
)]
pub trait Approver: Send + Sync + 'static {
    /// Whether the effect may happen.
    fn approve(
        &self,
        cx: &RunContext,
        effect: &Effect,
        question: &Question,
    ) -> impl Future<Output = Approval> + Send;
}

/// The object-safe twin of [`Approver`].
pub(crate) trait DynApprover: Send + Sync {
    fn approve<'a>(
        &'a self,
        cx: &'a RunContext,
        effect: &'a Effect,
        question: &'a Question,
    ) -> BoxFuture<'a, Approval>;
}

impl<A: Approver> DynApprover for A {
    fn approve<'a>(
        &'a self,
        cx: &'a RunContext,
        effect: &'a Effect,
        question: &'a Question,
    ) -> BoxFuture<'a, Approval> {
        Box::pin(Approver::approve(self, cx, effect, question))
    }
}
