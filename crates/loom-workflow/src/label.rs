//! Labels: what a classifier or a router gives to say which way to take.

use loom_core::{Error, Name};

/// Longer labels, which a model may have made up, are cut in errors.
const LABEL_CHARS_MAX: usize = 60;

/// The error for a label that no way has, naming the choices.
pub(crate) fn unknown<'a>(
    way: &str,
    label: &str,
    choices: impl Iterator<Item = &'a Name>,
) -> Error {
    let label: String = label.chars().take(LABEL_CHARS_MAX).collect();
    let choices: Vec<&Name> = choices.collect();
    Error::invalid(format!(
        "no {way} for the label {label:?}; there are {choices:?}"
    ))
}
