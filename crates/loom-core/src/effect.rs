//! `Effect`: what is about to happen, as it is announced at the door.

mod kind;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::attributes::{AttrValue, Attributes, key};
use crate::error::Result;
use crate::ids::UserId;
use crate::ledger::Amount;
use crate::name::{Name, defect};
use crate::safety::{IfUnfinished, Safety};
use crate::tool_schema::ToolInput;

pub use kind::EffectKind;

/// Something that is about to happen: its kind, its name and what is known beforehand.
///
/// ```
/// use loom_core::{Effect, EffectKind, key};
///
/// let effect = Effect::tool("refund", "call_1").with(key::DESCRIPTION, "Pays money back.");
/// assert_eq!(effect.kind(), EffectKind::Tool);
/// assert_eq!(effect.to_string(), "loom.tool refund");
/// ```
#[derive(Clone, Debug)]
pub struct Effect(Arc<Announced>);

/// What is said of an effect. Shared, since it is handed on many times before it is opened, and
/// many openings may announce the same.
#[derive(Clone, Debug)]
struct Announced {
    kind: EffectKind,
    name: Name,
    /// Whether the name is checked: an effect that is announced again and again is checked once.
    is_well_named: bool,
    at: Option<Name>,
    destructive: bool,
    safety: Safety,
    if_unfinished: IfUnfinished,
    takes: Option<Arc<ToolInput>>,
    only_one: bool,
    keeps_failure: bool,
    input: Option<Arc<Value>>,
    attributes: Attributes,
    acting_as: Option<UserId>,
    wanted: Amount,
}

impl Announced {
    fn new(kind: EffectKind, name: Name) -> Self {
        Self {
            kind,
            // A tool's name may be a model's own words; it is recorded as it was said.
            is_well_named: kind == EffectKind::Tool || defect(&name).is_none(),
            name,
            at: None,
            destructive: false,
            safety: kind.safety(),
            if_unfinished: IfUnfinished::Ask,
            takes: None,
            only_one: false,
            keeps_failure: false,
            input: None,
            attributes: Attributes::new(),
            acting_as: None,
            wanted: Amount::default(),
        }
    }
}

impl Effect {
    /// An effect of this kind and name.
    pub fn new(kind: EffectKind, name: impl Into<Name>) -> Self {
        Self(Arc::new(Announced::new(kind, name.into())))
    }

    /// A call of a tool, with the id by which the model named it. The id distinguishes concurrent
    /// calls, in paths too.
    pub fn tool(name: impl Into<Name>, call_id: impl Into<Name>) -> Self {
        // Both may be a model's own words.
        let call_id = call_id.into().cut();
        // A description follows.
        let mut attributes = Attributes::with_capacity(2);
        attributes.set(key::CALL_ID, call_id.clone());
        Self(Arc::new(Announced {
            at: Some(call_id),
            attributes,
            ..Announced::new(EffectKind::Tool, name.into().cut())
        }))
    }

    /// A turn of an agent's loop, counted from 0.
    pub fn turn(turn: u32) -> Self {
        let mut attributes = Attributes::with_capacity(1);
        attributes.set(key::TURN, turn);
        Self(Arc::new(Announced {
            only_one: true,
            attributes,
            ..Announced::new(EffectKind::Turn, numeral(turn as usize))
        }))
    }

    /// The `index`-th of several effects of one name that may run at the same time.
    #[must_use]
    pub fn at_index(mut self, index: usize) -> Self {
        self.change().at = Some(numeral(index));
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<AttrValue>) -> Self {
        self.change().attributes.set(name, value);
        self
    }

    /// Shows gates what goes in: the very value the body will use, so that what was approved is
    /// what runs.
    #[must_use]
    pub fn with_input(mut self, input: Arc<Value>) -> Self {
        self.change().input = Some(input);
        self
    }

    /// Says that no other effect of this name is opened below the same parent: then there is
    /// nothing to count for its path.
    #[must_use]
    pub fn only_one(mut self) -> Self {
        self.change().only_one = true;
        self
    }

    /// Says that its failure is taken as a value. A journal then records a failure like an output, so
    /// that a resumed run meets the same one, and the body doesn't run again. Not for what is tried
    /// again when it fails.
    #[must_use]
    pub fn keeping_failure(mut self) -> Self {
        self.change().keeps_failure = true;
        self
    }

    /// # Errors
    /// `Invalid` for a name that can't be one.
    pub(crate) fn check_name(&self) -> Result<()> {
        match self.0.is_well_named {
            true => Ok(()),
            false => self.0.name.check(),
        }
    }

    pub(crate) fn keeps_failure(&self) -> bool {
        self.0.keeps_failure
    }

    pub(crate) fn is_only_one(&self) -> bool {
        self.0.only_one
    }

    /// Marks an effect that can't be undone.
    #[must_use]
    pub fn destructive(mut self, destructive: bool) -> Self {
        self.change().destructive = destructive;
        self
    }

    /// Declares what comes of doing it twice. What declares nothing is idempotent, but for a call
    /// of a tool.
    ///
    /// ```
    /// use loom_core::{Effect, EffectKind, Safety};
    ///
    /// let charge = Effect::new(EffectKind::Step, "charge").with_safety(Safety::NotIdempotent);
    /// assert_eq!(charge.safety(), Safety::NotIdempotent);
    /// ```
    #[must_use]
    pub fn with_safety(mut self, safety: Safety) -> Self {
        self.change().safety = safety;
        self
    }

    /// Declares what a model call may take at most: it is reserved of the tree's limits before the
    /// call, and settled by [`RunContext::spend`](crate::RunContext::spend) after it.
    #[must_use]
    pub fn reserving(mut self, tokens: u64, cost_micro_usd: u64) -> Self {
        self.change().wanted = Amount {
            tokens,
            cost_micro_usd,
        };
        self
    }

    /// Decides what becomes of it if an earlier attempt began it and it isn't known how it ended.
    #[must_use]
    pub fn with_if_unfinished(mut self, if_unfinished: IfUnfinished) -> Self {
        self.change().if_unfinished = if_unfinished;
        self
    }

    /// Checks the arguments that a person wants it to have instead of its own: what doesn't fit is
    /// asked about again.
    pub(crate) fn checking_input(mut self, takes: Arc<ToolInput>) -> Self {
        self.change().takes = Some(takes);
        self
    }

    pub(crate) fn check_input(&self, input: &Value) -> Result<()> {
        match &self.0.takes {
            None => Ok(()),
            Some(takes) => takes.check(input),
        }
    }

    pub(crate) fn if_unfinished(&self) -> IfUnfinished {
        self.0.if_unfinished
    }

    pub(crate) fn acting_as_user(mut self, user: UserId) -> Self {
        self.change().acting_as = Some(user);
        self
    }

    pub(crate) fn acting_as(&self) -> Option<&UserId> {
        self.0.acting_as.as_ref()
    }

    pub(crate) fn wanted(&self) -> Amount {
        self.0.wanted
    }

    /// What is said of it, to be changed: of this one alone.
    fn change(&mut self) -> &mut Announced {
        Arc::make_mut(&mut self.0)
    }

    /// What sort of effect it is.
    pub fn kind(&self) -> EffectKind {
        self.0.kind
    }

    /// The name of the step, agent, tool or workflow; the number of a turn.
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// The call id or index that distinguishes it from others of its name.
    pub fn at(&self) -> Option<&Name> {
        self.0.at.as_ref()
    }

    /// What goes in, where the caller shows it: always for a tool.
    pub fn input(&self) -> Option<&Value> {
        self.0.input.as_deref()
    }

    /// What is known beforehand.
    pub fn attributes(&self) -> &Attributes {
        &self.0.attributes
    }

    /// Returns what comes of doing it twice.
    pub fn safety(&self) -> Safety {
        self.0.safety
    }

    /// Whether it can't be undone.
    pub fn is_destructive(&self) -> bool {
        self.0.destructive
    }
}

/// A number's digits; the first ten numbers, which are most of those that occur, share theirs.
fn numeral(number: usize) -> Name {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match DIGITS.get(number) {
        Some(digit) => (*digit).into(),
        None => number.to_string().into(),
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind().span_name(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_clone_is_said_of_it_alone() {
        let effect = Effect::new(EffectKind::Step, "load");
        let before = format!("{effect:?}");
        let changed = effect
            .clone()
            .with(key::DESCRIPTION, "Loads.")
            .with_input(Arc::new(Value::Null))
            .at_index(3)
            .only_one()
            .keeping_failure()
            .destructive(true)
            .with_safety(Safety::NotIdempotent)
            .reserving(7, 8);
        assert_eq!(format!("{effect:?}"), before);
        assert!(changed.is_only_one() && changed.keeps_failure() && changed.is_destructive());
        assert_eq!(changed.at(), Some(&"3".into()));
        assert_eq!(changed.input(), Some(&Value::Null));
        assert_eq!(changed.wanted().tokens, 7);
        assert_eq!(changed.safety(), Safety::NotIdempotent);
        assert_eq!(changed.name(), effect.name());
    }

    #[test]
    fn a_number_is_named_by_its_digits_however_many() {
        for number in [0u32, 9, 10, 4_294_967_295] {
            let index = usize::try_from(number).unwrap();
            let step = Effect::new(EffectKind::Step, "load").at_index(index);
            assert_eq!(*Effect::turn(number).name(), number.to_string());
            assert_eq!(step.at().map(Name::to_string), Some(number.to_string()));
        }
    }
}
