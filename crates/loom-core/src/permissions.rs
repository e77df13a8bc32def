//! `Permissions`: the gate that is always there, with rules as data.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use wildmatch::WildMatchPattern;

use crate::context::EffectView;
use crate::effect::{Effect, EffectKind};
use crate::gate::{Gate, Verdict};

/// Which tools may be called: rules as data, of which the strictest that fits decides.
///
/// `deny` beats `ask` beats `allow`. A tool that no rule fits is allowed, unless it is
/// destructive: then it is asked for. Asking without an approver and without a journal denies.
///
/// Written as data, patterns with `*` for any text:
///
/// ```
/// use loom_core::{Decision, Loom, Permissions};
///
/// let permissions: Permissions = serde_json::from_str(r#"{"rules": [
///     {"decision": "allow", "tool": "refund", "arguments": {"currency": "EUR"}},
///     {"decision": "deny",  "tool": "delete_*"},
///     {"decision": "ask",   "destructive": true}
/// ]}"#)?;
/// assert_eq!(permissions.rules()[1].decision, Decision::Deny);
/// let loom = Loom::builder().permissions(permissions).build();
/// # let _ = loom;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    rules: Vec<Rule>,
}

/// One rule: a decision, and what it is about. What is left out fits everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// What is decided for calls that the rule fits.
    pub decision: Decision,
    /// The tool's name, with `*` for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Whether the tool is marked destructive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Arguments by name or JSON pointer (`/customer/id`), with `*` for any text; numbers are
    /// compared as numbers (`100` fits `1e2`), other values that are no text as JSON. An argument
    /// that is absent doesn't fit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
}

/// What a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The call may happen.
    Allow,
    /// Somebody is asked first.
    Ask,
    /// The call must not happen.
    Deny,
}

impl Permissions {
    /// No rules: destructive tools are asked for, all others allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// These permissions and one more rule.
    ///
    /// ```
    /// use loom_core::{Decision, Permissions, Rule};
    ///
    /// let permissions = Permissions::new().rule(Rule::new(Decision::Deny).tool("delete_*"));
    /// assert_eq!(permissions.rules().len(), 1);
    /// ```
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl Rule {
    /// A rule that fits every call.
    pub fn new(decision: Decision) -> Self {
        Self {
            decision,
            tool: None,
            destructive: None,
            arguments: BTreeMap::new(),
        }
    }

    /// Only for tools of this name, with `*` for any text.
    #[must_use]
    pub fn tool(self, pattern: impl Into<String>) -> Self {
        Self {
            tool: Some(pattern.into()),
            ..self
        }
    }

    /// Only for tools that are (not) marked destructive.
    #[must_use]
    pub fn destructive(self, destructive: bool) -> Self {
        Self {
            destructive: Some(destructive),
            ..self
        }
    }

    /// Only for calls with such an argument, named or by JSON pointer.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.arguments.insert(name.into(), pattern.into());
        self
    }

    fn fits(&self, effect: &Effect) -> bool {
        let mut arguments = self.arguments.iter();
        let tool = self.tool.as_ref();
        tool.is_none_or(|pattern| matches(pattern, effect.name()))
            && self
                .destructive
                .is_none_or(|it| it == effect.is_destructive())
            && arguments.all(|(name, pattern)| argument_fits(effect.input(), name, pattern))
    }
}

/// `*` is any text; everything else is itself, `?` too. (The crate wants a character for "any
/// one": NUL, which no name has.)
fn matches(pattern: &str, text: &str) -> bool {
    WildMatchPattern::<'*', '\0'>::new(pattern).matches(text)
}

fn argument_fits(arguments: Option<&Value>, name: &str, pattern: &str) -> bool {
    let argument = match name.starts_with('/') {
        true => arguments.and_then(|it| it.pointer(name)),
        false => arguments.and_then(|it| it.get(name)),
    };
    match argument {
        None => false,
        Some(Value::String(text)) => matches(pattern, text),
        Some(Value::Number(number)) => {
            matches(pattern, &number.to_string())
                || pattern.parse().is_ok_and(|it| is_same_number(&it, number))
        }
        Some(other) => matches(pattern, &other.to_string()),
    }
}

/// Whether both are one number, however it is written: `100`, `100.0` and `1e2`. Integers of up to 64
/// bits are compared exactly; a number with a point or an exponent is read as the nearest float.
fn is_same_number(one: &Number, other: &Number) -> bool {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.as_f64() == other.as_f64(),
        _ => false,
    }
}

fn whole(number: &Number) -> Option<i128> {
    if let Some(whole) = number.as_i128() {
        return Some(whole);
    }
    let float = number.as_f64()?;
    // What casts to itself and back is whole and fits.
    let whole = float as i128;
    (whole as f64 == float && whole != i128::MAX).then_some(whole)
}

impl Gate for Permissions {
    fn name(&self) -> &str {
        "permissions"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        Self::is_about(effect)
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        self.verdict(effect)
    }
}

impl Permissions {
    /// They have to do with calls of tools alone.
    pub(crate) fn is_about(effect: &Effect) -> bool {
        effect.kind() == EffectKind::Tool
    }

    /// The verdict of the strictest rule that fits; of several that are as strict, of the first.
    pub(crate) fn verdict(&self, effect: &Effect) -> Verdict {
        let rules = (1u32..).zip(&self.rules);
        let strictest = rules
            .filter(|(_, rule)| rule.fits(effect))
            .max_by_key(|(number, rule)| (rule.decision, Reverse(*number)));
        let (decision, number) = match strictest {
            Some((number, rule)) => (rule.decision, number),
            None if effect.is_destructive() => (Decision::Ask, 0),
            None => (Decision::Allow, 0),
        };
        match decision {
            Decision::Allow => Verdict::Allow,
            Decision::Ask => {
                let because = match number {
                    0 => "destructive tools are asked for".to_owned(),
                    number => format!("rule {number}"),
                };
                Verdict::Ask(format!(
                    "may the tool {:?} be called with {}? ({because})",
                    effect.name(),
                    shown(effect.input()),
                ))
            }
            Decision::Deny => {
                Verdict::Deny(format!("rule {number} denies the tool {:?}", effect.name()))
            }
        }
    }
}

/// How much of a call's arguments a question shows.
const SHOWN_CHARS_MAX: usize = 500;

/// The arguments, for the person who is asked: nobody should have to approve what they can't see.
/// What is cut is named, and is whole in the question's input.
fn shown(arguments: Option<&Value>) -> String {
    let text = arguments.map_or_else(|| "no arguments".to_owned(), Value::to_string);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!(
            "{}… (the first {SHOWN_CHARS_MAX} of {} characters)",
            &text[..end],
            text.chars().count()
        ),
        None => text,
    }
}
