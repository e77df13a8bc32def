//! What a further attempt might do twice.

use crate::info::{Info, Kind};
use crate::name::Name;
use crate::safety::Safety;

/// Why a step mustn't be tried again without its author's word for it.
#[derive(Clone, Debug)]
pub(super) enum Hazard {
    None,
    /// The step itself isn't idempotent: a further attempt always does it again.
    Itself(String),
    /// Something in it isn't: a journal keeps a further attempt from doing it again.
    Inside(String),
}

impl Hazard {
    /// The hazard in a step that declares this of itself.
    pub(super) fn of(step: &Info, itself: Safety) -> Self {
        let name = shown(step);
        if itself == Safety::NotIdempotent {
            return Self::Itself(format!(
                "{name} is retried and isn't idempotent: a further attempt would do it again; say `.repeating_effects()` if that does no harm"
            ));
        }
        if step.safety < Safety::NotIdempotent {
            return Self::None;
        }
        let (part, is_tool) = culprit(step);
        let (noun, remedy) = match is_tool {
            true => ("tool", "mark it `.idempotent()`, "),
            false => ("step", ""),
        };
        let part = shown(part);
        Self::Inside(format!(
            "{name} is retried, and its {noun} {part} isn't idempotent: without a journal a further attempt would do it again; {remedy}say `.repeating_effects()`, or use a journal"
        ))
    }
}

/// The innermost part with a name that makes the whole not idempotent, and whether it is an
/// agent's tool.
fn culprit(whole: &Info) -> (&Info, bool) {
    let (mut at, mut named) = (whole, (whole, false));
    while let Some(part) = not_idempotent(&at.parts) {
        if !part.node_name().is_empty() {
            named = (part, at.kind == Kind::Agent);
        }
        at = part;
    }
    named
}

fn not_idempotent(parts: &[Info]) -> Option<&Info> {
    parts
        .iter()
        .find(|part| part.safety == Safety::NotIdempotent)
}

fn shown(info: &Info) -> Name {
    match info.node_name() {
        unnamed if unnamed.is_empty() => "a closure".into(),
        name => format!("`{name}`").into(),
    }
}
