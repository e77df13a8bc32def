//! What every journal promises, shown by the one in memory: partitions, leases, first answers.

use futures::executor::block_on;
use loom_core::{
    ErrorKind, Journal, JournalRun, MemoryJournal, RunId, Scope, SessionId, Slot, UserId,
};
use serde_json::json;

fn scope(user: Option<&str>, session: &str) -> Scope {
    let user = user.map(|it| UserId::new(it).unwrap());
    Scope::new(user, SessionId::new(session).unwrap())
}

fn run_in(scope: &Scope, root: &str) -> JournalRun {
    JournalRun {
        scope: scope.clone(),
        root: RunId::new(root).unwrap(),
    }
}

fn alices(root: &str) -> JournalRun {
    run_in(&scope(Some("alice"), "desk"), root)
}

const SLOTS: [Slot<'_>; 5] = [
    Slot::Run,
    Slot::Output("a"),
    Slot::Output("a/b"),
    Slot::Question("a"),
    Slot::Answer("a"),
];

#[test]
fn a_record_is_found_in_its_own_slot_and_a_later_one_replaces_it() {
    block_on(async {
        let (journal, run) = (MemoryJournal::default(), alices("r"));
        for slot in SLOTS {
            assert_eq!(journal.get(&run, slot).await.unwrap(), None, "{slot:?}");
        }
        let lease = journal.claim(&run).await.unwrap();
        for round in ["first", "second"] {
            for slot in SLOTS {
                let value = json!([round, format!("{slot:?}")]);
                journal.put(&lease, slot, value).await.unwrap();
            }
            for slot in SLOTS {
                let value = journal.get(&run, slot).await.unwrap();
                assert_eq!(value, Some(json!([round, format!("{slot:?}")])));
            }
        }
    });
}

#[test]
fn f049_of_two_workers_that_claim_a_run_one_wins() {
    block_on(async {
        let (journal, run) = (MemoryJournal::default(), alices("r"));
        let first = journal.claim(&run).await.unwrap();
        let refused = journal.claim(&run).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert_eq!(
            refused.to_string(),
            "the run r is being worked on elsewhere"
        );
        assert!(journal.claim(&alices("other")).await.is_ok(), "another run");

        journal.release(&first);
        let second = journal.claim(&run).await.unwrap();
        assert_eq!((&first.run, &second.run), (&run, &run));
        assert!(first.token < second.token, "{first:?} {second:?}");
    });
}

#[test]
fn f049_what_is_written_under_an_older_token_is_refused_and_changes_nothing() {
    block_on(async {
        let (journal, run) = (MemoryJournal::default(), alices("r"));
        let stale = journal.claim(&run).await.unwrap();
        journal.release(&stale);
        let lease = journal.claim(&run).await.unwrap();
        for slot in SLOTS {
            journal.put(&lease, slot, json!("new")).await.unwrap();
            let lost = journal.put(&stale, slot, json!("old")).await.unwrap_err();
            assert_eq!(lost.kind(), ErrorKind::Internal);
            assert_eq!(
                lost.to_string(),
                "the run r was taken over by another worker"
            );
            assert_eq!(journal.get(&run, slot).await.unwrap(), Some(json!("new")));
        }
        journal.release(&stale);
        assert!(
            journal.claim(&run).await.is_err(),
            "it isn't theirs to give"
        );
    });
}

#[test]
fn a_lease_on_a_run_nobody_claimed_writes_nothing() {
    block_on(async {
        let (journal, elsewhere) = (MemoryJournal::default(), MemoryJournal::default());
        let lease = elsewhere.claim(&alices("r")).await.unwrap();
        let lost = journal.put(&lease, Slot::Run, json!(1)).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Internal);
        journal.release(&lease);
        assert_eq!(journal.get(&lease.run, Slot::Run).await.unwrap(), None);
    });
}

#[test]
fn of_several_answers_the_first_stays_and_needs_no_lease() {
    block_on(async {
        let (journal, run) = (MemoryJournal::default(), alices("r"));
        let _held = journal.claim(&run).await.unwrap();
        assert!(journal.answer(&run, "a", json!(1)).await.unwrap());
        assert!(!journal.answer(&run, "a", json!(2)).await.unwrap());
        assert!(journal.answer(&run, "b", json!(3)).await.unwrap());
        for (slot, first) in [(Slot::Answer("a"), 1), (Slot::Answer("b"), 3)] {
            assert_eq!(journal.get(&run, slot).await.unwrap(), Some(json!(first)));
        }

        let unknown = alices("unknown");
        assert!(!journal.answer(&unknown, "a", json!(1)).await.unwrap());
        assert_eq!(
            journal.get(&unknown, Slot::Answer("a")).await.unwrap(),
            None
        );
    });
}

#[test]
fn runs_are_listed_in_their_own_partition_oldest_first() {
    block_on(async {
        let journal = MemoryJournal::default();
        let (alice, bob) = (scope(Some("alice"), "desk"), scope(Some("bob"), "desk"));
        for (n, scope) in [&alice, &bob, &alice, &alice].into_iter().enumerate() {
            let lease = journal.claim(&run_in(scope, &format!("r{}", 9 - n))).await;
            journal
                .put(&lease.unwrap(), Slot::Run, json!(n))
                .await
                .unwrap();
        }
        let listed = async |scope: &Scope| {
            let runs = journal.runs(scope).await.unwrap();
            runs.into_iter()
                .map(|(root, record)| (root.to_string(), record))
                .collect::<Vec<_>>()
        };
        let line = |root: &str, n: u32| (root.to_owned(), json!(n));
        assert_eq!(
            listed(&alice).await,
            [line("r9", 0), line("r7", 2), line("r6", 3)]
        );
        assert_eq!(listed(&bob).await, [line("r8", 1)]);
        assert_eq!(listed(&scope(None, "desk")).await, []);
        assert_eq!(listed(&scope(Some("alice"), "other")).await, []);
    });
}

#[test]
fn a_run_that_was_claimed_but_never_written_is_not_listed() {
    block_on(async {
        let (journal, run) = (MemoryJournal::default(), alices("r"));
        let lease = journal.claim(&run).await.unwrap();
        journal
            .put(&lease, Slot::Output("a"), json!(1))
            .await
            .unwrap();
        assert_eq!(journal.runs(&run.scope).await.unwrap(), []);
    });
}

#[test]
fn f052_partitions_that_look_alike_when_they_are_joined_are_apart() {
    block_on(async {
        let journal = MemoryJournal::default();
        let alike = [
            scope(Some("a"), "b:c"),
            scope(Some("a:b"), "c"),
            scope(Some("a\u{e9}"), "c"),
            scope(Some("ae\u{301}"), "c"),
            scope(None, "c"),
            scope(Some("None"), "c"),
        ];
        for (n, scope) in alike.iter().enumerate() {
            let run = run_in(scope, "r");
            let lease = journal.claim(&run).await.unwrap();
            journal.put(&lease, Slot::Run, json!(n)).await.unwrap();
            assert!(journal.answer(&run, "a", json!(n)).await.unwrap());
        }
        for (n, scope) in alike.iter().enumerate() {
            let run = run_in(scope, "r");
            assert_eq!(
                journal.runs(scope).await.unwrap(),
                [(run.root.clone(), json!(n))]
            );
            for slot in [Slot::Run, Slot::Answer("a")] {
                assert_eq!(journal.get(&run, slot).await.unwrap(), Some(json!(n)));
            }
        }
    });
}

#[test]
fn it_shows_how_much_it_holds_and_nothing_of_it() {
    block_on(async {
        let journal = MemoryJournal::default();
        let lease = journal.claim(&alices("r")).await.unwrap();
        journal
            .put(&lease, Slot::Run, json!("secret"))
            .await
            .unwrap();
        assert_eq!(format!("{journal:?}"), "MemoryJournal(1 runs)");
    });
}
