//! A drawing as an indented tree: one line a part.

use std::collections::HashMap;
use std::fmt;

use loom_core::Link;

use super::figure::Figure;
use super::label::one_line;

pub(super) fn write(root: &Figure, coloured: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut tree = Tree { coloured, f };
    tree.line(root, &one_line(&root.name), "", 0)?;
    tree.parts(root, 1)
}

struct Tree<'a, 'b> {
    coloured: bool,
    f: &'a mut fmt::Formatter<'b>,
}

impl Tree<'_, '_> {
    fn parts(&mut self, whole: &Figure, depth: usize) -> fmt::Result {
        let names = names(&whole.parts);
        let starts = targets(whole, None, &names);
        if !starts.is_empty() {
            let mark = if self.coloured { "  " } else { "" };
            let indent = "  ".repeat(depth);
            writeln!(self.f, "{indent}{mark}START{starts}")?;
        }
        for (i, part) in whole.parts.iter().enumerate() {
            let targets = targets(whole, Some(i), &names);
            self.line(part, &names[i], &targets, depth)?;
            self.parts(part, depth + 1)?;
        }
        Ok(())
    }

    fn line(&mut self, part: &Figure, name: &str, targets: &str, depth: usize) -> fmt::Result {
        self.f.write_str(&"  ".repeat(depth))?;
        if self.coloured {
            let mark = part.seen.map_or(' ', |it| it.state.mark());
            write!(self.f, "{mark} ")?;
        }
        write!(self.f, "{name}{}", part.times().unwrap_or_default())?;
        if !part.notes.is_empty() {
            let notes: Vec<String> = part.notes.iter().map(|it| one_line(it)).collect();
            write!(self.f, " ({})", notes.join(", "))?;
        }
        writeln!(self.f, "{targets}")
    }
}

/// What the parts are called among each other: a name that was there before gets a number.
fn names(parts: &[Figure]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut names = Vec::new();
    for part in parts {
        let count = counts.entry(&part.name).or_default();
        *count += 1;
        names.push(match *count {
            1 => one_line(&part.name),
            count => format!("{}#{count}", one_line(&part.name)),
        });
    }
    names
}

/// Where the links from this part lead, with the arrow before it; from the whole's start for
/// `None`.
fn targets(whole: &Figure, from: Option<usize>, names: &[String]) -> String {
    let links = whole.links().iter().filter(|it| it.from == from);
    let targets: Vec<String> = links.map(|it| target(it, names)).collect();
    if targets.is_empty() {
        return String::new();
    }
    format!(" -> {}", targets.join(", "))
}

fn target(link: &Link, names: &[String]) -> String {
    let back = if link.back { "back to " } else { "" };
    let to = link.to.map_or("END", |it| &names[it]);
    if link.picked_by().is_empty() {
        format!("{back}{to}")
    } else {
        format!("{back}{to} [{}]", one_line(link.picked_by()))
    }
}
