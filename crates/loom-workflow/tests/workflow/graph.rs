//! When the nodes of a graph run, and on what: each rule with what a simpler one gets wrong.

use loom_core::{ErrorKind, Outcome};
use loom_workflow::{Delivered, END, Graph, GraphOutput, Joined, START, Workflow};

use crate::graph_steps::{count, list, say, slow};
use crate::recorded::{recorded, tree};

/// Runs a graph on `go`.
async fn run<O: GraphOutput>(graph: Graph) -> Outcome<O::Out> {
    let (recorder, session) = recorded();
    let workflow = graph.build_as::<String, O>().unwrap();
    let outcome = session.run(&workflow, "go").await.unwrap();
    tree(&recorder);
    outcome
}

/// `a` and `b` side by side, joined in the order in which the edges are declared.
fn diamond(ms_a: u64, ms_b: u64) -> Graph {
    Workflow::graph("diamond")
        .node("a", slow("a", ms_a))
        .node("b", slow("b", ms_b))
        .node("join", list)
        .start("b")
        .start("a")
        .edge("b", "join")
        .edge("a", "join")
        .edge("join", END)
}

#[tokio::test(start_paused = true)]
async fn a_join_is_in_the_order_of_the_edges_whatever_ends_first() {
    for (ms_a, ms_b, first) in [(10, 20, "a"), (20, 10, "b")] {
        let outcome = run::<String>(diamond(ms_a, ms_b)).await;
        assert_eq!(outcome.output, "[b: go b, a: go a]");
        assert_eq!(outcome.visited[0], first);
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_waits_for_the_longest_arm_and_runs_once() {
    // A scheduler that goes by rounds would join `short` with the middle of the long arm.
    let graph = Workflow::graph("long arm")
        .node("short", say("short"))
        .node("long1", slow("long1", 10))
        .node("long2", slow("long2", 10))
        .node("long3", slow("long3", 10))
        .node("join", list)
        .start("short")
        .start("long1")
        .edge("long1", "long2")
        .edge("long2", "long3")
        .edge("short", "join")
        .edge("long3", "join")
        .edge("join", END);
    let outcome = run::<String>(graph).await;
    assert_eq!(
        outcome.output,
        "[short: go short, long3: go long1 long2 long3]"
    );
    assert_eq!(
        outcome.visited,
        ["short", "long1", "long2", "long3", "join"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_join_does_not_wait_for_a_branch_that_was_not_taken() {
    // A scheduler that counts edges in would wait for ever.
    for (picked, joined) in [
        ("yes", "[extra: go ask extra, main: go main]"),
        ("no", "[main: go main]"),
    ] {
        let graph = Workflow::graph("optional")
            .node("main", say("main"))
            .node("ask", slow("ask", 10))
            .node("extra", slow("extra", 10))
            .node("skip", say("skip"))
            .sink("skip")
            .node("join", list)
            .start("main")
            .start("ask")
            .router(
                "ask",
                move |_: &str| picked,
                [("yes", "extra"), ("no", "skip")],
            )
            .edge("extra", "join")
            .edge("main", "join")
            .edge("join", END);
        assert_eq!(run::<String>(graph).await.output, joined);
    }
}

#[tokio::test(start_paused = true)]
async fn branches_do_not_wait_for_each_other_s_round() {
    let graph = Workflow::graph("rounds")
        .node("slow", slow("slow", 100))
        .node("one", slow("one", 1))
        .node("two", slow("two", 1))
        .node("three", slow("three", 1))
        .node("join", list)
        .start("slow")
        .start("one")
        .edge("one", "two")
        .edge("two", "three")
        .edge("slow", "join")
        .edge("three", "join")
        .edge("join", END);
    let outcome = run::<String>(graph).await;
    assert_eq!(outcome.visited, ["one", "two", "three", "slow", "join"]);
}

/// A loop of two arms of different length that is left once `head` was there `times` times.
fn fan_out_in_a_loop(ms_a: u64, ms_b: u64, times: usize) -> Graph {
    Workflow::graph("loop")
        .node("head", say("head"))
        .node("a", slow("a", ms_a))
        .node("b", slow("b", ms_b))
        .node("b2", say("b2"))
        .node("join", list)
        .start("head")
        .edge("head", "a")
        .edge("head", "b")
        .edge("b", "b2")
        .edge("a", "join")
        .edge("b2", "join")
        .router_of(
            "join",
            move |text: &String| {
                if count(text, "head") < 2 * times {
                    "again"
                } else {
                    "done"
                }
            },
            [("again", "head"), ("done", END)],
        )
}

#[tokio::test(start_paused = true)]
async fn a_loop_with_fan_out_inside_joins_once_in_each_pass() {
    let arms = ["head", "a", "b", "b2", "join"];
    for (ms_a, ms_b) in [(1, 20), (20, 1)] {
        let outcome = run::<String>(fan_out_in_a_loop(ms_a, ms_b, 2)).await;
        assert_eq!(
            outcome.output,
            "[a: [a: go head a, b2: go head b b2] head a, b2: [a: go head a, b2: go head b b2] head b b2]"
        );
        let mut visited = outcome.visited.clone();
        visited.sort();
        let mut twice: Vec<&str> = arms.into_iter().chain(arms).collect();
        twice.sort_unstable();
        assert_eq!(visited, twice);
    }
}

#[tokio::test(start_paused = true)]
async fn two_edges_back_from_arms_side_by_side_are_one_pass() {
    // A header that began with the first arm to end would take another turn for the second.
    for (ms_a, ms_b) in [(1, 20), (20, 1)] {
        let graph = Workflow::graph("back")
            .node("head", list)
            .node("a", slow("a", ms_a))
            .node("b", slow("b", ms_b))
            .node("leave", say("leave"))
            .start("head")
            .router_of(
                "head",
                |text: &String| if count(text, "a") == 0 { "on" } else { "done" },
                [("on", "fork"), ("done", "leave")],
            )
            .node("fork", say("fork"))
            .edge("fork", "a")
            .edge("fork", "b")
            .edge("a", "head")
            .edge("b", "head")
            .edge("leave", END);
        let outcome = run::<String>(graph).await;
        assert_eq!(
            outcome.output,
            "[a: [START: go] fork a, b: [START: go] fork b] leave"
        );
    }
}

/// Adds its name until it is there this many times.
fn turns(graph: Graph, name: &'static str, ms: u64, times: usize) -> Graph {
    graph.node(name, slow(name, ms)).start(name).router_of(
        name,
        move |text: &String| {
            if count(text, name) < times {
                "again"
            } else {
                "done"
            }
        },
        [("again", name), ("done", "join")],
    )
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_two_loops_waits_for_both_to_be_left() {
    for (ms_a, ms_b) in [(1, 50), (50, 1)] {
        let graph = Workflow::graph("two loops")
            .node("join", list)
            .edge("join", END);
        let graph = turns(turns(graph, "a", ms_a, 3), "b", ms_b, 1);
        let outcome = run::<String>(graph).await;
        assert_eq!(outcome.output, "[a: go a a a, b: go b]");
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_branch_of_a_loop_runs_in_each_pass_even_if_it_is_slow() {
    let graph = Workflow::graph("side")
        .node("work", say("work"))
        .node("log", slow("log", 100))
        .node("check", say("check"))
        .start("work")
        .edge("work", "check")
        .edge("work", "log")
        .sink("log")
        .router_of(
            "check",
            |text: &String| {
                if count(text, "work") < 3 {
                    "again"
                } else {
                    "done"
                }
            },
            [("again", "work"), ("done", END)],
        );
    let outcome = run::<String>(graph).await;
    assert_eq!(outcome.output, "go work check work check work check");
    assert_eq!(
        outcome.visited,
        [
            "work", "check", "log", "work", "check", "log", "work", "check", "log"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_join_after_a_loop_gets_what_each_pass_gave_in_order() {
    let graph = Workflow::graph("passes")
        .node("other", slow("other", 500))
        .node("work", slow("work", 1))
        .node("join", list)
        .start("other")
        .start("work")
        .edge("other", "join")
        .edge("work", "join")
        .edge("work", "check")
        .node("check", say("check"))
        .router_of(
            "check",
            |text: &String| {
                if count(text, "work") < 2 {
                    "again"
                } else {
                    "done"
                }
            },
            [("again", "work"), ("done", "rest")],
        )
        .node("rest", say("rest"))
        .sink("rest")
        .edge("join", END);
    assert_eq!(
        run::<String>(graph).await.output,
        "[other: go other, work: go work, work: go work check work]"
    );
}

#[tokio::test(start_paused = true)]
async fn an_inner_loop_is_over_before_the_outer_one_begins_again() {
    let graph = Workflow::graph("nested")
        .node("outer", say("outer"))
        .node("inner", slow("inner", 5))
        .node("beside", slow("beside", 1))
        .node("join", list)
        .start("outer")
        .edge("outer", "inner")
        .edge("outer", "beside")
        .router_of(
            "inner",
            |text: &String| {
                // The second pass sees what the first one gave, with its source.
                if matches!(count(text, "inner"), 1 | 4) {
                    "again"
                } else {
                    "on"
                }
            },
            [("again", "inner"), ("on", "join")],
        )
        .edge("beside", "join")
        .router_of(
            "join",
            |text: &String| {
                if count(text, "outer") < 4 {
                    "again"
                } else {
                    "done"
                }
            },
            [("again", "outer"), ("done", END)],
        );
    let outcome = run::<String>(graph).await;
    let first = "[inner: go outer inner inner, beside: go outer beside]";
    assert_eq!(
        outcome.output,
        format!("[inner: {first} outer inner inner, beside: {first} outer beside]")
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_takes_one_thing_refuses_two_and_names_both_sources() {
    let graph = Workflow::graph("two")
        .node("a", say("a"))
        .node("b", say("b"))
        .node("one", say("one"))
        .start("a")
        .start("b")
        .edge("a", "one")
        .edge("b", "one")
        .edge("one", END);
    let (recorder, session) = recorded();
    let workflow = graph.build_as::<String, String>().unwrap();
    let error = session.run(&workflow, "go").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        r#"two/one: 2 deliveries where one is taken, from "a" and "b": take `Joined<_>` to join them"#
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run two ✗ failed",
            "  loom.workflow.step a",
            "  loom.workflow.step b",
            "  loom.workflow.step one ✗ failed",
        ]
    );
}

/// Two branches that both reach the end.
fn two_ends(ms_a: u64, ms_b: u64) -> Graph {
    Workflow::graph("ends")
        .node("a", slow("a", ms_a))
        .node("b", slow("b", ms_b))
        .start("a")
        .start("b")
        .edge("b", END)
        .edge("a", END)
}

#[tokio::test(start_paused = true)]
async fn the_end_is_a_join_like_any_other_never_what_ended_first() {
    let (_, session) = recorded();
    for (ms_a, ms_b) in [(1, 20), (20, 1)] {
        let workflow = two_ends(ms_a, ms_b).build_as::<String, String>().unwrap();
        let error = session.run(&workflow, "go").await.unwrap_err();
        assert_eq!(
            error.message(),
            r#"END: 2 deliveries where one is taken, from "b" and "a": build the graph with an output of type `Joined<_>`, or join them in a node"#
        );
        let outcome = run::<Joined<String>>(two_ends(ms_a, ms_b)).await;
        let given = |source: &'static str| Delivered {
            source: source.into(),
            value: format!("go {source}"),
        };
        assert_eq!(outcome.output, [given("b"), given("a")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_joining_node_joins_even_one_delivery_and_the_input_too() {
    let graph = Workflow::graph("one")
        .node("a", say("a"))
        .node("first", list)
        .node("second", list)
        .edge(START, "a")
        .edge("a", "first")
        .edge(START, "second")
        .edge("first", "second")
        .edge("second", END);
    assert_eq!(
        run::<String>(graph).await.output,
        "[START: go, first: [a: go a]]"
    );
}
