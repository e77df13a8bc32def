//! Graphs that a scheduler gets wrong easily, under all interleavings, with what is expected of
//! them written by hand.

use crate::agreement::{agreed, check_same};
use crate::interleavings::all;
use crate::shape::Shape;
use crate::trace::{Ended, Trace};

/// At most so many interleavings of one graph are tried.
const INTERLEAVINGS_MAX: usize = 500;

/// Under all interleavings each visit of a node is given what is expected: `"c2: a1 b1"` says that
/// the second visit of `c` is given what the first ones of `a` and `b` gave.
#[track_caller]
fn check(shape: &Shape, expected: &[&str]) {
    let traces = all(INTERLEAVINGS_MAX, |choices| agreed(shape, choices));
    check_same(&traces);
    for trace in &traces {
        assert_eq!(told(trace), expected);
    }
}

fn told(trace: &Trace) -> Vec<String> {
    let visit = |((node, visit), inputs)| format!("{node}{visit}: {}", sources(inputs));
    let visits = trace.given().into_iter().map(visit);
    let ended = match &trace.ended {
        Ended::Output(output) => format!("END: {}", sources(output)),
        Ended::Failed(kind, message) => format!("{}: {message}", kind.as_str()),
        Ended::Paused(questions) => questions.join(" "),
    };
    visits.chain([ended]).collect()
}

/// Each input as its source and that one's visit.
fn sources(inputs: &str) -> String {
    let source = |input: &str| match input.split_once('#') {
        None => "START".to_owned(),
        Some((_, rest)) => {
            let visit = rest.chars().take_while(char::is_ascii_digit);
            let source = input.chars().take(1);
            source.chain(visit).collect()
        }
    };
    let sources: Vec<String> = inputs.split(' ').map(source).collect();
    sources.join(" ")
}

#[test]
fn one_node() {
    check(&Shape::of("START-a a-END"), &["a1: START", "END: a1"]);
}

#[test]
fn a_diamond_joins_in_the_order_of_the_edges() {
    let shape = Shape::of("START-a START-b b-c a-c c-END");
    check(&shape, &["a1: START", "b1: START", "c1: b1 a1", "END: c1"]);
}

#[test]
fn a_diamond_of_nodes_that_take_one_thing_fails() {
    let shape = Shape::of("START-a START-b a-c b-c c-END").with("c", |it| it.joins = false);
    let message = "invalid: 2 deliveries where one is taken, from \"a\" and \"b\": take `Joined<_>` to join them";
    check(&shape, &["a1: START", "b1: START", message]);
}

#[test]
fn a_long_arm_is_waited_for() {
    let shape = Shape::of("START-a START-b b-c c-d a-e d-e e-END");
    let expected = [
        "a1: START",
        "b1: START",
        "c1: b1",
        "d1: c1",
        "e1: a1 d1",
        "END: e1",
    ];
    check(&shape, &expected);
}

#[test]
fn an_arm_that_joins_again_in_the_middle_of_another_one() {
    let shape = Shape::of("START-a a-b a-c b-d c-d b-e d-e e-END");
    let expected = [
        "a1: START",
        "b1: a1",
        "c1: a1",
        "d1: b1 c1",
        "e1: b1 d1",
        "END: e1",
    ];
    check(&shape, &expected);
}

#[test]
fn an_optional_branch_is_waited_for_only_if_it_is_taken() {
    let shape = Shape::of("START-a START-b b-c b-d c-e a-e e-END");
    let taken = ["a1: START", "b1: START", "c1: b1", "e1: c1 a1", "END: e1"];
    check(&shape.clone().routed("b", &[0]), &taken);
    let not_taken = ["a1: START", "b1: START", "d1: b1", "e1: a1", "END: e1"];
    check(&shape.routed("b", &[1]), &not_taken);
}

#[test]
fn a_loop_of_one_node_comes_round_until_it_is_left() {
    let shape = Shape::of("START-a a-a a-END").routed("a", &[0, 0, 1]);
    check(&shape, &["a1: START", "a2: a1", "a3: a2", "END: a3"]);
}

#[test]
fn a_loop_with_fan_out_joins_once_in_each_pass() {
    let shape = Shape::of("START-a a-b a-c c-d b-e d-e e-a e-END").routed("e", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: e1",
        "b1: a1",
        "b2: a2",
        "c1: a1",
        "c2: a2",
        "d1: c1",
        "d2: c2",
        "e1: b1 d1",
        "e2: b2 d2",
        "END: e2",
    ];
    check(&shape, &expected);
}

#[test]
fn two_back_edges_from_arms_side_by_side_are_one_pass() {
    let shape = Shape::of("START-a a-b a-END b-c b-d c-a d-a").routed("a", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: c1 d1",
        "b1: a1",
        "c1: b1",
        "d1: b1",
        "END: a2",
    ];
    check(&shape, &expected);
}

#[test]
fn a_plain_back_edge_beside_a_way_on_fills_the_end_pass_by_pass_up_to_the_limit() {
    let shape = Shape {
        visits_max: 3,
        ..Shape::of("START-a a-a a-END")
    };
    check(
        &shape,
        &[
            "a1: START",
            "a2: a1",
            "a3: a2",
            "limit_reached: a: visits_max 3 reached",
        ],
    );
    let shape = Shape {
        steps_max: 2,
        ..shape
    };
    check(
        &shape,
        &[
            "a1: START",
            "a2: a1",
            "limit_reached: a: steps_max 2 reached",
        ],
    );
}

#[test]
fn a_loop_in_a_loop_is_left_before_the_outer_one_goes_on() {
    let shape = Shape::of("START-a a-b b-b b-c c-a c-END")
        .routed("b", &[0, 1, 0, 1])
        .routed("c", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: c1",
        "b1: a1",
        "b2: b1",
        "b3: a2",
        "b4: b3",
        "c1: b2",
        "c2: b4",
        "END: c2",
    ];
    check(&shape, &expected);
}

#[test]
fn an_inner_loop_beside_an_arm_of_the_outer_one() {
    let shape = Shape::of("START-a a-b a-c b-b b-d c-d d-a d-END")
        .routed("b", &[0, 0, 1, 1])
        .routed("d", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: d1",
        "b1: a1",
        "b2: b1",
        "b3: b2",
        "b4: a2",
        "c1: a1",
        "c2: a2",
        "d1: b3 c1",
        "d2: b4 c2",
        "END: d2",
    ];
    check(&shape, &expected);
}

#[test]
fn two_loops_side_by_side_are_both_left_before_what_joins_them() {
    let shape = Shape::of("START-a START-b a-a a-c b-b b-c c-END")
        .routed("a", &[0, 0, 1])
        .routed("b", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: a1",
        "a3: a2",
        "b1: START",
        "b2: b1",
        "c1: a3 b2",
        "END: c1",
    ];
    check(&shape, &expected);
}

#[test]
fn what_comes_after_a_loop_gets_what_each_pass_gave_in_order() {
    let shape = Shape::of("START-a a-b b-a b-c a-d c-END d-END").routed("b", &[0, 0, 1]);
    let expected = [
        "a1: START",
        "a2: b1",
        "a3: b2",
        "b1: a1",
        "b2: a2",
        "b3: a3",
        "c1: b3",
        "d1: a1",
        "d2: a2",
        "d3: a3",
        "END: c1 d1 d2 d3",
    ];
    check(&shape, &expected);
}

#[test]
fn a_side_branch_runs_in_each_pass() {
    let shape = Shape::of("START-a a-b a-c c-d b-a b-END").routed("b", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: b1",
        "b1: a1",
        "b2: a2",
        "c1: a1",
        "c2: a2",
        "d1: c1",
        "d2: c2",
        "END: b2",
    ];
    check(&shape, &expected);
}

#[test]
fn a_branch_that_is_entered_from_outside_too_is_no_side_branch() {
    let shape = Shape::of("START-a START-c a-b a-c b-a b-END").routed("b", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: b1",
        "b1: a1",
        "b2: a2",
        "c1: START a1 a2",
        "END: b2",
    ];
    check(&shape, &expected);
}

#[test]
fn a_loop_with_two_entries_has_the_one_that_is_declared_first_as_its_header() {
    let shape = Shape::of("START-a START-b a-b b-a a-END").routed("a", &[0, 1]);
    check(&shape, &["a1: START", "a2: b1", "b1: START a1", "END: a2"]);
    let shape = Shape::of("START-b START-a a-b b-a a-END").routed("a", &[0, 1]);
    check(
        &shape,
        &["a1: START b1", "a2: b2", "b1: START", "b2: a1", "END: a2"],
    );
}

#[test]
fn a_loop_that_is_entered_late_in_the_middle_waits_for_who_may_enter_it() {
    let shape = Shape::of("START-a START-c c-d a-b d-b b-a a-END").routed("a", &[0, 1]);
    let expected = [
        "a1: START",
        "a2: b1",
        "b1: a1 d1",
        "c1: START",
        "d1: c1",
        "END: a2",
    ];
    check(&shape, &expected);
}

#[test]
fn a_next_pass_waits_for_who_may_enter_the_loop_elsewhere() {
    // `b` gave its header something, and nobody in the loop is active while `d` runs.
    let shape = Shape::of("START-a START-d a-b a-c a-END b-a c-a d-c").routed("a", &[0, 2]);
    let expected = [
        "a1: START",
        "a2: b1 c1",
        "b1: a1",
        "c1: d1",
        "d1: START",
        "END: a2",
    ];
    check(&shape, &expected);
}

#[test]
fn a_node_that_failed_by_itself_goes_on_as_settled() {
    let shape = Shape::of("START-a START-b a-c b-c c-END").with("a", |it| {
        (it.settled, it.fails_at) = (true, Some(1));
    });
    // Without a number: what failed at its first visit is named by its path alone.
    let traces = all(INTERLEAVINGS_MAX, |choices| agreed(&shape, choices));
    let given =
        "a={\"failed\":{\"kind\":\"failed\",\"message\":\"graph/a: a fails\"}} b=b#1:77aecd74";
    for trace in traces {
        assert_eq!(trace.given()[&("c", 1)], given);
    }
}

#[test]
fn nothing_reaches_the_end() {
    let shape = Shape::of("START-a a-b a-END").routed("a", &[0]);
    let message = "failed: the graph ran to its end without anything reaching END";
    check(&shape, &["a1: START", "b1: a1", message]);
}

#[test]
fn bodies_beyond_the_most_at_once_wait_in_the_order_in_which_they_could_begin() {
    let shape = Shape {
        concurrency_max: 2,
        ..Shape::of("START-c START-b START-a a-d b-d c-d d-END")
    };
    for trace in all(INTERLEAVINGS_MAX, |choices| agreed(&shape, choices)) {
        let begun: Vec<&str> = trace.begun.iter().map(|it| it.node.as_str()).collect();
        assert_eq!(begun, ["a", "b", "c", "d"]);
        assert_eq!(trace.running, [2, 2, 1, 1]);
    }
}
