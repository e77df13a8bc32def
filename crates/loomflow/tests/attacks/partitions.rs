//! Attacks across users and partitions: by guessed names, other users, cancels and a shutdown.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use loomflow::journal::Forget;
use loomflow::{
    CancelReason, ErrorKind, Happened, Limits, MemoryJournal, Result, RunContext, RunErrorKind,
    RunId, Scope, SessionId, Step, UserId,
};

use crate::support_b::{asks, guarded, hangs, on_tokio, plain, poke, rig, slow, spends};

#[test]
fn a_run_of_the_same_loom_for_another_user_shares_neither_user_trace_nor_budget() {
    let rig = rig(|it| it.limits(Limits::default().with_tokens_max(1_000)));
    let loom = rig.loom.clone();
    let body = move |cx: RunContext, n: u64| {
        let loom = loom.clone();
        async move {
            let mine = cx.step("mine", &spends, n).await?;
            let outer = cx.clone();
            let inner = Step::<u64, u64>::new(move |cx: RunContext, n: u64| {
                let outer = outer.clone();
                async move {
                    cx.step("his", &spends, n).await?;
                    // What is opened by the outer run's context is the outer run's.
                    outer.step("hers", &slow, n).await?;
                    cx.step("his again", &spends, n).await
                }
            });
            let outcome = loom.session("bob").id("b").run(&inner, mine).await?;
            assert_eq!(outcome.charged.tokens, Some(1_000));
            assert_ne!(outcome.trace_id, cx.trace_id());
            cx.step("mine again", &spends, outcome.output).await
        }
    };
    let outcome = block_on(async {
        rig.loom
            .session("alice")
            .id("a")
            .run(&body, 1u64)
            .await
            .unwrap()
    });
    assert_eq!(outcome.charged.tokens, Some(1_000));
    for span in rig.recorder.spans() {
        let his = span.name.contains("his")
            || span.path.starts_with("step/")
            || span.run != outcome.run_id;
        let user = span.user.as_ref().unwrap().as_str();
        assert_eq!(
            (user, span.session.as_str()),
            if his { ("bob", "b") } else { ("alice", "a") },
            "{}",
            span.path
        );
        assert_eq!(span.trace == outcome.trace_id, !his, "{}", span.path);
    }
    rig.assert_whole();
}

#[test]
fn acting_for_others_through_anonymous_always_names_who_asked() {
    async fn leaf(cx: RunContext, _: ()) -> Result<(Option<String>, Option<Option<String>>)> {
        let by = cx.by().map(|it| it.map(ToString::to_string));
        Ok((cx.user().map(ToString::to_string), by))
    }
    async fn alices(
        cx: RunContext,
        _: (),
    ) -> Result<Vec<(Option<String>, Option<Option<String>>)>> {
        let mine = leaf(cx.clone(), ()).await?;
        let his = cx
            .acting_as(UserId::new("bob")?, "as bob", &leaf, ())
            .await?;
        let hers = cx
            .acting_as(UserId::new("alice")?, "as alice", &leaf, ())
            .await?;
        Ok(vec![mine, his, hers])
    }
    async fn root(cx: RunContext, _: ()) -> Result<Vec<(Option<String>, Option<Option<String>>)>> {
        cx.acting_as(UserId::new("alice")?, "as alice", &alices, ())
            .await
    }
    let rig = plain();
    let seen = block_on(async { rig.loom.anonymous().run(&root, ()).await.unwrap().output });
    let users: Vec<_> = seen.iter().map(|it| it.0.clone().unwrap()).collect();
    assert_eq!(users, ["alice", "bob", "alice"]);
    for (user, by) in &seen {
        assert!(by.is_some(), "{user:?} is acted for by {by:?}");
    }
    for event in rig.recorder.events() {
        assert_eq!(event.user.is_some(), event.by.is_some(), "{event:?}");
    }
    for line in rig.audit.lines() {
        let for_a_user = line.contains("\"user\":\"");
        assert_eq!(for_a_user, line.contains("\"by\":"), "{line}");
    }
    let notes = rig.recorder.events().into_iter().filter(|it| {
        matches!(
            it.what,
            Happened::Noted {
                note: "acting_as",
                ..
            }
        )
    });
    assert_eq!(notes.count(), 3);
    rig.assert_whole();
}

#[test]
fn a_guessed_run_id_opens_nothing_in_another_partition() {
    let rig = rig(|it| it.journal(MemoryJournal::default()));
    block_on(async {
        let alice = rig.loom.session("alice").id("s");
        let paused = alice.run(&asks, 1u64).await.unwrap_err();
        let id = paused.report().unwrap().run_id.clone();
        let path = paused.questions()[0].path.clone();
        let strangers = [
            rig.loom.session("bob").id("s"),
            rig.loom.session("alice").id("t"),
            rig.loom.session("alice:s").id("s"),
            rig.loom.session("alic").id("es"),
            rig.loom.anonymous().id("s"),
            rig.loom.session("ALICE").id("s"),
        ];
        for stranger in strangers {
            let scope = stranger.scope().unwrap();
            assert!(rig.loom.paused(&scope).await.unwrap().is_empty());
            assert_eq!(
                stranger.answer(&id, &path, 5u64).await.unwrap_err().kind(),
                ErrorKind::Invalid
            );
            assert_eq!(
                stranger
                    .resume(&id, &asks)
                    .await
                    .unwrap_err()
                    .error()
                    .kind(),
                ErrorKind::Invalid
            );
            assert_eq!(
                rig.loom.cancel(&scope, &id).await.unwrap_err().kind(),
                ErrorKind::Invalid
            );
            // The same id in another partition is another run.
            let own = stranger.run(&slow, 1u64).id(id.as_str()).await.unwrap();
            assert_eq!(own.output, 2);
        }
        assert_eq!(
            rig.loom
                .forget(&Forget::User(Some(UserId::new("bob").unwrap())))
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            rig.loom
                .paused(&alice.scope().unwrap())
                .await
                .unwrap()
                .len(),
            1
        );
        alice.answer(&id, &path, 5u64).await.unwrap();
        assert_eq!(alice.resume(&id, &asks).await.unwrap().output, 6);
    });
    rig.assert_whole();
}

#[test]
fn a_live_run_is_cancelled_by_its_own_partition_alone() {
    for journal in [false, true] {
        let rig = rig(|it| match journal {
            true => it.journal(MemoryJournal::default()),
            false => it,
        });
        let alice = rig.loom.session("alice").id("s");
        let mut run = alice.run(&hangs, 1u64);
        assert!(poke(&mut run).is_pending());
        let id = run.handle().run_id().clone();
        block_on(async {
            for user in [Some("bob"), None, Some("alice")] {
                let user = user.map(|it| UserId::new(it).unwrap());
                let session = if user.as_ref().is_some_and(|it| it.as_str() == "alice") {
                    "other"
                } else {
                    "s"
                };
                let scope = Scope::new(user, SessionId::new(session).unwrap());
                assert!(rig.loom.cancel(&scope, &id).await.is_err());
            }
            assert!(poke(&mut run).is_pending());
            let unknown = RunId::new("unknown").unwrap();
            assert!(
                rig.loom
                    .cancel(&alice.scope().unwrap(), &unknown)
                    .await
                    .is_err()
            );
            rig.loom.cancel(&alice.scope().unwrap(), &id).await.unwrap();
            assert_eq!(
                run.await.unwrap_err().kind(),
                RunErrorKind::Cancelled(CancelReason::Requested)
            );
        });
        rig.assert_whole();
    }
}

#[test]
fn a_shutdown_ends_what_lives_keeps_what_waits_and_begins_nothing() {
    guarded(|| {
        let rig = rig(|it| it.journal(MemoryJournal::default()));
        on_tokio(async {
            let alice = rig.loom.session("alice").id("s");
            let paused = alice.run(&asks, 1u64).await.unwrap_err();
            let id = paused.report().unwrap().run_id.clone();
            let naps = Step::<u64, u64>::new(|cx: RunContext, n: u64| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                cx.step("more", &slow, n).await
            });
            let live = tokio::spawn(alice.run(Arc::new(naps), 1u64));
            let hanging = tokio::spawn(alice.run(Arc::new(Step::<u64, u64>::new(hangs)), 1u64));
            let mut dropped = alice.run(Arc::new(Step::<u64, u64>::new(hangs)), 1u64);
            assert!(poke(&mut dropped).is_pending());
            let late = alice.run(&slow, 1u64);
            tokio::task::yield_now().await;
            let dropping = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(30)).await;
                drop(dropped);
            });
            let shutdown = rig.loom.shutdown(Duration::from_secs(5)).await;
            assert_eq!((shutdown.finished, shutdown.cancelled), (1, 2));
            dropping.await.unwrap();
            assert_eq!(live.await.unwrap().unwrap().output, 2);
            let ended = hanging.await.unwrap().unwrap_err();
            assert!(
                matches!(ended.kind(), RunErrorKind::Cancelled(_)),
                "{ended:?}"
            );
            assert!(matches!(
                late.await.unwrap_err().kind(),
                RunErrorKind::Cancelled(_)
            ));
            alice
                .answer(&id, &paused.questions()[0].path, 1u64)
                .await
                .unwrap();
            assert!(matches!(
                alice.resume(&id, &asks).await.unwrap_err().kind(),
                RunErrorKind::Cancelled(_)
            ));
            assert_eq!(rig.loom.running(), 0);
        });
        rig.assert_whole();
    });
}
