//! The drawn arrows in `docs/ARCHITECTURE.md` equal the table that is checked.

use super::Problem;
use crate::failure::{Failure, Outcome};
use crate::layers::table::{Row, TABLE};
use crate::workspace::Workspace;

const PAGE: &str = "docs/ARCHITECTURE.md";
const BEGIN: &str = "<!-- arrows: written by `cargo xtask tidy --bless` -->\n```text\n";
const END: &str = "```\n";

pub(super) fn problems(workspace: &Workspace) -> Outcome<Vec<Problem>> {
    Ok(compare(&workspace.read(PAGE)?, &block(workspace)))
}

/// Rewrites the block; the prose around it stays.
pub(super) fn bless(workspace: &Workspace) -> Outcome {
    let page = workspace.read(PAGE)?;
    let Some((before, _, after)) = parts(&page) else {
        return Err(Failure::new(format!(
            "{PAGE} has no place for the arrows; write {BEGIN:?} and {END:?}"
        )));
    };
    workspace.write(
        PAGE,
        &format!("{before}{BEGIN}{}{END}{after}", block(workspace)),
    )
}

fn compare(page: &str, expected: &str) -> Vec<Problem> {
    let Some((before, drawn, _)) = parts(page) else {
        return vec![Problem::new(
            PAGE,
            1,
            format!("has no block of arrows, which begins {BEGIN:?}"),
        )];
    };
    if drawn == expected {
        return Vec::new();
    }
    // The first differing line is the place to look; a block cut short differs where it ends.
    let same = drawn
        .lines()
        .zip(expected.lines())
        .take_while(|(found, wanted)| found == wanted)
        .count();
    let line = before.lines().count() + BEGIN.lines().count() + same + 1;
    vec![Problem::new(
        PAGE,
        line,
        "the arrows differ from the table; run `cargo xtask tidy --bless`",
    )]
}

fn parts(page: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = page.split_once(BEGIN)?;
    let end = if rest.starts_with(END) {
        0
    } else {
        rest.find(&format!("\n{END}"))? + 1
    };
    Some((before, &rest[..end], &rest[end + END.len()..]))
}

fn block(workspace: &Workspace) -> String {
    // The program that checks takes no part in what is checked.
    let rows = TABLE.iter().filter(|row| row.name != "xtask");
    rows.map(|row| {
        let exists =
            row.name == "examples" || workspace.path(&format!("crates/{}", row.name)).is_dir();
        drawn(row, exists)
    })
    .collect()
}

fn drawn(row: &Row, exists: bool) -> String {
    let uses = if row.may_use.is_empty() {
        "nothing of ours".into()
    } else {
        wrapped(row.may_use)
    };
    let tested = if row.tested_with.is_empty() {
        String::new()
    } else {
        format!("   tests: {}", row.tested_with.join(", "))
    };
    let owns = if row.owns.is_empty() {
        String::new()
    } else {
        format!("   owns {}", row.owns.join(", "))
    };
    let planned = if exists { "" } else { "   (planned)" };
    format!("{:<14} → {uses}{tested}{owns}{planned}\n", row.name)
}

/// Names after an arrow, at most four a line so that the page needs no scrolling.
fn wrapped(names: &[&str]) -> String {
    let lines: Vec<String> = names.chunks(4).map(|some| some.join(", ")).collect();
    lines.join(&format!(",\n{:17}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(block: &str) -> String {
        format!("# A page\n\n{BEGIN}{block}{END}\nMore.\n")
    }

    #[test]
    fn equal_arrows_pass() {
        assert_eq!(compare(&page("a → b\n"), "a → b\n"), []);
    }

    #[test]
    fn other_arrows_are_told_at_their_line() {
        let problems = compare(&page("a → b\nc → d\n"), "a → b\nc → e\n");
        assert_eq!(
            problems,
            [Problem::new(
                PAGE,
                6,
                "the arrows differ from the table; run `cargo xtask tidy --bless`"
            )]
        );
    }

    #[test]
    fn a_page_without_arrows_is_told() {
        assert_eq!(compare("# A page\n", "a → b\n").len(), 1);
    }

    #[test]
    fn blessing_rewrites_the_block_alone() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            root: folder.path().into(),
        };
        workspace.write(PAGE, &page("old\n")).unwrap();
        bless(&workspace).unwrap();
        assert_eq!(workspace.read(PAGE).unwrap(), page(&block(&workspace)));
        assert_eq!(problems(&workspace).unwrap(), []);
    }

    #[test]
    fn a_row_shows_uses_and_ownership_and_whether_it_is_there() {
        let row = Row {
            name: "a",
            may_use: &["b", "c"],
            tested_with: &["d"],
            owns: &["x*"],
            exceptions: &[],
        };
        assert_eq!(
            drawn(&row, true),
            "a              → b, c   tests: d   owns x*\n"
        );
        assert_eq!(
            drawn(&row, false),
            "a              → b, c   tests: d   owns x*   (planned)\n"
        );
    }
}
