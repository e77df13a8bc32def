//! Names and details as they are fit for a picture.

use super::figure::Figure;

/// Longer texts are cut in pictures.
const LABEL_CHARS_MAX: usize = 60;

/// The lines a figure is labelled with: its name, and its notes if there are any.
pub(super) fn lines(figure: &Figure) -> Vec<String> {
    let times = figure.times().unwrap_or_default();
    let mut lines = vec![label(&figure.name) + &times];
    if !figure.notes.is_empty() {
        let notes: Vec<String> = figure.notes.iter().map(|it| label(it)).collect();
        lines.push(notes.join(", "));
    }
    lines
}

/// The text on one line, cut if it is long.
pub(super) fn label(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LABEL_CHARS_MAX) {
        Some(_) => text
            .chars()
            .take(LABEL_CHARS_MAX - 1)
            .chain(['…'])
            .collect(),
        None => text,
    }
}

/// The text without anything that breaks a line or stands in no XML.
pub(super) fn one_line(text: &str) -> String {
    let shown = |c: char| match c {
        '\u{2028}' | '\u{2029}' => ' ',
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(shown).collect()
}
