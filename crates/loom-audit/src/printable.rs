//! Text from a log, made safe and short enough to show.

/// The text with control and bidirectional formatting characters spelled out (`\u{202e}`), so
/// that it can neither move a cursor nor read as another, and cut after so many bytes.
pub(crate) fn printable(text: String, bytes_max: usize) -> String {
    if text.len() <= bytes_max && !text.contains(misleads) {
        return text;
    }
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= bytes_max {
            shown.push('…');
            return shown;
        }
        match misleads(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// Source of the ranges: Unicode 16, property Bidi_Control, and the two line separators.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_is_spelled_out_and_the_rest_is_kept() {
        let shown = ["naïve 审批 ✓", "\u{1b}[2J", "\u{202e}x\u{2069}\n"]
            .map(|it| printable(it.to_owned(), 200));
        assert_eq!(
            shown,
            ["naïve 审批 ✓", r"\u{1b}[2J", r"\u{202e}x\u{2069}\u{a}"]
        );
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(printable("éééé".to_owned(), 8), "éééé");
        assert_eq!(printable("ééééé".to_owned(), 7), "éééé…");
        assert!(printable("\u{202e}".repeat(1_000_000), 200).len() < 220);
    }
}
