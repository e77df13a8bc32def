//! Attacks by a store that lies: it loses, garbles, doubles and mixes up what it hands over, and says
//! that a question was answered which wasn't.

use std::sync::Arc;
use std::time::Duration;

use loomflow::journal::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, Page, Record,
    Released, Renewed, RunQuery, RunStatus, SlotKey, SlotKind,
};
use loomflow::{
    Error, Loom, Origin, Outcome, Recorder, Result, RunContext, RunError, RunErrorKind, RunId,
    Scope, UserId, step,
};
use serde_json::{Value, json};

use crate::support_a::{
    Counter, Hostile, check_record, ms, once_between, over_journal, paths, run_id,
};

/// All of a store's methods but `claim` and `write`, as the store in this field has them.
macro_rules! otherwise_as {
    ($store:tt) => {
        async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
            self.$store.renew(lease, ttl).await
        }
        fn release(&self, lease: &Lease, how: Released) {
            self.$store.release(lease, how);
        }
        async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
            self.$store.answer(run, path, value).await
        }
        async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
            self.$store.read(run, slot).await
        }
        async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
            self.$store.runs(query).await
        }
        async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
            self.$store.request_cancel(run).await
        }
        async fn forget(&self, what: &Forget) -> Result<u64> {
            self.$store.forget(what).await
        }
    };
}

type Change = dyn Fn(&mut Vec<Record>) + Send + Sync;

/// A store that changes what it hands over.
#[derive(Clone)]
struct Lossy {
    store: Hostile,
    change: Arc<Change>,
}

impl Journal for Lossy {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        let mut claimed = self.store.claim(run, ttl).await?;
        (self.change)(&mut claimed.records);
        Ok(claimed)
    }
    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        self.store.write(lease, batch).await
    }
    otherwise_as!(store);
}

#[tokio::test(start_paused = true)]
async fn an_intent_whose_output_the_store_lost_is_asked_about() {
    let store = Hostile::honest();
    let paid = Counter::default();
    let (session, _) = over_journal(&store);
    let body = {
        let inner = once_between(&paid);
        step(move |cx: RunContext, n: u64| {
            let inner = inner.clone();
            async move {
                let out = inner(cx.clone(), n).await?;
                let _: bool = cx.ask("sure", "?").await?;
                Ok::<_, Error>(out)
            }
        })
        .named("body")
    };
    let paused = session.run(&body, 1u64).await.unwrap_err();
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    // Another store is handed all records but one.
    let lossy = Lossy {
        store: store.clone(),
        change: Arc::new(|records| {
            records
                .retain(|it| !(it.key.kind == SlotKind::Output && it.key.path.ends_with("charge")));
        }),
    };
    let loom = Loom::builder().journal(lossy).build();
    let ended = loom
        .session("alice")
        .id("s")
        .resume(&run_id(&paused), &body)
        .await
        .unwrap_err();
    assert_eq!(paid.get(), 1, "{ended}");
    assert_eq!(ended.kind(), RunErrorKind::Paused, "{ended}");
    assert_eq!(ended.questions()[0].origin, Origin::Unfinished);
}

/// Pauses a run over an honest store, and resumes it over one whose records of this kind are
/// garbage; returns how it ended, and how often it paid.
async fn resumed_over_garbage(
    kind: SlotKind,
    garbage: Value,
) -> (Result<Outcome<u64>, RunError>, usize) {
    let store = Hostile::honest();
    let paid = Counter::default();
    let (session, _) = over_journal(&store);
    let inner = once_between(&paid);
    let body = step(move |cx: RunContext, n: u64| {
        let inner = inner.clone();
        async move {
            let out = inner(cx.clone(), n).await?;
            let sure: bool = cx.ask("sure", "?").await?;
            Ok::<_, Error>(if sure { out } else { 0 })
        }
    })
    .named("body");
    let paused = session.run(&body, 1u64).await.unwrap_err();
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    let recorder = Recorder::default();
    let lossy = Lossy {
        store: store.clone(),
        change: Arc::new(move |records| {
            for it in records.iter_mut().filter(|it| it.key.kind == kind) {
                it.value = Arc::new(garbage.clone());
            }
        }),
    };
    let loom = Loom::builder()
        .journal(lossy)
        .observe(recorder.clone())
        .build();
    let ended = loom
        .session("alice")
        .id("s")
        .resume(&run_id(&paused), &body)
        .await;
    check_record(&recorder.events());
    (ended, paid.get())
}

#[tokio::test(start_paused = true)]
async fn records_that_cant_be_read_end_the_resumed_run_as_broken_and_run_nothing() {
    let kinds = [
        SlotKind::Run,
        SlotKind::Definition,
        SlotKind::Output,
        SlotKind::Question,
        SlotKind::Answer,
        SlotKind::Intent,
    ];
    for kind in kinds {
        for garbage in [
            json!(null),
            json!([1, {"x": 2}]),
            json!("garbage"),
            json!({"v": {"deep": true}}),
        ] {
            let told = garbage.clone();
            let (ended, paid) = resumed_over_garbage(kind, garbage).await;
            assert_eq!(paid, 1, "{kind:?} {told}: {ended:?}");
            // An answer of another type isn't broken, but no answer; and the answer says itself what
            // it is bound to, so that nobody reads the question.
            let ended = match ended {
                Ok(outcome) if kind == SlotKind::Question => {
                    assert_eq!(outcome.output, 2);
                    continue;
                }
                Ok(outcome) => panic!("{kind:?} {told}: it completed: {:?}", outcome.output),
                Err(ended) => ended,
            };
            if kind == SlotKind::Answer && ended.kind() == RunErrorKind::Paused {
                continue;
            }
            assert_eq!(
                ended.kind(),
                RunErrorKind::Broken,
                "{kind:?} {told}: {ended}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn records_in_another_order_and_twice_replay_the_same() {
    let store = Hostile::honest();
    let paid = Counter::default();
    let (session, _) = over_journal(&store);
    let inner = once_between(&paid);
    let body = step(move |cx: RunContext, n: u64| {
        let inner = inner.clone();
        async move {
            let out = inner(cx.clone(), n).await?;
            let sure: bool = cx.ask("sure", "?").await?;
            Ok::<_, Error>((out, sure))
        }
    })
    .named("body");
    let paused = session.run(&body, 1u64).await.unwrap_err();
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    let doubled = Lossy {
        store,
        change: Arc::new(|records| {
            let mut more = records.clone();
            more.reverse();
            records.extend(more);
        }),
    };
    let loom = Loom::builder().journal(doubled).build();
    let outcome = loom
        .session("alice")
        .id("s")
        .resume(&run_id(&paused), &body)
        .await
        .unwrap();
    assert_eq!((outcome.output, paid.get()), ((2, true), 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_lets_a_run_pause_ends_it_in_bounded_time() {
    let store = Hostile::honest();
    let refusing = Refusing(store.clone(), Counter::default());
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .journal(refusing.clone())
        .observe(recorder.clone())
        .build();
    let body = step(|cx: RunContext, _: u64| async move { cx.ask::<bool>("sure", "?").await })
        .named("body");
    let ended =
        tokio::time::timeout(ms(600_000), loom.session("alice").id("s").run(&body, 1u64)).await;
    let ended = ended.expect("it ends").unwrap_err();
    assert!(refusing.1.get() <= 32, "{} pauses", refusing.1.get());
    check_record(&recorder.events());
    let (session, _) = over_journal(&store);
    let again = session.resume(&run_id(&ended), &body).await.unwrap_err();
    assert_eq!(again.kind(), RunErrorKind::Paused, "{again}");
    session
        .answer(&run_id(&ended), &paths(&again)[0], true)
        .await
        .unwrap();
    assert!(session.resume(&run_id(&ended), &body).await.unwrap().output);
}

/// Says of every pause that an answer is there.
#[derive(Clone)]
struct Refusing(Hostile, Counter);

impl Journal for Refusing {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        self.0.claim(run, ttl).await
    }
    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        if batch.head.status == RunStatus::Paused {
            self.1.up();
            return Err(Lost::Answered);
        }
        self.0.write(lease, batch).await
    }
    otherwise_as!(0);
}

/// Takes what Bob begins for Alice's.
#[derive(Clone)]
struct Mixed(Hostile);

impl Journal for Mixed {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        if run.scope.user().is_some_and(|it| it.as_str() == "bob") {
            let alice = Some(UserId::new("alice")?);
            let run = JournalRun {
                scope: Scope::new(alice, run.scope.session().clone()),
                root: run.root.clone(),
            };
            return self.0.claim(&run, ttl).await;
        }
        self.0.claim(run, ttl).await
    }
    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        self.0.write(lease, batch).await
    }
    otherwise_as!(0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hands_over_another_users_run_hands_over_none_of_its_values() {
    // Bob's run is begun under an id that is Alice's in the store's eyes.
    let loom = Loom::builder().journal(Mixed(Hostile::honest())).build();
    let whose = step(|cx: RunContext, _: u64| async move {
        let secret = |cx: RunContext, _: u64| async move {
            Ok::<_, Error>(format!("secret of {}", cx.user().unwrap()))
        };
        cx.step("secret", &secret, 1u64).await
    })
    .named("whose");
    let alice = loom
        .session("alice")
        .id("s")
        .run(&whose, 1u64)
        .id("run-1")
        .await
        .unwrap();
    assert_eq!(alice.output, "secret of alice");
    match loom
        .session("bob")
        .id("s")
        .run(&whose, 1u64)
        .id("run-1")
        .await
    {
        Ok(outcome) => assert_eq!(outcome.output, "secret of bob"),
        Err(ended) => assert!(!ended.to_string().contains("secret of alice")),
    }
    let resumed = loom
        .session("bob")
        .id("s")
        .resume(&RunId::new("run-1").unwrap(), &whose)
        .await;
    assert!(resumed.is_err(), "{resumed:?}");
}
