//! `Spent`: what of a ledger outlives its attempt.

use serde::{Deserialize, Serialize};

use crate::ledger::amount::Amount;
use crate::ledger::reported::Reported;
use crate::limits::Limits;
use crate::usage::{Charged, Usage};

/// What a run or an attempt at it was charged, and what its calls reported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
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
    /// What open calls hold is in it: each may yet take all of that.
    #[serde(flatten)]
    pub(super) amount: Amount,
}

impl Spent {
    /// What its calls reported, and what its limits were charged.
    pub(crate) fn reported(&self, limits: &Limits) -> (Usage, Charged) {
        let (used, reported) = (self.used, self.reported.usage());
        let tokens = reported.input_tokens.and(reported.output_tokens);
        let bounded = |used: u64, max: Option<u64>, reported: Option<u64>| {
            max.or(reported).is_some().then_some(used)
        };
        let cost = reported.cost_micro_usd;
        let charged = Charged {
            effects: used.effects,
            model_calls: used.model_calls,
            tool_calls: used.tool_calls,
            tokens: bounded(used.amount.tokens, limits.tokens_max, tokens),
            cost_micro_usd: bounded(used.amount.cost_micro_usd, limits.cost_micro_usd_max, cost),
        };
        (reported, charged)
    }
}

impl Used {
    pub(super) fn minus(self, before: Self) -> Self {
        Self {
            effects: self.effects.saturating_sub(before.effects),
            model_calls: self.model_calls.saturating_sub(before.model_calls),
            tool_calls: self.tool_calls.saturating_sub(before.tool_calls),
            amount: self.amount.minus(before.amount),
        }
    }
}
