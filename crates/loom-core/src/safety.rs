//! `Safety`: what comes of doing something twice.

use serde::{Deserialize, Serialize};

/// What comes of doing something twice, from the harmless to the dangerous: what a resume may do
/// with an effect that a crash left unfinished, and what a retry may repeat.
///
/// Whether a person is asked first is another matter: see
/// [`Tool::destructive`](crate::Tool::destructive).
///
/// ```
/// use loom_core::{Effect, EffectKind, Safety};
///
/// assert_eq!(Effect::tool("refund", "call_1").safety(), Safety::NotIdempotent);
/// assert_eq!(Effect::new(EffectKind::Step, "load").safety(), Safety::Idempotent);
/// assert_eq!(Safety::ReadOnly.max(Safety::NotIdempotent), Safety::NotIdempotent);
/// assert_eq!(Safety::NotIdempotent.as_str(), "not_idempotent");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Safety {
    /// It changes nothing.
    ReadOnly,
    /// Doing it twice is as good as doing it once: what a step is that declares nothing.
    #[default]
    Idempotent,
    /// Doing it twice does harm: what a tool is that declares nothing.
    NotIdempotent,
}

impl Safety {
    /// Returns the safety in one word: `read_only`, `idempotent` or `not_idempotent`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Idempotent => "idempotent",
            Self::NotIdempotent => "not_idempotent",
        }
    }
}

/// What becomes of an effect that isn't idempotent when an earlier attempt began it and it
/// isn't known how it ended.
///
/// ```
/// use loom_core::{IfUnfinished, Result, Tool};
///
/// async fn pay(cents: u64) -> Result<String> {
///     Ok(format!("paid {cents}"))
/// }
///
/// let tool = Tool::new("pay", "Pays.", pay).if_unfinished(IfUnfinished::Fail);
/// # let _ = tool;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IfUnfinished {
    /// The run waits until somebody says whether it happened: see
    /// [`Resolution`](crate::Resolution).
    #[default]
    Ask,
    /// It runs again.
    RunAgain,
    /// It counts as failed.
    Fail,
}
