//! Any nesting of steps, branches, questions, retries and effects that mustn't happen twice, crashed
//! anywhere and resumed as often as it takes, comes to the same end as if it had never crashed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

mod plan;
mod mortal;
mod world;
mod checks;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::plan::{Plan, plans};
use crate::world::World;

/// How many random cases are tried; more of them with `CRASH_CASES`.
fn cases_from_env() -> u32 {
    let given = std::env::var("CRASH_CASES").ok();
    given.map_or(1_000, |it| it.parse().expect("CRASH_CASES is a number"))
}

#[test]
fn a_run_that_is_crashed_and_resumed_ends_as_if_it_had_never_crashed() {
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::with_cases(cases_from_env())
    };
    let case = (
        plans(),
        any::<u64>(),
        proptest::collection::vec(crashes(), 0..4),
    );
    let tried = TestRunner::new(config).run(&case, |(plan, seed, crashes)| {
        let undisturbed = World::new(&plan, seed).run(&[]);
        let crashed = World::new(&plan, seed ^ 0x5bd1_e995).run(&crashes);
        checks::same_end(&undisturbed, &crashed)?;
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

/// Where an attempt is crashed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    /// At this write to the journal: it arrives there or it doesn't.
    AtWrite { nth: u8, arrives: bool },
    /// After so many polls.
    AfterPolls(u8),
}

fn crashes() -> impl Strategy<Value = Crash> {
    prop_oneof![
        (0u8..40, any::<bool>()).prop_map(|(nth, arrives)| Crash::AtWrite { nth, arrives }),
        (0u8..40).prop_map(Crash::AfterPolls),
    ]
}

#[test]
fn a_run_that_pays_once_and_is_crashed_at_every_write_pays_once() {
    let plan = Plan::paying_beside_a_question();
    for nth in 0..30 {
        for arrives in [true, false] {
            let undisturbed = World::new(&plan, 1).run(&[]);
            let crashed = World::new(&plan, 2).run(&[Crash::AtWrite { nth, arrives }]);
            checks::same_end(&undisturbed, &crashed).unwrap_or_else(|e| panic!("{nth}: {e}"));
        }
    }
}
