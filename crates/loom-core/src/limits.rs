//! `Limits`: what bounds a whole tree of runs.

use serde::{Deserialize, Serialize};

/// Bounds of a whole tree of runs: the root and everything nested in it, together.
///
/// Set on the loom, and lowered (never raised) by a session. Reaching one ends the whole tree as
/// interrupted, except `depth_max` and `nesting_max`, which end only the run that would be too deep.
/// Wall time is a deadline, not a limit.
///
/// ```
/// use loom_core::{Limits, Loom};
///
/// let loom = Loom::builder().limits(Limits::default().with_tokens_max(100_000)).build();
/// let careful = loom.session("alice").limits(Limits::default().with_tokens_max(1_000));
/// # let _ = careful;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// How many agent and workflow runs may be nested in one another, the root included: 8.
    pub depth_max: u32,
    /// How many effects may be open inside one another, the root included: 128.
    pub nesting_max: u32,
    /// How many effects may be opened: 100,000.
    pub effects_max: u64,
    /// How many calls of models may be made.
    pub model_calls_max: Option<u64>,
    /// How many calls of tools may be made.
    pub tool_calls_max: Option<u64>,
    /// How many tokens may be read and written.
    pub tokens_max: Option<u64>,
    /// What model calls may cost, in millionths of a US dollar. Counts what models say they cost.
    pub cost_micro_usd_max: Option<u64>,
}

impl Limits {
    /// The same limits with another `depth_max`.
    #[must_use]
    pub fn with_depth_max(mut self, depth_max: u32) -> Self {
        self.depth_max = depth_max;
        self
    }

    /// The same limits with another `nesting_max`.
    #[must_use]
    pub fn with_nesting_max(mut self, nesting_max: u32) -> Self {
        self.nesting_max = nesting_max;
        self
    }

    /// The same limits with another `effects_max`.
    #[must_use]
    pub fn with_effects_max(mut self, effects_max: u64) -> Self {
        self.effects_max = effects_max;
        self
    }

    /// The same limits with a `model_calls_max`.
    #[must_use]
    pub fn with_model_calls_max(mut self, model_calls_max: u64) -> Self {
        self.model_calls_max = Some(model_calls_max);
        self
    }

    /// The same limits with a `tool_calls_max`.
    #[must_use]
    pub fn with_tool_calls_max(mut self, tool_calls_max: u64) -> Self {
        self.tool_calls_max = Some(tool_calls_max);
        self
    }

    /// The same limits with a `tokens_max`.
    #[must_use]
    pub fn with_tokens_max(mut self, tokens_max: u64) -> Self {
        self.tokens_max = Some(tokens_max);
        self
    }

    /// The same limits with a `cost_micro_usd_max`.
    #[must_use]
    pub fn with_cost_micro_usd_max(mut self, cost_micro_usd_max: u64) -> Self {
        self.cost_micro_usd_max = Some(cost_micro_usd_max);
        self
    }

    /// Of each limit the lower one.
    #[must_use]
    pub fn lowered_to(self, other: Self) -> Self {
        let lower = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            depth_max: self.depth_max.min(other.depth_max),
            nesting_max: self.nesting_max.min(other.nesting_max),
            effects_max: self.effects_max.min(other.effects_max),
            model_calls_max: lower(self.model_calls_max, other.model_calls_max),
            tool_calls_max: lower(self.tool_calls_max, other.tool_calls_max),
            tokens_max: lower(self.tokens_max, other.tokens_max),
            cost_micro_usd_max: lower(self.cost_micro_usd_max, other.cost_micro_usd_max),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 8,
            nesting_max: 128,
            effects_max: 100_000,
            model_calls_max: None,
            tool_calls_max: None,
            tokens_max: None,
            cost_micro_usd_max: None,
        }
    }
}
