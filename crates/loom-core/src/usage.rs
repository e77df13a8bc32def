//! `Usage` and `Charged`: what a tree of runs consumed, by its calls' own reports and by its limits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// What one model call consumed, by the provider's own numbers; unknown is `None`, never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens read.
    pub input: Option<u64>,
    /// Tokens written.
    pub output: Option<u64>,
    /// What it cost, in millionths of a US dollar; known only where prices were supplied.
    #[serde(default)]
    pub cost_micro_usd: Option<u64>,
}

impl Tokens {
    /// Known numbers of tokens read and written.
    pub fn new(input: u64, output: u64) -> Self {
        Self {
            input: Some(input),
            output: Some(output),
            cost_micro_usd: None,
        }
    }

    /// The same with what it cost, in millionths of a US dollar.
    #[must_use]
    pub fn costing(self, cost_micro_usd: u64) -> Self {
        Self {
            cost_micro_usd: Some(cost_micro_usd),
            ..self
        }
    }
}

/// What a run and everything nested in it consumed, as its calls reported it. Replayed effects
/// consume nothing.
///
/// What a call doesn't report is unknown here. [`Charged`] says what the limits were charged for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Calls of models, failed ones included.
    pub model_calls: u64,
    /// Calls of tools, failed ones included.
    pub tool_calls: u64,
    /// Tokens read; `None` when a call didn't report them.
    pub input_tokens: Option<u64>,
    /// Tokens written; `None` when a call didn't report them.
    pub output_tokens: Option<u64>,
    /// What it cost, in millionths of a US dollar; `None` when a call didn't report it.
    pub cost_micro_usd: Option<u64>,
    /// The same for each model by its name.
    pub per_model: BTreeMap<Name, ModelUsage>,
}

/// What the calls of one model consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelUsage {
    /// Calls, failed ones included.
    pub calls: u64,
    /// Tokens read; `None` when a call didn't report them.
    pub input_tokens: Option<u64>,
    /// Tokens written; `None` when a call didn't report them.
    pub output_tokens: Option<u64>,
    /// What it cost, in millionths of a US dollar; `None` when a call didn't report it.
    pub cost_micro_usd: Option<u64>,
}

/// What the [`Limits`](crate::Limits) of a run were charged.
///
/// It differs from [`Usage`] where usage is unknown: a model call that doesn't report all it took
/// is charged at least what it had reserved, and so is one that was dropped. An effect that was
/// opened only to be refused is charged, too; a call that a gate denied is an effect and no call.
///
/// ```
/// use loom_core::{Effect, EffectKind, Limits, Loom, Result, RunContext};
///
/// /// Calls a model that never reports what it took.
/// async fn silent(cx: RunContext, text: String) -> Result<String> {
///     let call = Effect::new(EffectKind::Model, "opus").reserving(400, 0);
///     cx.perform(call, text, |_, text| async { Ok(text) }).await
/// }
///
/// # futures::executor::block_on(async {
/// let limits = Limits::default().with_tokens_max(1_000);
/// let loom = Loom::builder().limits(limits).build();
/// let outcome = loom.session("alice").run(&silent, "hello").await?;
/// assert_eq!(outcome.usage.input_tokens, None);
/// assert_eq!(outcome.charged.tokens, Some(400));
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Charged {
    /// Effects that were opened.
    pub effects: u64,
    /// Calls of models.
    pub model_calls: u64,
    /// Calls of tools.
    pub tool_calls: u64,
    /// Tokens; `None` when a call didn't report them and no limit bounds them.
    pub tokens: Option<u64>,
    /// Cost in millionths of a US dollar; `None` when a call didn't report it and no limit bounds
    /// it.
    pub cost_micro_usd: Option<u64>,
}
