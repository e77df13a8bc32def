//! `Usage`: what a tree of runs consumed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::effect::EffectKind;
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

/// What a run and everything nested in it consumed. Replayed effects consume nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Calls of models, failed ones included.
    pub model_calls: u64,
    /// Calls of tools, failed ones included.
    pub tool_calls: u64,
    /// Tokens read; `None` when a call didn't tell.
    pub input_tokens: Option<u64>,
    /// Tokens written; `None` when a call didn't tell.
    pub output_tokens: Option<u64>,
    /// What it cost, in millionths of a US dollar; `None` when a call didn't tell.
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
    /// Tokens read; `None` when a call didn't tell.
    pub input_tokens: Option<u64>,
    /// Tokens written; `None` when a call didn't tell.
    pub output_tokens: Option<u64>,
    /// What it cost, in millionths of a US dollar; `None` when a call didn't tell.
    pub cost_micro_usd: Option<u64>,
}

/// The running count behind [`Usage`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    tool_calls: u64,
    per_model: BTreeMap<Name, Count>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Count {
    calls: u64,
    input: Sum,
    output: Sum,
    cost: Sum,
}

/// A sum and how many calls told theirs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sum {
    told: u64,
    total: u64,
}

impl Sum {
    fn add(&mut self, tokens: Option<u64>) {
        if let Some(tokens) = tokens {
            self.told += 1;
            self.total = self.total.saturating_add(tokens);
        }
    }

    fn known(self, calls: u64) -> Option<u64> {
        (self.told >= calls).then_some(self.total)
    }
}

impl Tally {
    pub(crate) fn tool_call(&mut self) {
        self.tool_calls += 1;
    }

    pub(crate) fn model_call(&mut self, model: &Name) {
        match self.per_model.get_mut(model) {
            Some(count) => count.calls += 1,
            None => {
                self.per_model.insert(
                    model.clone(),
                    Count {
                        calls: 1,
                        ..Count::default()
                    },
                );
            }
        }
    }

    /// Takes back the count of a call.
    pub(crate) fn uncount_call(&mut self, kind: EffectKind, name: &Name) {
        match kind {
            EffectKind::Tool => self.tool_calls = self.tool_calls.saturating_sub(1),
            EffectKind::Model => self.uncount_model_call(name),
            EffectKind::Workflow | EffectKind::Step | EffectKind::Agent | EffectKind::Turn => (),
        }
    }

    fn uncount_model_call(&mut self, model: &Name) {
        if let Some(count) = self.per_model.get_mut(model) {
            count.calls = count.calls.saturating_sub(1);
        }
        self.per_model
            .retain(|_, count| count.calls > 0 || count.input.told > 0);
    }

    pub(crate) fn spend(&mut self, model: &Name, tokens: Tokens) {
        if let Some(count) = self.per_model.get_mut(model) {
            count.input.add(tokens.input);
            count.output.add(tokens.output);
            count.cost.add(tokens.cost_micro_usd);
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        if self.per_model.is_empty() {
            return Usage {
                tool_calls: self.tool_calls,
                input_tokens: Some(0),
                output_tokens: Some(0),
                cost_micro_usd: Some(0),
                ..Usage::default()
            };
        }
        let per_model: BTreeMap<_, _> = self
            .per_model
            .iter()
            .map(|(name, count)| {
                let usage = ModelUsage {
                    calls: count.calls,
                    input_tokens: count.input.known(count.calls),
                    output_tokens: count.output.known(count.calls),
                    cost_micro_usd: count.cost.known(count.calls),
                };
                (name.clone(), usage)
            })
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

/// The sum, if all are known.
fn sum(mut amounts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    amounts.try_fold(0, |sum: u64, it| Some(sum.saturating_add(it?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_tell_makes_the_sum_unknown() {
        let (opus, echo) = (Name::from("opus"), Name::from("echo"));
        let mut tally = Tally::default();
        assert_eq!(tally.usage().input_tokens, Some(0));
        tally.model_call(&opus);
        tally.spend(&opus, Tokens::new(10, 2));
        assert_eq!(
            (tally.usage().input_tokens, tally.usage().output_tokens),
            (Some(10), Some(2))
        );
        tally.model_call(&echo);
        assert_eq!(
            (tally.usage().input_tokens, tally.usage().output_tokens),
            (None, None)
        );
        tally.spend(
            &echo,
            Tokens {
                output: None,
                ..Tokens::new(1, 0)
            },
        );
        let usage = tally.usage();
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(11), None));
        assert_eq!(usage.per_model[&opus].output_tokens, Some(2));
        assert_eq!(usage.model_calls, 2);
    }
}
