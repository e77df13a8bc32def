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

/// A sum, and how many calls reported their part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    #[serde(rename = "told")]
    reported: u64,
    total: u64,
}

impl Reported {
    /// Adds a call; an effect that is none adds nothing.
    pub(super) fn call(&mut self, kind: EffectKind, name: &Name) {
        match kind {
            EffectKind::Tool => self.tool_calls += 1,
            EffectKind::Model => match self.per_model.get_mut(name) {
                Some(model) => model.calls += 1,
                None => self.per_model.entry(name.clone()).or_default().calls = 1,
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
            model.cap();
        }
    }

    /// Takes a call back. What it took stays.
    pub(super) fn refund(&mut self, kind: EffectKind, name: &Name) {
        match kind {
            EffectKind::Tool => self.tool_calls = self.tool_calls.saturating_sub(1),
            EffectKind::Model => {
                if let Some(model) = self.per_model.get_mut(name) {
                    model.calls = model.calls.saturating_sub(1);
                    model.cap();
                }
                self.per_model.retain(|_, it| *it != Calls::default());
            }
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => (),
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
        let models = self.per_model.values();
        let all = models.fold(Calls::default(), |sum, it| sum.plus(*it));
        let all = all.usage();
        let per_model = self.per_model.iter();
        Usage {
            model_calls: all.calls,
            tool_calls: self.tool_calls,
            input_tokens: all.input_tokens,
            output_tokens: all.output_tokens,
            cost_micro_usd: all.cost_micro_usd,
            per_model: per_model
                .map(|(name, it)| (name.clone(), it.usage()))
                .collect(),
        }
    }
}

impl Calls {
    /// Calls that aren't counted any longer, and reports beyond one a call, make none of the later
    /// calls known.
    fn cap(&mut self) {
        for sum in [&mut self.input, &mut self.output, &mut self.cost] {
            sum.reported = sum.reported.min(self.calls);
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
        let known = |sum: Sum| (sum.reported == self.calls).then_some(sum.total);
        ModelUsage {
            calls: self.calls,
            input_tokens: known(self.input),
            output_tokens: known(self.output),
            cost_micro_usd: known(self.cost),
        }
    }
}

impl Sum {
    fn add(&mut self, tokens: Option<u64>) {
        self.reported += u64::from(tokens.is_some());
        self.total = self.total.saturating_add(tokens.unwrap_or(0));
    }

    fn plus(self, other: Self) -> Self {
        Self {
            reported: self.reported.saturating_add(other.reported),
            total: self.total.saturating_add(other.total),
        }
    }
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
        let mut reported = Reported::default();
        reported.call(MODEL, &opus);
        reported.charge(&opus, Tokens::new(10, 2));
        reported.refund(MODEL, &opus);
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
        for kind in [MODEL, EffectKind::Tool, EffectKind::Step] {
            reported.refund(kind, &opus);
        }
        assert_eq!(reported, Reported::default());
    }
}
