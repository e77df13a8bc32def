//! Questions: what a run asks people, who answers, and what an answer is.

use std::fmt;

use futures::future::BoxFuture;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::context::EffectView;
use crate::effect::Effect;
use crate::error::{Error, Result};

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
    /// What asked it, which decides what an answer to it is.
    pub origin: Origin,
    /// All that would go in, where it is about a call with arguments: the body shows only so much
    /// of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// What asked a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// A gate, about an effect that is about to happen. The answer is an [`Approval`].
    Approval,
    /// The program, by `cx.ask`. The answer is whatever value it asked for.
    Program,
    /// An effect that a crash cut off: did it happen? The answer is a [`Resolution`].
    Unfinished,
}

impl Question {
    pub(crate) fn new(
        origin: Origin,
        path: String,
        name: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        Self {
            path,
            name: name.into(),
            body: body.into(),
            origin,
            input: None,
        }
    }

    /// The same about a call with these arguments. A null is none: the record can't distinguish
    /// them.
    pub(crate) fn about(self, input: Option<&Value>) -> Self {
        Self {
            input: input.filter(|it| !it.is_null()).cloned(),
            ..self
        }
    }

    /// Whether the value can be an answer to this question.
    ///
    /// # Errors
    /// `Invalid`, naming what an answer is.
    pub(crate) fn check(&self, answer: &Value) -> Result<()> {
        match self.origin {
            Origin::Approval => Approval::of(answer).map(drop),
            Origin::Unfinished => Resolution::of(answer).map(drop),
            Origin::Program => Ok(()),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.body)
    }
}

/// What a person or an approver says of an effect that is about to happen.
///
/// As JSON: `true`, `{"refused": "why"}`, `{"granted_with": {..}}`; read as well are `false` and a
/// text, which refuses for that reason.
///
/// ```
/// use loom_core::Approval;
/// use serde_json::json;
///
/// assert_eq!(serde_json::to_value(Approval::Granted)?, json!(true));
/// let refused: Approval = serde_json::from_value(json!("archive it instead"))?;
/// assert_eq!(refused, Approval::refused("archive it instead"));
/// assert!(serde_json::from_value::<Approval>(json!("yes")).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Approval {
    /// It may happen.
    Granted,
    /// It may happen with these arguments instead. They are checked like a model's; what doesn't
    /// fit is asked about again.
    GrantedWith(Value),
    /// It must not happen, and why: a model reads the reason.
    Refused(String),
}

/// The words by which people mean yes or no: too little to refuse for, and no approval.
const BARE_WORDS: [&str; 16] = [
    "", "y", "n", "yes", "no", "true", "false", "ok", "okay", "approve", "approved", "granted",
    "allow", "allowed", "1", "0",
];

fn is_bare_word(text: &str) -> bool {
    let word = text.trim_matches(|it: char| it.is_whitespace() || it.is_ascii_punctuation());
    BARE_WORDS.contains(&&*word.to_lowercase())
}

impl Approval {
    /// A refusal with its reason.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// The approval that a JSON value is.
    pub(crate) fn of(answer: &Value) -> Result<Self> {
        let only = |name: &str| match answer {
            Value::Object(fields) if fields.len() == 1 => fields.get(name),
            _ => None,
        };
        if let Some(arguments) = only("granted_with") {
            return Ok(Self::GrantedWith(arguments.clone()));
        }
        if let Some(Value::String(why)) = only("refused") {
            return Ok(Self::Refused(why.clone()));
        }
        match answer {
            Value::Bool(true) => Ok(Self::Granted),
            Value::Bool(false) => Ok(Self::refused("it was refused")),
            Value::String(why) if !is_bare_word(why) => Ok(Self::Refused(why.clone())),
            other => Err(Error::invalid(format!(
                "{other} is no answer to an approval: answer `true`, `false`, a reason to refuse it as text, {{\"refused\": \"why\"}} or {{\"granted_with\": ARGUMENTS}}"
            ))),
        }
    }
}

impl Serialize for Approval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Granted => serializer.serialize_bool(true),
            Self::GrantedWith(arguments) => {
                json!({"granted_with": arguments}).serialize(serializer)
            }
            Self::Refused(why) => json!({"refused": why}).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Approval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What a person knows of an effect whose record a crash cut off.
///
/// As JSON: `{"ran": OUTPUT}`, `"run_again"`, `"give_up"`.
///
/// ```
/// use loom_core::Resolution;
/// use serde_json::json;
///
/// assert_eq!(serde_json::to_value(Resolution::Ran(json!("paid")))?, json!({"ran": "paid"}));
/// assert_eq!(serde_json::to_value(Resolution::GiveUp)?, json!("give_up"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Resolution {
    /// It happened, and this is what it returned.
    Ran(Value),
    /// It didn't happen, or may happen again.
    RunAgain,
    /// It counts as failed.
    GiveUp,
}

impl Resolution {
    pub(crate) fn of(answer: &Value) -> Result<Self> {
        Self::deserialize(answer).map_err(|_| {
            Error::invalid(format!(
                "{answer} doesn't say whether it happened: answer {{\"ran\": OUTPUT}}, \"run_again\" or \"give_up\""
            ))
        })
    }
}

/// Answers questions on the spot: a person at a terminal, another service, a rule.
///
/// It is shown the very effect that will run if it grants: the tool with these arguments, of this
/// user, in this run. Nothing else can use the approval. Only the run's deadline bounds how long
/// it takes; if it panics, it refused.
///
/// ```
/// use loom_core::{Approval, Approver, Effect, EffectView, Loom, Question};
///
/// /// Grants small refunds.
/// struct Desk;
///
/// impl Approver for Desk {
///     async fn approve(&self, _view: &EffectView, effect: &Effect, _question: &Question) -> Approval {
///         let cents = effect.input().and_then(|it| it["cents"].as_u64());
///         match cents {
///             Some(0..=1000) => Approval::Granted,
///             _ => Approval::refused("only small refunds at this desk"),
///         }
///     }
/// }
///
/// let loom = Loom::builder().approver(Desk).build();
/// # let _ = loom;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't an approver",
    note = "implement `Approver`: `async fn approve(&self, view: &EffectView, effect: &Effect, question: &Question) -> Approval`"
)]
pub trait Approver: Send + Sync + 'static {
    /// Whether the effect may happen.
    fn approve(
        &self,
        view: &EffectView,
        effect: &Effect,
        question: &Question,
    ) -> impl Future<Output = Approval> + Send;

    /// The answer to a question of the program (`cx.ask`) or about an unfinished effect; `None`
    /// leaves it to the journal, so that the run waits. Nothing, by default.
    fn answer(
        &self,
        _view: &EffectView,
        _question: &Question,
    ) -> impl Future<Output = Option<Value>> + Send {
        std::future::ready(None)
    }
}

/// The object-safe twin of [`Approver`].
pub(crate) trait DynApprover: Send + Sync {
    fn approve<'a>(
        &'a self,
        view: &'a EffectView,
        effect: &'a Effect,
        question: &'a Question,
    ) -> BoxFuture<'a, Approval>;
    fn answer<'a>(
        &'a self,
        view: &'a EffectView,
        question: &'a Question,
    ) -> BoxFuture<'a, Option<Value>>;
}

impl<A: Approver> DynApprover for A {
    fn approve<'a>(
        &'a self,
        view: &'a EffectView,
        effect: &'a Effect,
        question: &'a Question,
    ) -> BoxFuture<'a, Approval> {
        Box::pin(Approver::approve(self, view, effect, question))
    }

    fn answer<'a>(
        &'a self,
        view: &'a EffectView,
        question: &'a Question,
    ) -> BoxFuture<'a, Option<Value>> {
        Box::pin(Approver::answer(self, view, question))
    }
}
