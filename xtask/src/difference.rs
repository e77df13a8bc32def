//! Two texts shown against each other, so that a person sees what changed.

use similar::TextDiff;

/// A unified difference, or `None` where the texts are equal.
pub(crate) fn difference(name: &str, committed: &str, found: &str) -> Option<String> {
    if committed == found {
        return None;
    }
    let diff = TextDiff::from_lines(committed, found);
    let committed_name = format!("{name} (committed)");
    let found_name = format!("{name} (found)");
    Some(
        diff.unified_diff()
            .context_radius(2)
            .header(&committed_name, &found_name)
            .to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(difference("a.txt", "one\n", "one\n"), None);
    }

    #[test]
    fn a_changed_line_is_shown_both_ways() {
        let shown = difference("a.txt", "one\ntwo\n", "one\n2\n").unwrap();
        assert_eq!(
            shown,
            "--- a.txt (committed)\n+++ a.txt (found)\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
        );
    }
}
