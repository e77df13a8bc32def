//! `Amount`: tokens and cost together, since a call needs both.

use serde::{Deserialize, Serialize};

use crate::usage::Tokens;

/// Tokens and their cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Amount {
    pub(crate) tokens: u64,
    pub(crate) cost_micro_usd: u64,
}

impl Amount {
    /// What a call that held this much took. What the call didn't report may be all that it held;
    /// what it did report was taken in any case.
    pub(super) fn taken(self, reported: Tokens) -> Self {
        let (input, output) = (reported.input, reported.output);
        let tokens = input.unwrap_or(0).saturating_add(output.unwrap_or(0));
        Self {
            tokens: match input.and(output) {
                Some(_) => tokens,
                None => tokens.max(self.tokens),
            },
            cost_micro_usd: reported.cost_micro_usd.unwrap_or(self.cost_micro_usd),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    pub(super) fn at_most(self, other: Self) -> Self {
        self.each(other, u64::min)
    }

    fn each(self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        Self {
            tokens: of(self.tokens, other.tokens),
            cost_micro_usd: of(self.cost_micro_usd, other.cost_micro_usd),
        }
    }
}
