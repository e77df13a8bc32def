//! What must hold of every graph: it runs as the model says, and alike under all interleavings.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

use crate::interleavings::by;
use crate::model::{self, Before};
use crate::real::RealRun;
use crate::shape::Shape;
use crate::trace::{Ended, Trace};

/// Runs the model and the graph by the same choices; gives the trace on which both agree.
pub(crate) fn agreed(shape: &Shape, choices: &[usize]) -> Trace {
    let expected = model::run(shape, &mut Before::default(), by(choices));
    let real = RealRun::new(shape).go(by(choices));
    assert_eq!(real, expected, "the graph, and the model");
    assert!(real.running.iter().all(|it| *it <= shape.concurrency_max));
    real
}

/// Whichever body ends first, each visit is given the same, and the output is the same.
pub(crate) fn check_same(traces: &[Trace]) {
    let mut given = BTreeMap::new();
    for trace in traces {
        for (visit, inputs) in trace.given() {
            assert_eq!(
                *given.entry(visit).or_insert(inputs),
                inputs,
                "given to {visit:?}"
            );
        }
        match (&traces[0].ended, &trace.ended) {
            // Which of two failures came first ended the run.
            (Ended::Failed(..), Ended::Failed(..)) => (),
            (one, other) => assert_eq!(one, other),
        }
    }
}

/// Tries a property of graphs with so many cases as the environment says, 256 if it doesn't.
pub(crate) fn try_all<T: Debug>(cases: impl Strategy<Value = T>, property: impl Fn(T)) -> u32 {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let count = config.cases;
    let mut runner = TestRunner::new(config);
    let result = runner.run(&cases, |case| {
        property(case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    count
}
