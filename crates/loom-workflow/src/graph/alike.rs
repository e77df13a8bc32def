//! Which name may be meant where none fits.

use loom_core::Name;

/// Names that are this alike are taken for a slip of the pen.
const ALIKE: f64 = 0.8;
/// How many names are listed.
const NAMES_MAX: usize = 12;

/// The name that may be meant.
pub(crate) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likely = names.map(|it| (likeness(&it.to_lowercase(), &name), it));
    let (likeness, it) = likely.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness > ALIKE).then_some(it)
}

/// How alike two names are, from 0 to 1. In a short one a single slip weighs too much for the usual
/// measure.
fn likeness(a: &str, b: &str) -> f64 {
    let usual = strsim::jaro_winkler(a, b);
    match strsim::damerau_levenshtein(a, b) {
        1 if a.len().min(b.len()) > 2 => usual.max(0.9),
        _ => usual,
    }
}

/// The name that may be meant, or which there are.
pub(crate) fn hint<'a>(name: &str, names: impl Iterator<Item = &'a Name> + Clone) -> String {
    if let Some(close) = closest(name, names.clone().map(Name::as_str)) {
        return format!("did you mean {close:?}?");
    }
    let some: Vec<&Name> = names.clone().take(NAMES_MAX).collect();
    match names.count().saturating_sub(NAMES_MAX) {
        0 => format!("there are {some:?}"),
        more => format!("there are {some:?} and {more} more"),
    }
}
