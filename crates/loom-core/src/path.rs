//! Paths: where in a run's tree an effect stands, and how often its name was opened there.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::effect::{Effect, EffectKind};
use crate::name::Name;

/// Writes the effect's segment: its escaped name, with the prefix and brackets of its kind, and
/// `#nth` from the second opening on.
pub(crate) fn push_segment(path: &mut String, effect: &Effect, nth: u32) {
    let prefix = prefix(effect.kind());
    path.push_str(prefix);
    match effect.name().split_once(':') {
        // A step's name that looks like another kind's segment has its colon escaped.
        Some((start @ ("turn" | "tool" | "model"), rest)) if prefix.is_empty() => {
            path.push_str(start);
            path.push_str("%3A");
            push_escaped(path, rest);
        }
        _ => push_escaped(path, effect.name()),
    }
    if let Some(at) = effect.at() {
        path.push('[');
        push_escaped(path, at);
        path.push(']');
    }
    push_nth(path, nth);
}

/// Writes the segment of a branch: `/[segment]`, and `#k` from the second of it on.
pub(crate) fn push_branch(path: &mut String, segment: &str, nth: u32) {
    path.push_str("/[");
    push_escaped(path, segment);
    path.push(']');
    push_nth(path, nth);
}

fn push_nth(path: &mut String, nth: u32) {
    if nth > 1 {
        // Writing to a String can't fail.
        let _ = write!(path, "#{nth}");
    }
}

fn prefix(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::Turn => "turn:",
        EffectKind::Tool => "tool:",
        EffectKind::Model => "model:",
        EffectKind::Workflow | EffectKind::Step | EffectKind::Agent => "",
    }
}

fn push_escaped(path: &mut String, name: &str) {
    for c in name.chars() {
        if matches!(c, '%' | '/' | '#' | '[' | ']') || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(path, "%{byte:02X}");
            }
        } else {
            path.push(c);
        }
    }
}

/// How often each segment was opened under one parent.
#[derive(Clone, Default)]
pub(crate) struct Siblings(BTreeMap<Segment, u32>);

/// A segment's prefix, its name and what is in its brackets.
type Segment = (&'static str, Name, Option<Name>);

impl Siblings {
    /// Counts one more opening of the effect's segment; returns how many there are now.
    pub(crate) fn count(&mut self, effect: &Effect) -> u32 {
        let prefix = prefix(effect.kind());
        self.count_one((prefix, effect.name().clone(), effect.at().cloned()))
    }

    /// Counts one more branch of this segment; returns how many there are now.
    pub(crate) fn count_branch(&mut self, segment: &Name) -> u32 {
        self.count_one(("[", segment.clone(), None))
    }

    fn count_one(&mut self, segment: Segment) -> u32 {
        let count = self.0.entry(segment).or_insert(0);
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_escapes_what_paths_are_made_of() {
        let segment = |effect: Effect, nth| {
            let mut path = String::new();
            push_segment(&mut path, &effect, nth);
            path
        };
        let step = |name: &'static str| Effect::new(EffectKind::Step, name);
        assert_eq!(segment(step("load"), 1), "load");
        assert_eq!(segment(step("load"), 2), "load#2");
        assert_eq!(
            segment(step("a/b#[c]%\n\u{85}é"), 1),
            "a%2Fb%23%5Bc%5D%25%0A%C2%85é"
        );
        assert_eq!(segment(step("item").at_index(3), 1), "item[3]");
        assert_eq!(
            segment(Effect::tool("refund", "c]1"), 1),
            "tool:refund[c%5D1]"
        );
        assert_eq!(segment(step("turn:0"), 1), "turn%3A0");
        assert_eq!(segment(step("a:b"), 1), "a:b");
        assert_eq!(segment(Effect::turn(0), 1), "turn:0");
        assert_eq!(
            segment(Effect::new(EffectKind::Model, "opus"), 2),
            "model:opus#2"
        );
    }

    #[test]
    fn openings_are_counted_per_segment() {
        let mut siblings = Siblings::default();
        for round in 1..=3 {
            for name in 0..40 {
                let effect = Effect::new(EffectKind::Step, format!("step {name}"));
                assert_eq!(siblings.count(&effect), round);
            }
        }
        assert_eq!(siblings.count(&Effect::tool("step 1", "c1")), 1);
        assert_eq!(siblings.count(&Effect::tool("step 1", "c2")), 1);
        assert_eq!(siblings.count(&Effect::new(EffectKind::Agent, "step 1")), 4);
    }
}
