//! Whatever nodes are called: none is merged, and each format stays what it is.

use std::collections::BTreeSet;

use loom_core::{Info, Kind};
use loom_workflow::Drawing;
use proptest::prelude::*;

use crate::hostile::{figures, info};

fn of_name(name: &'static str) -> Drawing {
    Drawing::of(&Info::new(name, Kind::Function))
}

#[test]
fn names_are_escaped_for_mermaid() {
    let label = |name| {
        let text = of_name(name).mermaid();
        let label = text
            .strip_prefix("flowchart TD\n  n[\"")
            .and_then(|it| it.strip_suffix("\"]\n"));
        label.map(str::to_owned).unwrap()
    };
    assert_eq!(label("route_billing 2"), "route_billing 2");
    assert_eq!(label("end"), "end");
    assert_eq!(
        label(r#"a"b[c](d){e}|f\g"#),
        "a#34;b#91;c#93;#40;d#41;#123;e#125;#124;f#92;g"
    );
    assert_eq!(label("<b>&amp;#35;"), "#60;b#62;#38;amp#59;#35;35#59;");
    assert_eq!(label("_it_ 1. x"), "#95;it#95; 1#46; x");
    assert_eq!(label("  two\nlines"), "#32;#32;two lines");
    assert_eq!(label("名前 → é"), "名前 → é");
}

#[test]
fn names_are_escaped_for_dot() {
    let label = |name| {
        let text = of_name(name).dot();
        let label = text
            .strip_prefix("digraph {\n  node [shape=box];\n  n [label=\"")
            .and_then(|it| it.strip_suffix("\"];\n}\n"));
        label.map(str::to_owned).unwrap()
    };
    assert_eq!(label(r#"a"b\N"#), r#"a\"b\\N"#);
    assert_eq!(label("<b>&lt;\n"), "<b>&amp;lt; ");
}

#[test]
fn what_turns_the_direction_of_a_text_is_shown_as_an_escape() {
    for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
        let escape = format!("\\u{{{:x}}}", u32::from(c));
        let info = Info::new(format!("pay{c}tsac"), Kind::Function).with_detail(format!("{c}"));
        let drawing = Drawing::of(&info);
        assert_eq!(drawing.to_string(), format!("pay{escape}tsac ({escape})\n"));
        let pictures = [drawing.to_string(), drawing.mermaid(), drawing.dot()];
        assert!(pictures.iter().all(|it| !it.contains(c)), "{pictures:?}");
        #[cfg(feature = "svg")]
        assert!(!drawing.svg().contains(c));
    }
}

#[test]
fn long_names_are_cut_in_pictures_only() {
    let long = "abcdefghij".repeat(7);
    let drawing = Drawing::of(&Info::new(long.clone(), Kind::Function));
    let cut = format!("{}…", &long[..59]);
    assert_eq!(drawing.mermaid(), format!("flowchart TD\n  n[\"{cut}\"]\n"));
    assert_eq!(drawing.to_string(), format!("{long}\n"));
}

/// The ids that are defined in a Mermaid text, one a line, after a check of each line's form.
fn mermaid_ids(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("flowchart TD"));
    let mut ids = Vec::new();
    for line in lines.map(str::trim_start).filter(|it| *it != "end") {
        let quoted = line.matches('"').count();
        let (head, _) = line.split_once('"').unwrap_or((line, ""));
        if head.contains("--") || head.contains("-.->") {
            assert!(quoted == 0 || quoted == 2, "{line}");
            continue;
        }
        assert_eq!(quoted, 2, "{line}");
        let head = head.strip_prefix("subgraph ").unwrap_or(head);
        ids.push(head.trim_end_matches(['[', '(']).to_owned());
    }
    ids
}

/// The ids that are defined in a DOT text, after a check that all quotes and braces are closed.
fn dot_ids(text: &str) -> Vec<String> {
    let (mut bare, mut chars, mut quoted) = (String::new(), text.chars(), false);
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => assert!(chars.next().is_some()),
            '\n' => {
                assert!(!quoted, "a line ends in quotes: {text}");
                bare.push(c);
            }
            c if !quoted => bare.push(c),
            _ => (),
        }
    }
    assert_eq!(bare.matches('{').count(), bare.matches('}').count());
    let lines = bare.lines().map(str::trim_start);
    let defined = lines.filter(|it| !it.contains("->") && !it.starts_with("node "));
    defined
        .filter_map(|it| {
            let id = it.strip_prefix("subgraph cluster_").unwrap_or(it);
            let id = id.split_once(" [").or(id.split_once(" {"))?.0;
            (id != "digraph").then(|| id.to_owned())
        })
        .collect()
}

proptest! {
    #[test]
    fn no_two_nodes_are_one_and_no_name_breaks_out(info in info()) {
        let drawing = Drawing::of(&info);
        for ids in [mermaid_ids(&drawing.mermaid()), dot_ids(&drawing.dot())] {
            prop_assert_eq!(ids.len(), figures(&info));
            let is_id = |it: &String| it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            prop_assert!(ids.iter().all(is_id), "{:?}", ids);
            prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        }
    }
}
