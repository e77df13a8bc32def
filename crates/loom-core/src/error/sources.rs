//! What of ours an error holds that somebody else made.

use std::sync::Arc;

use super::{Error, Facts};

/// How far the sources of a foreign error are followed; one could be its own source.
const SOURCES_MAX: usize = 64;

/// What decides how the run goes on in this error or among its sources: one of ours, the outermost
/// that ends the tree, else the outermost.
pub(super) fn facts_within(error: &(dyn std::error::Error + 'static)) -> Option<Facts> {
    let chain = std::iter::successors(Some(error), |it| it.source()).take(SOURCES_MAX);
    let mut outermost: Option<&Error> = None;
    for it in chain.filter_map(ours) {
        if it.run().is_some() {
            // All further in is of the run that ended with it.
            let facts = outermost.map(Error::facts);
            return Some(facts.unwrap_or_else(|| it.0.facts.seen_from_outside()));
        }
        if it.ends_tree() {
            return Some(it.facts());
        }
        outermost = outermost.or(Some(it));
    }
    outermost.map(Error::facts)
}

/// This very error, if it is one of ours in whatever holds it.
fn ours<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let shared = || error.downcast_ref::<Arc<Error>>().map(|it| &**it);
    let boxed = || error.downcast_ref::<Box<Error>>().map(|it| &**it);
    // It shows the source of what it holds, not what it holds.
    let io = || {
        let held = error.downcast_ref::<std::io::Error>()?.get_ref()?;
        held.downcast_ref::<Error>()
    };
    let plain = error.downcast_ref::<Error>();
    plain.or_else(boxed).or_else(shared).or_else(io)
}
