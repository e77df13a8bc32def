//! Graphs as data: read, checked, built, written back, and compared by what they mean.

use loom_core::ErrorKind;
use loom_workflow::{EdgeSpec, GraphSpec, NodeSpec, Steps};
use proptest::prelude::*;

use crate::graph_steps::{list, say};
use crate::recorded::recorded;

const TRIAGE: &str = r#"
name = "triage"
visits_max = 3

[[nodes]]
name = "classify"
router = "last"

[[nodes]]
name = "billing"
step = "answer"

[[nodes]]
name = "join"
step = "list"

[[edges]]
from = "START"
to = "classify"

[[edges]]
from = "classify"
to = "billing"
label = "classify"

[[edges]]
from = "classify"
to = "END"
otherwise = true

[[edges]]
from = "billing"
to = "join"

[[edges]]
from = "join"
to = "END"
"#;

fn steps() -> Steps {
    Steps::new()
        .step("classify", say("classify"))
        .step("answer", say("answer"))
        .step("list", list)
        .router("last", |text: &str| {
            text.rsplit(' ').next().unwrap_or_default().to_owned()
        })
}

fn triage() -> GraphSpec {
    GraphSpec::from_toml(TRIAGE).unwrap()
}

#[tokio::test]
async fn a_graph_from_a_file_runs_like_one_that_was_declared() {
    let (_, session) = recorded();
    let workflow = triage().build_as::<String, String>(&steps()).unwrap();
    let outcome = session.run(&workflow, "go").await.unwrap();
    assert_eq!(outcome.output, "[billing: go classify answer]");
    assert_eq!(outcome.visited, ["classify", "billing", "join"]);
}

#[test]
fn what_is_read_is_written_back() {
    let spec = triage();
    assert_eq!(spec.to_toml().unwrap(), format!("version = 1{TRIAGE}"));
    let json = spec.to_json().unwrap();
    assert_eq!(GraphSpec::from_json(&json).unwrap(), spec);
    let same = GraphSpec::from_toml(&GraphSpec::from_json(&json).unwrap().to_toml().unwrap());
    assert_eq!(same.unwrap(), spec);
}

#[test]
fn unknown_steps_and_routers_are_named_with_all_else_that_is_wrong() {
    let mut spec = triage();
    spec.nodes[1].step = Some("anser".into());
    spec.nodes[0].router = Some("lest".into());
    spec.nodes.push(NodeSpec::new("lonely"));
    spec.edges[2].label = Some("x".into());
    spec.edges[3].to = "jion".into();
    let steps = steps().step("list", list).router("text", str::to_owned);
    let error = spec.build(&steps).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let message = error
        .message()
        .strip_prefix("the graph \"triage\" can't be built: ");
    assert_eq!(
        message.unwrap().split("; ").collect::<Vec<_>>(),
        [
            r#"two steps are registered as "list""#,
            r#"two routers are registered as "text""#,
            r#"the node "classify": no router is registered as "lest" (did you mean "last"?)"#,
            r#"the node "billing": no step is registered as "anser" (did you mean "answer"?)"#,
            r#"the node "lonely": no step is registered as "lonely" (there are ["answer", "classify", "list"])"#,
            r#"the edge "classify" -> "END" is for the label "x" and for all others: it may be for one"#,
            r#"the edge "billing" -> "jion": there is no node "jion" (did you mean "join"?)"#,
            r#""lonely" can't be reached from START"#,
            r#""lonely" leads nowhere: give it an edge, to END for example, or say `.sink("lonely")`"#,
        ]
    );
}

#[test]
fn text_that_describes_no_graph_is_refused_with_the_place() {
    let message = |result: loom_core::Result<GraphSpec>| result.unwrap_err().message().to_owned();
    assert_eq!(
        message(GraphSpec::from_json(
            r#"{"name": "x", "nodes": [{"nam": "a"}]}"#
        )),
        "this JSON describes no graph: unknown field `nam`, expected one of `name`, `step`, `router`, `settle`, `sink` at line 1 column 30"
    );
    let toml = message(GraphSpec::from_toml("name = \"x\"\nedgs = []"));
    assert!(
        toml.starts_with("this TOML describes no graph: TOML parse error at line 2"),
        "{toml}"
    );
    assert_eq!(
        message(GraphSpec::from_json(
            r#"{"version": 2, "name": "x", "timeout": 3}"#
        )),
        r#"the graph "x" is described in version 2; this program reads version 1"#
    );
}

/// A change and what it is of.
type Change = (&'static str, fn(&mut GraphSpec));

/// The hash of what this describes.
fn hash(spec: &GraphSpec) -> String {
    spec.build(&steps()).unwrap().definition_hash()
}

#[test]
fn the_hash_changes_with_each_change_of_meaning() {
    let changes: [Change; 9] = [
        ("a node's name", |it| {
            it.nodes[1].name = "money".into();
            (it.edges[1].to, it.edges[3].from) = ("money".into(), "money".into());
        }),
        ("a node's step", |it| {
            it.nodes[1].step = Some("classify".into());
        }),
        ("a node's router", |it| {
            it.nodes[0].router = Some("text".into());
        }),
        ("settling", |it| it.nodes[1].settle = true),
        ("a label", |it| it.edges[1].label = Some("other".into())),
        ("an edge's target", |it| it.edges[2].to = "join".into()),
        ("a further edge", |it| {
            it.edges.push(EdgeSpec::new("billing", "END"));
        }),
        ("the order of a join", |it| it.edges.swap(3, 5)),
        ("a cycle and its limits", |it| it.visits_max = Some(4)),
    ];
    let mut base = triage();
    base.edges.push(EdgeSpec::new("START", "join"));
    base.nodes[2].router = Some("text".into());
    base.edges[4].label = Some("done".into());
    let mut again = EdgeSpec::new("join", "classify");
    again.label = Some("again".into());
    base.edges.push(again);
    let mut hashes = vec![("nothing", hash(&base))];
    for (what, change) in changes {
        let mut changed = base.clone();
        change(&mut changed);
        hashes.push((what, hash(&changed)));
    }
    for (i, (what, one)) in hashes.iter().enumerate() {
        for (what_else, other) in &hashes[..i] {
            assert_ne!(one, other, "{what} against {what_else}");
        }
    }
}

#[test]
fn the_hash_does_not_change_with_how_it_is_written_down() {
    let same: [Change; 6] = [
        ("the order of nodes", |it| it.nodes.reverse()),
        ("the order of edges that aren't joined", |it| {
            it.edges.swap(0, 4);
        }),
        ("a default that is said", |it| it.steps_max = Some(100)),
        ("limits that can't be reached", |it| it.visits_max = None),
        ("how many run at a time", |it| it.concurrency_max = Some(2)),
        ("the workflow's name", |it| it.name = "other".into()),
    ];
    for (what, change) in same {
        let mut changed = triage();
        change(&mut changed);
        assert_eq!(hash(&changed), hash(&triage()), "{what}");
        let read = GraphSpec::from_json(&changed.to_json().unwrap()).unwrap();
        assert_eq!(hash(&read), hash(&triage()), "{what}, read");
    }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,3}",
        "\\PC{0,6}",
        Just("START".to_owned()),
        Just("a\"b\n".to_owned())
    ]
}

fn specs() -> impl Strategy<Value = GraphSpec> {
    let optional = || prop::option::of(names());
    let node = (names(), optional(), optional(), any::<[bool; 2]>()).prop_map(
        |(name, step, router, [settle, sink])| {
            let mut node = NodeSpec::new(name);
            (node.step, node.router) = (step.map(Into::into), router.map(Into::into));
            (node.settle, node.sink) = (settle, sink);
            node
        },
    );
    let edge =
        (names(), names(), optional(), any::<bool>()).prop_map(|(from, to, label, otherwise)| {
            let mut edge = EdgeSpec::new(from, to);
            (edge.label, edge.otherwise) = (label.map(Into::into), otherwise);
            edge
        });
    let cap = || prop::option::of(any::<u32>());
    (
        names(),
        cap(),
        cap(),
        prop::collection::vec(node, 0..5),
        prop::collection::vec(edge, 0..7),
    )
        .prop_map(|(name, steps_max, visits_max, nodes, edges)| {
            let mut spec = GraphSpec::new(name);
            (spec.steps_max, spec.visits_max) = (steps_max, visits_max);
            (spec.nodes, spec.edges) = (nodes, edges);
            spec
        })
}

proptest! {
    #[test]
    fn any_description_survives_both_formats_and_is_checked_without_a_panic(spec in specs()) {
        prop_assert_eq!(&GraphSpec::from_json(&spec.to_json().unwrap()).unwrap(), &spec);
        prop_assert_eq!(&GraphSpec::from_toml(&spec.to_toml().unwrap()).unwrap(), &spec);
        if let Err(error) = spec.build(&steps()) {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
