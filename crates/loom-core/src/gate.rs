//! `Gate`: the seat of those who decide.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::context::EffectView;
use crate::effect::Effect;
use crate::name::Name;
use crate::permissions::Permissions;
use crate::poll::caught_now;

/// What a gate says of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It may happen, as far as this gate is concerned.
    Allow,
    /// It must not happen, and why.
    Deny(String),
    /// It may happen if somebody says so: the question. The loom's approver is asked; without one
    /// a run with a journal pauses until the question is answered, any other is denied.
    Ask(String),
}

impl Verdict {
    /// A refusal with its reason.
    pub fn deny(why: impl Into<String>) -> Self {
        Self::Deny(why.into())
    }
}

/// Decides whether an effect may happen.
///
/// A gate may wait, since a person may be asked, but must not do the work itself. It can neither
/// alter the effect nor hide it: the effect is already open and recorded when gates are asked.
/// What it is shown can't act. All gates must allow; a gate that panics or exceeds its time limit denies.
///
/// A whole one:
///
/// ```
/// use loom_core::{Effect, EffectView, Gate, Loom, Result, RunErrorKind, Verdict};
///
/// struct NoNights;
///
/// impl Gate for NoNights {
///     fn name(&self) -> &str {
///         "no_nights"
///     }
///
///     async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
///         match effect.name().as_str() {
///             "night_shift" => Verdict::deny("nobody works at night"),
///             _ => Verdict::Allow,
///         }
///     }
/// }
///
/// # async fn night_shift(text: String) -> Result<String> { Ok(text) }
/// # futures::executor::block_on(async {
/// let loom = Loom::builder().gate(NoNights).build();
/// let error = loom.session("alice").run(&night_shift, "go").await.unwrap_err();
/// assert_eq!(error.kind(), RunErrorKind::Denied);
/// # });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a gate",
    note = "implement `Gate`: `fn name(&self) -> &str` and `async fn check(&self, view: &EffectView, effect: &Effect) -> Verdict`"
)]
pub trait Gate: Send + Sync + 'static {
    /// The gate's name in records.
    fn name(&self) -> &str;

    /// Whether this gate has anything to say of such an effect; it isn't asked about others, and
    /// nothing is recorded of it there. All, by default.
    fn concerns(&self, _effect: &Effect) -> bool {
        true
    }

    /// Whether this effect may happen.
    fn check(&self, view: &EffectView, effect: &Effect) -> impl Future<Output = Verdict> + Send;

    /// How long `check` may take before it counts as a refusal; `None` for a gate that asks
    /// people, which only the run's deadline bounds. 5 s by default.
    fn limit(&self) -> Option<Duration> {
        Some(Duration::from_secs(5))
    }
}

impl<G: Gate> Gate for Arc<G> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn concerns(&self, effect: &Effect) -> bool {
        (**self).concerns(effect)
    }

    fn check(&self, view: &EffectView, effect: &Effect) -> impl Future<Output = Verdict> + Send {
        (**self).check(view, effect)
    }

    fn limit(&self) -> Option<Duration> {
        (**self).limit()
    }
}

/// The object-safe twin of [`Gate`].
pub(crate) trait DynGate: Send + Sync {
    fn at_once(&self, effect: &Effect) -> Option<Verdict>;
    fn concerns(&self, effect: &Effect) -> bool;
    fn check<'a>(&'a self, view: &'a EffectView, effect: &'a Effect) -> BoxFuture<'a, Verdict>;
    fn limit(&self) -> Option<Duration>;
}

impl<G: Gate> DynGate for G {
    fn at_once(&self, effect: &Effect) -> Option<Verdict> {
        // The default gate is asked of every tool call; it needs no future to answer.
        (self as &dyn Any)
            .downcast_ref::<Permissions>()
            .map(|it| it.verdict(effect))
    }

    fn concerns(&self, effect: &Effect) -> bool {
        Gate::concerns(self, effect)
    }

    fn check<'a>(&'a self, view: &'a EffectView, effect: &'a Effect) -> BoxFuture<'a, Verdict> {
        Box::pin(Gate::check(self, view, effect))
    }

    fn limit(&self) -> Option<Duration> {
        Gate::limit(self)
    }
}

/// A gate with its name, which is read once: a name that panics names nothing.
pub(crate) struct NamedGate {
    pub(crate) name: Name,
    pub(crate) gate: Box<dyn DynGate>,
    /// Whether it is the default gate, which has to do with calls of tools alone.
    is_permissions: bool,
}

impl NamedGate {
    pub(crate) fn new(gate: impl Gate) -> Self {
        let name = caught_now(|| Name::from(Gate::name(&gate).to_owned()))
            .unwrap_or_else(|_| "gate".into());
        Self {
            name,
            is_permissions: (&gate as &dyn Any).is::<Permissions>(),
            gate: Box::new(gate),
        }
    }

    /// Whether it is asked about such an effect; the text of a panic, which denies.
    pub(crate) fn concerns(&self, effect: &Effect) -> Result<bool, String> {
        if self.is_permissions {
            return Ok(Permissions::is_about(effect));
        }
        caught_now(|| self.gate.concerns(effect))
    }
}
