//! Text from elsewhere, made safe to show on a terminal.

/// The text with control and bidirectional formatting characters spelled out (`\u{202e}`), so
/// that a name can neither move the cursor nor make a line read as another.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut shown, c| {
        match misleads(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
        shown
    })
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
        let shown: Vec<String> = [
            "naïve 审批 ✓",
            "\u{1b}[2J",
            "a\nb",
            "\u{202e}dekcehc",
            "\u{2066}x\u{2069}\u{2028}\u{85}",
        ]
        .map(printable)
        .into();
        assert_eq!(
            shown,
            [
                "naïve 审批 ✓",
                r"\u{1b}[2J",
                r"a\u{a}b",
                r"\u{202e}dekcehc",
                r"\u{2066}x\u{2069}\u{2028}\u{85}",
            ]
        );
    }
}
