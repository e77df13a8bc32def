//! `Reported`: which calls were made, and what they reported: the running count behind
//! [`Usage`](crate::Usage).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::effect::EffectKind;
use crate::name::Name;
use crate::usage::{ModelUsage, Tokens, Usage};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reported {
    tool_calls: u64,
    per_model: BTreeMap<Name, Calls>,
}

/// The calls of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Calls {
    calls: u64,
    input: Sum,
    output: Sum,
    cost: Sum,
}

/// A sum and how many calls told theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    told: u64,
    total: u64,
}

impl Reported {
    /// Adds a call; an effect that is none adds nothing.
    pub(super) fn call(&mut self, kind: EffectKind, name: &Name) {
        match kind {
            EffectKind::Tool => self.tool_calls += 1,
            EffectKind::Model => match self.per_model.get_mut(name) {
                Some(model) => model.calls += 1,
                None => {
                    let first = Calls {
                        calls: 1,
                        ..Calls::default()
                    };
                    self.per_model.insert(name.clone(), first);
                }
            },
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => (),
        }
    }

    /// Adds what a call of this model took.
    pub(super) fn charge(&mut self, model: &Name, reported: Tokens) {
        if let Some(model) = self.per_model.get_mut(model) {
            model.input.add(reported.input);
            model.output.add(reported.output);
            model.cost.add(reported.cost_micro_usd);
        }
    }

    /// Takes these calls back. What they took stays.
    pub(super) fn refund(&mut self, calls: &Self) {
        self.tool_calls = self.tool_calls.saturating_sub(calls.tool_calls);
        for (name, refunded) in &calls.per_model {
            if let Some(model) = self.per_model.get_mut(name) {
                model.refund(refunded.calls);
            }
        }
        self.per_model.retain(|_, it| *it != Calls::default());
    }

    /// How many calls there are of this kind.
    pub(super) fn count(&self, kind: EffectKind) -> u64 {
        match kind {
            EffectKind::Tool => self.tool_calls,
            EffectKind::Model => self.per_model.values().map(|it| it.calls).sum(),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => 0,
        }
    }

    pub(super) fn plus(mut self, other: &Self) -> Self {
        self.tool_calls = self.tool_calls.saturating_add(other.tool_calls);
        for (name, more) in &other.per_model {
            let model = self.per_model.entry(name.clone()).or_default();
            *model = model.plus(*more);
        }
        self
    }

    pub(super) fn usage(&self) -> Usage {
        let per_model: BTreeMap<_, _> = self
            .per_model
            .iter()
            .map(|(name, model)| (name.clone(), model.usage()))
            .collect();
        Usage {
            model_calls: per_model.values().map(|it| it.calls).sum(),
            tool_calls: self.tool_calls,
            input_tokens: sum(per_model.values().map(|it| it.input_tokens)),
            output_tokens: sum(per_model.values().map(|it| it.output_tokens)),
            cost_micro_usd: sum(per_model.values().map(|it| it.cost_micro_usd)),
            per_model,
        }
    }
}

impl Calls {
    fn refund(&mut self, calls: u64) {
        self.calls = self.calls.saturating_sub(calls);
        for sum in [&mut self.input, &mut self.output, &mut self.cost] {
            // A call that told and isn't counted any longer doesn't stand for one that didn't tell.
            sum.told = sum.told.min(self.calls);
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            input: self.input.plus(other.input),
            output: self.output.plus(other.output),
            cost: self.cost.plus(other.cost),
        }
    }

    fn usage(self) -> ModelUsage {
        ModelUsage {
            calls: self.calls,
            input_tokens: self.input.known(self.calls),
            output_tokens: self.output.known(self.calls),
            cost_micro_usd: self.cost.known(self.calls),
        }
    }
}

impl Sum {
    fn add(&mut self, tokens: Option<u64>) {
        if let Some(tokens) = tokens {
            self.told += 1;
            self.total = self.total.saturating_add(tokens);
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            told: self.told.saturating_add(other.told),
            total: self.total.saturating_add(other.total),
        }
    }

    fn known(self, calls: u64) -> Option<u64> {
        (self.told >= calls).then_some(self.total)
    }
}

/// The sum, if all are known.
fn sum(mut amounts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    amounts.try_fold(0, |sum: u64, it| Some(sum.saturating_add(it?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: EffectKind = EffectKind::Model;

    #[test]
    fn a_call_that_reports_nothing_makes_the_sum_unknown() {
        let (opus, echo) = (Name::from("opus"), Name::from("echo"));
        let tokens = |reported: &Reported| {
            let usage = reported.usage();
            (usage.input_tokens, usage.output_tokens)
        };
        let mut reported = Reported::default();
        assert_eq!(tokens(&reported), (Some(0), Some(0)));
        reported.call(MODEL, &opus);
        reported.charge(&opus, Tokens::new(10, 2));
        assert_eq!(tokens(&reported), (Some(10), Some(2)));
        reported.call(MODEL, &echo);
        assert_eq!(tokens(&reported), (None, None));
        let only_input = Tokens {
            output: None,
            ..Tokens::new(1, 0)
        };
        reported.charge(&echo, only_input);
        assert_eq!(tokens(&reported), (Some(11), None));
        let usage = reported.usage();
        assert_eq!(usage.per_model[&opus].output_tokens, Some(2));
        assert_eq!(usage.model_calls, 2);
    }

    #[test]
    fn a_refunded_call_that_reported_does_not_stand_for_a_later_one_that_did_not() {
        let opus = Name::from("opus");
        let mut paused = Reported::default();
        paused.call(MODEL, &opus);
        let mut reported = paused.clone();
        reported.charge(&opus, Tokens::new(10, 2));
        reported.refund(&paused);
        assert_eq!(reported.usage().input_tokens, Some(10), "it took them");
        reported.call(MODEL, &opus);
        assert_eq!(reported.usage().input_tokens, None);
        reported.charge(&opus, Tokens::new(5, 1));
        assert_eq!(reported.usage().input_tokens, Some(15));
    }

    #[test]
    fn a_call_that_is_refunded_leaves_nothing_behind() {
        let opus = Name::from("opus");
        let mut reported = Reported::default();
        reported.call(MODEL, &opus);
        reported.call(EffectKind::Tool, &opus);
        reported.call(EffectKind::Step, &opus);
        reported.refund(&reported.clone());
        assert_eq!(reported, Reported::default());
    }
}
