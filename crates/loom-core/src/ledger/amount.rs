//! `Amount`: tokens and cost together, since a call needs both.

use crate::usage::Tokens;

/// Tokens and their cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) tokens: u64,
    pub(crate) cost_micro_usd: u64,
}

impl Amount {
    /// What a call that held this much took. What the call didn't report may be all that it held;
    /// what it did report was taken in any case.
    pub(super) fn taken(self, reported: Tokens) -> Self {
        let tokens = reported
            .input
            .unwrap_or(0)
            .saturating_add(reported.output.unwrap_or(0));
        Self {
            tokens: match (reported.input, reported.output) {
                (Some(_), Some(_)) => tokens,
                (Some(_) | None, None) | (None, Some(_)) => tokens.max(self.tokens),
            },
            cost_micro_usd: reported.cost_micro_usd.unwrap_or(self.cost_micro_usd),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            cost_micro_usd: self.cost_micro_usd.saturating_add(other.cost_micro_usd),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens),
            cost_micro_usd: self.cost_micro_usd.saturating_sub(other.cost_micro_usd),
        }
    }

    pub(super) fn at_most(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.min(other.tokens),
            cost_micro_usd: self.cost_micro_usd.min(other.cost_micro_usd),
        }
    }
}
