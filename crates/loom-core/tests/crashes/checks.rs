//! What a crash must not change.

use std::collections::{BTreeMap, BTreeSet};

use loom_core::{Happened, OwnedEvent};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::world::Story;

/// Whether a run that was crashed came to the same end as one that wasn't.
pub(crate) fn same_end(undisturbed: &Story, crashed: &Story) -> Result<(), TestCaseError> {
    prop_assert_eq!(&undisturbed.output, &crashed.output);
    prop_assert!(undisturbed.output.is_ok(), "{:?}", undisturbed.output);
    let twice: BTreeMap<_, _> = crashed.happened.iter().filter(|(_, n)| **n > 1).collect();
    prop_assert!(twice.is_empty(), "it happened twice: {:?}", twice);
    prop_assert_eq!(&undisturbed.happened, &crashed.happened);
    prop_assert_eq!(&undisturbed.completed, &crashed.completed);
    rows_pair_up(undisturbed)?;
    rows_pair_up(crashed)
}

/// Whether every span that was opened closed exactly once, in its own attempt or by the `resumed` of
/// a later one.
fn rows_pair_up(story: &Story) -> Result<(), TestCaseError> {
    let last = story.attempts.len() - 1;
    for (attempt, events) in story.attempts.iter().enumerate() {
        let mut open = BTreeSet::new();
        let mut closed = BTreeSet::new();
        for event in events {
            let span = event.span.to_string();
            match &event.what {
                Happened::Opened { .. } => {
                    prop_assert!(open.insert(span.clone()), "opened twice: {}", event.path);
                    prop_assert!(!closed.contains(&span), "opened again: {}", event.path);
                }
                Happened::Closed { .. } => {
                    prop_assert!(open.remove(&span), "closed unopened: {}", event.path);
                    closed.insert(span);
                }
                Happened::Settled { .. } => (),
                _ => prop_assert!(open.contains(&span), "said late of {}", event.path),
            }
        }
        prop_assert!(
            open.is_empty() || attempt < last,
            "left open by the last attempt: {:?}",
            open
        );
        // One that died with its first batch written may have opened nothing.
        let is_resumed = events.iter().any(is_resumption);
        prop_assert!(
            is_resumed || !is_a_resumption(story, attempt),
            "attempt {} does not say that it resumes",
            attempt
        );
    }
    Ok(())
}

/// Whether this attempt's root was opened after another attempt's was.
fn is_a_resumption(story: &Story, attempt: usize) -> bool {
    let opens = |events: &Vec<OwnedEvent>| !events.is_empty();
    // One whose first batch never arrived was never begun.
    opens(&story.attempts[attempt]) && story.attempts[..attempt].iter().any(opens)
}

fn is_resumption(event: &OwnedEvent) -> bool {
    matches!(&event.what, Happened::Noted { note, .. } if *note == "resumed")
}
