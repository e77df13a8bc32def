//! What `build()` refuses, all of it at once, and in which words.

use loom_core::{ErrorKind, Info, Kind, Link, Runnable};
use loom_workflow::{END, Graph, START, Workflow};

use crate::graph_steps::{list, say};

/// What is wrong with the graph `wrong`, a thing a line.
fn wrong(graph: Graph) -> Vec<String> {
    let error = graph.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let message = error.message();
    let all = message.strip_prefix("the graph \"wrong\" can't be built: ");
    all.unwrap().split("; ").map(str::to_owned).collect()
}

fn graph() -> Graph {
    Workflow::graph("wrong")
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_what_may_be_meant() {
    let graph = graph()
        .node("classify", say("classify"))
        .node("billing", say("billing"))
        .node("billing", say("again"))
        .node("lost", say("lost"))
        .node("tech", say("tech"))
        .router("clasify", |it: &str| it.to_owned(), [("b", "biling")])
        .edge("classify", "tech")
        .edge("tech", "somewhere")
        .edge("lost", END)
        .steps_max(0);
    assert_eq!(
        wrong(graph),
        [
            r#"two nodes are named "billing""#,
            r#"the edge "clasify" -> "biling": there is no node "clasify" (did you mean "classify"?)"#,
            r#"the edge "clasify" -> "biling": there is no node "biling" (did you mean "billing"?)"#,
            r#"the edge "tech" -> "somewhere": there is no node "somewhere" (there are ["classify", "billing", "billing", "lost", "tech", "END"])"#,
            "nothing starts: name the first node with `.start(name)`",
            r#"the router of "clasify": there is no node "clasify" (did you mean "classify"?)"#,
            "steps_max is 0: then nothing could run",
            r#""billing" leads nowhere: give it an edge, to END for example, or say `.sink("billing")`"#,
            r#""billing" leads nowhere: give it an edge, to END for example, or say `.sink("billing")`"#,
        ]
    );
}

#[test]
fn a_node_has_plain_edges_or_one_router() {
    let labels = [("a", "a"), ("a", END)];
    let graph = graph()
        .node("a", say("a"))
        .node("b", say("b"))
        .start("a")
        .router("a", |it: &str| it.to_owned(), labels)
        .router("a", |it: &str| it.to_owned(), [("b", "b")])
        .edge("a", "b")
        .edge("a", "b")
        .otherwise("b", END)
        .otherwise("b", "a")
        .router("b", |it: &str| it.to_owned(), [("x", END); 0]);
    assert_eq!(
        wrong(graph),
        [
            r#"the edge "a" -> "b" is there twice"#,
            r#"two routers stand at "a": a node has one"#,
            r#""a" has a router and plain edges: it may have one or the other"#,
            r#"the router of "a" has the label "a" twice"#,
            r#"the router of "b" has two edges for all other labels"#,
        ]
    );
}

#[test]
fn the_rim_is_no_node_and_edges_lead_from_the_start_to_the_end() {
    let graph = graph()
        .node(START, say("a"))
        .node("a\tb", say("b"))
        .node("out", say("out"))
        .start("out")
        .edge("out", START)
        .edge(END, "out")
        .sink("out")
        .settle("outt");
    assert_eq!(
        wrong(graph),
        [
            r#"no node can be called "START": it stands for the graph's own rim"#,
            r#"a node: the name "a\tb" has a control character"#,
            r#"the edge "out" -> "START": nothing comes before START"#,
            r#"the edge "END" -> "out": nothing comes after END"#,
            r#"`.settle("outt")`: there is no node "outt" (did you mean "out"?)"#,
            r#""out" is a sink, yet an edge leads out of it"#,
            r#""a\tb" can't be reached from START"#,
            r#""a\tb" leads nowhere: give it an edge, to END for example, or say `.sink("a\tb")`"#,
            "nothing leads to END",
        ]
    );
}

#[test]
fn a_router_needs_edges_and_labels_need_a_router() {
    let graph = graph()
        .node("a", say("a"))
        .node("b", say("b"))
        .node("c", say("c"))
        .start("a")
        .edge("a", "b")
        .edge("b", "c")
        .otherwise("c", END)
        .router("b", |it: &str| it.to_owned(), [("x", END); 0])
        .router(START, |it: &str| it.to_owned(), [("x", "a")]);
    assert_eq!(
        wrong(graph),
        [
            "START can't have a router: only what a node gives is routed",
            r#""START" has a router and plain edges: it may have one or the other"#,
            r#""b" has a router and plain edges: it may have one or the other"#,
            r#""c" has edges by label, but no router"#,
            r#"the router of "b" has no edge to pick"#,
        ]
    );
}

#[test]
fn a_loop_that_can_t_be_left_is_told_node_by_node() {
    let graph = graph()
        .node("a", say("a"))
        .node("b", say("b"))
        .node("c", say("c"))
        .node("d", say("d"))
        .start("a")
        .start("c")
        .edge("a", "b")
        .edge("b", "a")
        .edge("c", "d")
        .router("d", |it: &str| it.to_owned(), [("on", "d"), ("", "c")])
        .otherwise("d", END);
    assert_eq!(
        wrong(graph),
        [
            r#"the router of "d": "" is no label"#,
            r#""a" goes round for ever: no way leads from it to END"#,
            r#""b" goes round for ever: no way leads from it to END"#,
        ]
    );
}

#[test]
fn a_misspelt_rim_is_taken_for_what_it_means() {
    let graph = graph()
        .node("a", say("a"))
        .node("b", say("b"))
        .edge("start", "a")
        .start("A")
        .edge("a", "b")
        .edge("b", "End");
    assert_eq!(
        wrong(graph),
        [
            r#"the edge "start" -> "a": there is no node "start" (did you mean "START"?)"#,
            r#"the edge "START" -> "A": there is no node "A" (did you mean "a"?)"#,
            r#"the edge "b" -> "End": there is no node "End" (did you mean "END"?)"#,
        ]
    );
}

#[test]
fn an_empty_graph_is_none() {
    assert_eq!(
        wrong(graph()),
        [
            "there is no node: add one with `.node(name, step)`",
            "nothing starts: name the first node with `.start(name)`",
        ]
    );
}

#[test]
fn of_more_than_fifty_wrong_things_the_rest_is_counted() {
    let edges = |count: usize| {
        let fixed = graph().node("a", say("a")).start("a").edge("a", END);
        (0..count).fold(fixed, |graph, i| graph.edge("a", format!("zzz{i}")))
    };
    let fifty = wrong(edges(50));
    assert_eq!(fifty.len(), 50);
    let mut many = wrong(edges(3_000));
    assert_eq!(many.pop().unwrap(), "and 2950 more");
    assert_eq!(many, fifty);
}

#[test]
fn a_graph_of_many_routed_and_settled_nodes_is_built_in_no_time() {
    const NODES: usize = 20_000;
    let mut graph = Workflow::graph("wide");
    for i in 0..NODES {
        let name = format!("node {i}");
        graph = graph
            .node(name.clone(), say("it"))
            .start(name.clone())
            .settle(name.clone())
            .router(name, |it: &str| it.to_owned(), [("a", END), ("b", END)]);
    }
    let info = graph.build().unwrap().info();
    assert_eq!((info.parts.len(), info.links.len()), (NODES, 3 * NODES));
}

#[test]
fn a_graph_says_what_it_is_made_of_and_what_leads_back() {
    let workflow = Workflow::graph("triage")
        .node("draft", say("say"))
        .node("check", list)
        .start("draft")
        .edge("draft", "check")
        .settle("draft")
        .router("check", |it: &str| it.to_owned(), [("again", "draft")])
        .otherwise("check", END)
        .visits_max(3)
        .build()
        .unwrap();
    let node = |name: &'static str, step: &'static str| {
        Info::new(name, Kind::Function).with_parts([Info::new(step, Kind::Function)])
    };
    assert_eq!(
        workflow.info(),
        Info::new("triage", Kind::Workflow)
            .with_detail("at most 100 steps, 3 visits of a node")
            .with_parts([
                node("draft", "").with_detail("settled"),
                node("check", "list").joining(true)
            ])
            .with_links([
                Link::entry(0),
                Link::new(0, 1),
                Link::new(1, 0).labelled("again").backward(true),
                Link::exit(1).picked_otherwise(),
            ])
    );
}
