//! What a random run does: a tree of effects, branches and questions.

use proptest::collection::vec;
use proptest::prelude::*;

/// What one step does, in order.
pub(crate) type Body = Vec<Plan>;

/// One thing that a step does.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// Waits so many turns.
    Wait(u8),
    /// A step, whose name comes again now and then.
    Step { name: u8, body: Body },
    /// An effect that mustn't happen twice.
    Once { name: u8, waits: u8 },
    /// A step that fails so often before it works, tried again each time.
    Retry { name: u8, fails: u8, body: Body },
    /// Branches, at most so many at once.
    Join { at_once: u8, branches: Vec<Body> },
    /// Users' own concurrency: steps of names of their own on one context.
    Together { first: u8, second: u8 },
    /// A question to a person.
    Ask { name: u8 },
    /// A branch that fails beside one that asks; the failure is handled.
    Handled { name: u8, waits: u8 },
}

pub(crate) fn plans() -> impl Strategy<Value = Body> {
    let leaf = prop_oneof![
        (0u8..4).prop_map(Plan::Wait),
        (0u8..3, 0u8..4).prop_map(|(name, waits)| Plan::Once { name, waits }),
        (0u8..3).prop_map(|name| Plan::Ask { name }),
        (0u8..3, 0u8..4).prop_map(|(name, waits)| Plan::Handled { name, waits }),
    ];
    let plan = leaf.prop_recursive(4, 24, 4, |inner| {
        let body = vec(inner, 0..4);
        prop_oneof![
            (0u8..3, body.clone()).prop_map(|(name, body)| Plan::Step { name, body }),
            (0u8..3, 0u8..3, body.clone()).prop_map(|(name, fails, body)| Plan::Retry {
                name,
                fails,
                body
            }),
            (1u8..4, vec(body, 1..4))
                .prop_map(|(at_once, branches)| Plan::Join { at_once, branches }),
            (0u8..4, 0u8..4).prop_map(|(first, second)| Plan::Together { first, second }),
        ]
    });
    vec(plan, 1..5)
}

impl Plan {
    /// A payment in one branch and a question in another, and a payment after both.
    pub(crate) fn paying_beside_a_question() -> Body {
        let pay = |name| Plan::Once { name, waits: 2 };
        let branches = vec![
            vec![Plan::Wait(1), pay(0)],
            vec![Plan::Ask { name: 0 }, pay(1)],
        ];
        let at_once = 2;
        vec![Plan::Join { at_once, branches }, pay(2)]
    }
}
