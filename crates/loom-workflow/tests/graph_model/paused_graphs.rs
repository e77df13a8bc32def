//! Random graphs whose bodies ask, and go on in a fresh loom each time they have their answers.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::agreement::{agreed, check_same, try_all};
use crate::coverage::Coverage;
use crate::interleavings::by;
use crate::model::{self, Before};
use crate::real::RealRun;
use crate::shape::{Shape, node_named};
use crate::shapes::{choices, shapes};
use crate::trace::{Ended, Trace};

/// More than any graph of the tests asks.
const ATTEMPTS_MAX: usize = 40;

/// Runs model and graph until nobody asks any more, each attempt by choices of its own; gives the
/// traces on which both agree.
fn attempts(shape: &Shape, interleavings: &[Vec<usize>]) -> Vec<Trace> {
    let mut before = Before::default();
    let mut run = RealRun::recorded(shape);
    let mut traces: Vec<Trace> = Vec::new();
    for choices in interleavings.iter().cycle().take(ATTEMPTS_MAX) {
        let recorded = before.recorded.clone();
        let expected = model::run(shape, &mut before, by(choices));
        let real = run.go(by(choices));
        assert_eq!(
            real,
            expected,
            "attempt {}: the graph, and the model",
            traces.len()
        );
        check_not_repeated(&recorded, &real);
        let is_over = !matches!(real.ended, Ended::Paused(_));
        traces.push(real);
        if is_over {
            return traces;
        }
    }
    panic!("{shape:?} goes on asking");
}

/// No body runs whose visit was recorded.
fn check_not_repeated(recorded: &BTreeSet<(usize, u32)>, trace: &Trace) {
    let begun = trace.begun.iter();
    let again = begun.filter(|it| recorded.contains(&(node_named(&it.node), it.visit)));
    let again: Vec<_> = again.collect();
    assert!(again.is_empty(), "{again:?} ran again");
}

#[test]
fn a_random_graph_that_pauses_ends_as_if_nobody_had_asked() {
    let coverage = RefCell::new(Coverage::default());
    let cases = try_all((shapes(9), choices(5)), |(shape, interleavings)| {
        let mut traces = attempts(&shape, &interleavings);
        coverage.borrow_mut().count_attempts(&traces);
        traces.retain(|it| !matches!(it.ended, Ended::Paused(_)));
        traces.push(agreed(&shape.without_questions(), &interleavings[0]));
        check_same(&traces);
    });
    coverage.borrow().check(cases);
}
