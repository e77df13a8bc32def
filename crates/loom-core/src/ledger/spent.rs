//! `Spent`: what of a ledger outlives its attempt.

use serde::{Deserialize, Serialize};

use crate::ledger::amount::Amount;
use crate::ledger::reported::Reported;
use crate::limits::Limits;
use crate::usage::{Charged, Usage};

/// What a whole run was charged and what its calls reported, for the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// What open calls hold is in it: each may yet take all of that.
    pub(super) used: Used,
    #[serde(rename = "tally")]
    pub(super) reported: Reported,
}

/// How much of each limit is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Used {
    pub(super) effects: u64,
    pub(super) model_calls: u64,
    pub(super) tool_calls: u64,
    pub(super) tokens: u64,
    pub(super) cost_micro_usd: u64,
}

/// What a run's report says of it: as reported and as charged, of the whole run and of its latest
/// attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunUsage {
    pub(crate) usage: Usage,
    pub(crate) attempt: Usage,
    pub(crate) charged: Charged,
    pub(crate) charged_attempt: Charged,
}

impl Used {
    pub(super) fn amount(self) -> Amount {
        Amount {
            tokens: self.tokens,
            cost_micro_usd: self.cost_micro_usd,
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        let amount = self.amount().minus(other.amount());
        Self {
            effects: self.effects.saturating_sub(other.effects),
            model_calls: self.model_calls.saturating_sub(other.model_calls),
            tool_calls: self.tool_calls.saturating_sub(other.tool_calls),
            tokens: amount.tokens,
            cost_micro_usd: amount.cost_micro_usd,
        }
    }

    /// The same as the report says it, of a run that reported this usage.
    pub(super) fn charged(self, limits: &Limits, reported: &Usage) -> Charged {
        let tokens = reported.input_tokens.and(reported.output_tokens);
        let bounded = |used: u64, max: Option<u64>, reported: Option<u64>| {
            max.or(reported).is_some().then_some(used)
        };
        Charged {
            effects: self.effects,
            model_calls: self.model_calls,
            tool_calls: self.tool_calls,
            tokens: bounded(self.tokens, limits.tokens_max, tokens),
            cost_micro_usd: bounded(
                self.cost_micro_usd,
                limits.cost_micro_usd_max,
                reported.cost_micro_usd,
            ),
        }
    }
}
