//! Which name may be meant where none fits.

use loom_core::Name;

/// Names that are this alike are taken for a slip of the pen.
const ALIKE: f64 = 0.8;
/// How many names are listed.
const NAMES_MAX: usize = 12;

/// The name that may be meant, or which there are.
pub(crate) fn hint<'a>(name: &str, names: impl Iterator<Item = &'a Name> + Clone) -> String {
    let likeness = |it: &Name| strsim::jaro_winkler(it, name);
    let closest = names
        .clone()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    if let Some(close) = closest.filter(|it| likeness(it) > ALIKE) {
        return format!("did you mean {close:?}?");
    }
    let some: Vec<&Name> = names.clone().take(NAMES_MAX).collect();
    match names.count().saturating_sub(NAMES_MAX) {
        0 => format!("there are {some:?}"),
        more => format!("there are {some:?} and {more} more"),
    }
}
