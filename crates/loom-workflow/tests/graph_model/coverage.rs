//! What the random graphs were like: a rule that none of them needs isn't tested.

use std::collections::BTreeMap;

use crate::loops::Loops;
use crate::shape::{Place, Shape};
use crate::trace::{Ended, Trace};

/// How many graphs and runs were of each sort.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, u32>);

impl Coverage {
    fn count(&mut self, what: &'static str, is_so: bool) {
        *self.0.entry(what).or_default() += u32::from(is_so);
    }

    pub(crate) fn count_shape(&mut self, shape: &Shape) {
        let found = Loops::of(shape);
        let has_two_entries = found.loops.iter().any(|it| {
            let enters = |(from, to): &(Place, Place)| match (from, to) {
                (Place::Node(from), Place::Node(to)) => {
                    !it.holds(*from) && it.body.contains(to) && *to != it.header
                }
                (Place::Start, Place::Node(to)) => it.body.contains(to) && *to != it.header,
                _ => false,
            };
            shape.edges.iter().any(enters)
        });
        let is_nested = found.loops.iter().any(|inner| {
            let mut others = found.loops.iter().filter(|it| it.header != inner.header);
            others.any(|it| it.body.contains(&inner.header))
        });
        let has_several_back = found.loops.iter().any(|it| {
            let to_header = |edge: &&usize| shape.edges[**edge].1 == Place::Node(it.header);
            found.back.iter().filter(to_header).count() > 1
        });
        self.count("a loop", !found.loops.is_empty());
        self.count("a loop with two entries", has_two_entries);
        self.count("a loop in a loop", is_nested);
        self.count("a loop with several back edges", has_several_back);
        self.count("two loops", found.loops.len() > 1);
        self.count(
            "a loop of one node",
            shape.edges.iter().any(|(from, to)| from == to),
        );
        self.count(
            "a side branch of a loop",
            found.loops.iter().any(|it| !it.side.is_empty()),
        );
    }

    pub(crate) fn count_trace(&mut self, shape: &Shape, trace: &Trace) {
        let message = match &trace.ended {
            Ended::Failed(_, message) => message.as_str(),
            Ended::Output(_) | Ended::Paused(_) => "",
        };
        let most = trace.running.iter().max().copied().unwrap_or(0);
        self.count("output", matches!(trace.ended, Ended::Output(_)));
        self.count("an output after another pass", {
            matches!(trace.ended, Ended::Output(_)) && trace.begun.iter().any(|it| it.visit > 1)
        });
        self.count("join", trace.begun.iter().any(|it| it.inputs.contains(' ')));
        self.count("bodies side by side", most > 1);
        self.count(
            "all that may run side by side",
            most == shape.concurrency_max,
        );
        self.count("failed node", message.ends_with(" fails"));
        self.count(
            "failed node that settled",
            trace.begun.iter().any(|it| it.inputs.contains("failed")),
        );
        self.count(
            "two deliveries where one is taken",
            message.contains("deliveries where one"),
        );
        self.count(
            "label that no edge has",
            message.contains("no edge for the label"),
        );
        self.count("steps_max", message.contains("steps_max"));
        self.count("visits_max", message.contains("visits_max"));
    }

    /// Counts a run that may have paused, by its attempts.
    pub(crate) fn count_attempts(&mut self, attempts: &[Trace]) {
        let asks_several =
            |it: &Trace| matches!(&it.ended, Ended::Paused(questions) if questions.len() > 1);
        let is_output = |it: &Trace| matches!(it.ended, Ended::Output(_));
        self.count("pause", attempts.len() > 1);
        self.count("two pauses", attempts.len() > 2);
        self.count(
            "several questions at once",
            attempts.iter().any(asks_several),
        );
        let is_long = attempts.len() > 1 && attempts.iter().any(is_output);
        self.count("an output after a pause", is_long);
        let is_replayed = |it: &Trace| it.visited.len() > it.begun.len();
        self.count(
            "visits without their body",
            attempts.iter().any(is_replayed),
        );
    }

    /// Fails if something never was the case, unless too few graphs were tried to tell.
    pub(crate) fn check(&self, cases: u32) {
        println!("{cases} graphs: {:#?}", self.0);
        let missing = self.0.iter().filter(|(_, count)| **count == 0);
        let missing: Vec<_> = missing.map(|(what, _)| what).collect();
        assert!(cases < 200 || missing.is_empty(), "never: {missing:?}");
    }
}
