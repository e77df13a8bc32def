//! A drawing as a Mermaid flowchart.

use std::collections::BTreeMap;
use std::fmt::Write;

use loom_core::Kind;

use super::figure::{Arrow, Edge, Figure};
use super::label::{label, lines};
use super::state::State;

pub(super) fn text(root: &Figure) -> String {
    let mut text = String::from("flowchart TD\n");
    figure(root, 1, &mut text);
    // All lines stand at the end: inside a cluster they would pull nodes of others into it.
    for edge in root.edges() {
        line(1, &link(&edge), &mut text);
    }
    classes(root, &mut text);
    text
}

fn figure(figure: &Figure, depth: usize, text: &mut String) {
    let label = lines(figure);
    let label: Vec<String> = label.iter().map(|it| escaped(it)).collect();
    let label = label.join("<br/>");
    if figure.parts.is_empty() {
        return line(depth, &shape(figure.kind, &figure.id, &label), text);
    }
    line(depth, &format!("subgraph {}[\"{label}\"]", figure.id), text);
    if figure.is_linked() {
        let start = format!("{}([\"START\"])", figure.start_id());
        line(depth + 1, &start, text);
    } else {
        let own = shape(figure.kind, &figure.own_id(), figure.kind.as_str());
        line(depth + 1, &own, text);
    }
    for part in &figure.parts {
        self::figure(part, depth + 1, text);
    }
    if figure.is_linked() {
        let end = format!("{}([\"END\"])", figure.end_id());
        line(depth + 1, &end, text);
    }
    line(depth, "end", text);
}

fn shape(kind: Kind, id: &str, label: &str) -> String {
    match kind {
        Kind::Agent => format!("{id}(\"{label}\")"),
        Kind::Workflow => format!("{id}[[\"{label}\"]]"),
        _ => format!("{id}[\"{label}\"]"),
    }
}

fn link(edge: &Edge) -> String {
    let arrow = match edge.arrow {
        Arrow::Forward => "-->",
        Arrow::Back => "-.->",
        Arrow::Holds => "---",
    };
    let (from, to) = (&edge.from, &edge.to);
    if edge.label.is_empty() {
        format!("{from} {arrow} {to}")
    } else {
        format!("{from} {arrow}|\"{}\"| {to}", escaped(&label(&edge.label)))
    }
}

/// Colours the figures by their states.
fn classes(root: &Figure, text: &mut String) {
    let mut by_state = BTreeMap::new();
    gather(root, &mut by_state);
    for (state, ids) in by_state {
        let class = state.as_str();
        let (fill, stroke) = (state.fill(), state.stroke());
        let look = format!("classDef {class} fill:{fill},stroke:{stroke},color:#222222");
        line(1, &look, text);
        line(1, &format!("class {} {class}", ids.join(",")), text);
    }
}

fn gather<'a>(figure: &'a Figure, by_state: &mut BTreeMap<State, Vec<&'a str>>) {
    if let Some(seen) = figure.seen {
        by_state.entry(seen.state).or_default().push(&figure.id);
    }
    for part in &figure.parts {
        gather(part, by_state);
    }
}

fn line(depth: usize, content: &str, text: &mut String) {
    text.push_str(&"  ".repeat(depth));
    text.push_str(content);
    text.push('\n');
}

/// The text as it may stand in a quoted label, which Mermaid reads as Markdown with HTML and icons
/// in it: whatever could mean something there becomes a character code.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_word = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
        let is_plain = match c {
            // Between two letters neither is emphasis or a list.
            '_' | '-' => is_word(before) && is_word(rest.peek().copied()),
            ' ' => before.is_some_and(|it| it != ' '),
            ',' => true,
            c => !c.is_ascii() || c.is_ascii_alphanumeric(),
        };
        if is_plain {
            escaped.push(c);
        } else {
            // Writing to a String can't fail.
            let _ = write!(escaped, "#{};", u32::from(c));
        }
        before = Some(c);
    }
    escaped
}
