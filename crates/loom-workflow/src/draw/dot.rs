//! A drawing in DOT.

use loom_core::Kind;

use super::figure::{Arrow, Edge, Figure};
use super::label::{label, lines};

pub(super) fn text(root: &Figure) -> String {
    let mut text = String::from("digraph {\n  node [shape=box];\n");
    figure(root, 1, &mut text);
    for edge in root.edges() {
        line(1, &link(&edge), &mut text);
    }
    text.push_str("}\n");
    text
}

fn figure(figure: &Figure, depth: usize, text: &mut String) {
    let label: Vec<String> = lines(figure).iter().map(|it| escaped(it)).collect();
    let label = label.join("\\n");
    if figure.parts.is_empty() {
        let look = look(figure.kind, Some(figure)).join("");
        return line(
            depth,
            &format!("{} [label=\"{label}\"{look}];", figure.id),
            text,
        );
    }
    line(depth, &format!("subgraph cluster_{} {{", figure.id), text);
    line(depth + 1, &format!("label=\"{label}\";"), text);
    if let Some(seen) = figure.seen {
        let (fill, stroke) = (seen.state.fill_around(), seen.state.stroke());
        let look = format!("style=filled; fillcolor=\"{fill}\"; color=\"{stroke}\";");
        line(depth + 1, &look, text);
    }
    if figure.is_linked() {
        line(depth + 1, &terminal(&figure.start_id(), "START"), text);
    } else {
        let look = look(figure.kind, None).join("");
        let (id, kind) = (figure.own_id(), figure.kind.as_str());
        line(depth + 1, &format!("{id} [label=\"{kind}\"{look}];"), text);
    }
    for part in &figure.parts {
        self::figure(part, depth + 1, text);
    }
    if figure.is_linked() {
        line(depth + 1, &terminal(&figure.end_id(), "END"), text);
    }
    line(depth, "}", text);
}

fn terminal(id: &str, label: &str) -> String {
    format!("{id} [label=\"{label}\", shape=oval];")
}

/// What sets a node apart from a plain one.
fn look(kind: Kind, figure: Option<&Figure>) -> Vec<String> {
    let mut styles = Vec::new();
    let mut look = Vec::new();
    match kind {
        Kind::Agent => styles.push("rounded"),
        Kind::Workflow => look.push(", peripheries=2".to_owned()),
        _ => (),
    }
    if let Some(seen) = figure.and_then(|it| it.seen) {
        styles.push("filled");
        let (fill, stroke) = (seen.state.fill(), seen.state.stroke());
        look.push(format!(", fillcolor=\"{fill}\", color=\"{stroke}\""));
    }
    if !styles.is_empty() {
        look.push(format!(", style=\"{}\"", styles.join(",")));
    }
    look
}

fn link(edge: &Edge) -> String {
    let mut look = Vec::new();
    if !edge.label.is_empty() {
        look.push(format!("label=\"{}\"", escaped(&label(&edge.label))));
    }
    match edge.arrow {
        Arrow::Forward => (),
        Arrow::Back => look.push("style=dashed".to_owned()),
        Arrow::Holds => look.push("arrowhead=none".to_owned()),
    }
    let (from, to) = (&edge.from, &edge.to);
    if look.is_empty() {
        format!("{from} -> {to};")
    } else {
        format!("{from} -> {to} [{}];", look.join(", "))
    }
}

fn line(depth: usize, content: &str, text: &mut String) {
    text.push_str(&"  ".repeat(depth));
    text.push_str(content);
    text.push('\n');
}

/// The text as it may stand in a quoted label. Graphviz reads HTML's character references there.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '&' => escaped.push_str("&amp;"),
            c => escaped.push(c),
        }
    }
    escaped
}
