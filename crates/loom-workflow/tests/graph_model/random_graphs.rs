//! Random graphs under random interleavings, and small ones under all.

use std::cell::RefCell;

use crate::agreement::{agreed, check_same, try_all};
use crate::coverage::Coverage;
use crate::interleavings::all;
use crate::shapes::{choices, shapes};
use crate::trace::Trace;

#[test]
fn a_random_graph_runs_as_the_model_says_and_alike_under_eight_interleavings() {
    let coverage = RefCell::new(Coverage::default());
    let cases = try_all((shapes(9), choices(8)), |(shape, interleavings)| {
        let shape = shape.without_questions();
        let traces: Vec<Trace> = interleavings.iter().map(|it| agreed(&shape, it)).collect();
        check_same(&traces);
        let mut coverage = coverage.borrow_mut();
        coverage.count_shape(&shape);
        coverage.count_trace(&shape, &traces[0]);
    });
    coverage.borrow().check(cases);
}

#[test]
fn a_small_random_graph_runs_as_the_model_says_and_alike_under_all_interleavings() {
    try_all(shapes(5), |shape| {
        let shape = shape.without_questions();
        check_same(&all(60, |choices| agreed(&shape, choices)));
    });
}
