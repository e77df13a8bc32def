//! Definitions whose names try to break out of what they are drawn in.

use loom_core::{Info, Kind, Link};
use proptest::prelude::*;

/// What means something in one of the formats.
const NAMES: [&str; 24] = [
    "",
    " ",
    "end",
    "END",
    "subgraph",
    "n0",
    "n_in",
    "a\"b",
    "\"]; x[\"",
    "]]) --> n0",
    "a\\",
    "\\\" -> \\n",
    "<b>&amp;</b>",
    "]]><!--",
    "#35;",
    "`code` **bold** _it_",
    "1. list",
    "fa:fa-car $$x$$",
    "%% comment",
    "a;b\u{2028}c\nd\r\te",
    "\u{fffe}\u{0}\u{85}",
    "émoji 🧵 名前",
    "style:#x;",
    "a very long name that goes on and on and on, and on and on and on, and then on",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(&[Kind::Function, Kind::Agent, Kind::Workflow][..])
}

/// A link between some of six parts, which may not all be there.
fn link() -> impl Strategy<Value = Link> {
    let end = || prop::option::weighted(0.8, 0..6usize);
    let label = prop_oneof![Just(String::new()), name()];
    (end(), end(), label, any::<bool>()).prop_map(|(from, to, label, back)| {
        let mut link = Link::default().labelled(label).backward(back);
        (link.from, link.to) = (from, to);
        link
    })
}

/// Any definition at all, up to four deep.
pub(crate) fn info() -> impl Strategy<Value = Info> {
    let leaf = (name(), kind(), name())
        .prop_map(|(name, kind, detail)| Info::new(name, kind).with_detail(detail));
    leaf.prop_recursive(4, 24, 5, |part| {
        (
            name(),
            kind(),
            prop::collection::vec(part, 1..5),
            prop::collection::vec(link(), 0..8),
            any::<bool>(),
        )
            .prop_map(|(name, kind, parts, links, joins)| {
                let info = Info::new(name, kind).with_parts(parts).with_links(links);
                info.joining(joins)
            })
    })
}

/// How many nodes and clusters it is drawn with: what wraps one step is that step; a cluster with
/// links has a start and an end, another one a node for itself.
pub(crate) fn figures(info: &Info) -> usize {
    let mut info = info;
    while info.kind == Kind::Function && info.parts.len() == 1 && info.links.is_empty() {
        info = &info.parts[0];
    }
    let there = |it: Option<usize>| it.is_none_or(|it| it < info.parts.len());
    let linked = info.links.iter().any(|it| there(it.from) && there(it.to));
    let own = match (info.parts.is_empty(), linked) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 2,
    };
    own + info.parts.iter().map(figures).sum::<usize>()
}
