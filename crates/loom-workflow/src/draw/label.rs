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

/// The text without anything that breaks a line or stands in no XML. What would turn the direction
/// of all that follows, so that a name reads as another, is shown as an escape.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => line.extend(c.escape_unicode()),
            '\u{2028}' | '\u{2029}' => line.push(' '),
            '\u{fffe}' | '\u{ffff}' => line.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => line.push(' '),
            c => line.push(c),
        }
    }
    line
}
