//! A key that stays the same over retries of an effect and differs from that of any other.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{Ready, ready};
use loom_core::{Branch, Effect, Error, ErrorKind, Loom, MemoryJournal, Result, RunContext, step};

use crate::journaled::{answer_all, run_id, worker};
use crate::recorded::recorded;

type Keys = Arc<Mutex<Vec<String>>>;

/// A step that keeps its key, and fails so often.
fn keyed(
    keys: &Keys,
    failures: usize,
) -> impl Fn(RunContext, String) -> Ready<Result<String>> + Clone + Send + Sync + 'static {
    let keys = keys.clone();
    let count = Arc::new(Mutex::new(0));
    move |cx, text| {
        keys.lock().unwrap().push(cx.idempotency_key());
        let mut count = count.lock().unwrap();
        *count += 1;
        match *count > failures {
            true => ready(Ok(text)),
            false => ready(Err(Error::new(ErrorKind::Failed, "not yet"))),
        }
    }
}

/// How many keys there are, and how many different ones.
fn counted(keys: &Keys) -> (usize, usize) {
    let keys = keys.lock().unwrap();
    (keys.len(), keys.iter().collect::<BTreeSet<_>>().len())
}

#[test]
fn the_key_stays_over_retries_of_the_step_and_of_what_is_around_it() {
    let keys = Keys::default();
    let inner = keyed(&keys, 2);
    let around = move |cx: RunContext, text: String| {
        let inner = inner.clone();
        async move { cx.step("pay", &inner, text).await }
    };
    let own = step(keyed(&keys, 2))
        .retry(3)
        .backoff(Duration::ZERO, Duration::ZERO);
    let (_, session) = recorded();
    block_on(session.run(&own, "go")).unwrap();
    assert_eq!(counted(&keys), (3, 1));
    keys.lock().unwrap().clear();
    let around = step(around)
        .retry(3)
        .backoff(Duration::ZERO, Duration::ZERO);
    block_on(session.run(&around, "go")).unwrap();
    assert_eq!(counted(&keys), (3, 1));
}

#[test]
fn the_key_differs_between_effects_between_repeats_and_between_runs() {
    let keys = Keys::default();
    let pay = keyed(&keys, 0);
    let log = keys.clone();
    let root = move |cx: RunContext, text: String| {
        let (pay, log) = (pay.clone(), log.clone());
        async move {
            log.lock().unwrap().push(cx.idempotency_key());
            cx.step("pay", &pay, text.clone()).await?;
            cx.step("pay", &pay, text.clone()).await?;
            cx.step("pay again", &pay, text.clone()).await?;
            for call in ["c1", "c2"] {
                let tool = Effect::tool("pay", call);
                cx.perform(tool, (), |cx, ()| pay(cx, text.clone())).await?;
            }
            Ok::<_, Error>(text)
        }
    };
    let loom = Loom::builder().build();
    for _ in 0..2 {
        block_on(loom.session("alice").id("desk").run(&root, "go")).unwrap();
    }
    assert_eq!(counted(&keys), (12, 12));
}

#[test]
fn the_key_of_a_fallback_s_step_is_not_that_of_the_first_choice_s_even_when_it_is_retried() {
    let keys = Keys::default();
    let (first, second) = (keyed(&keys, 1), keyed(&keys, 1));
    let pays = |pay: &Arc<dyn Fn(RunContext, String) -> Ready<Result<String>> + Send + Sync>| {
        let pay = pay.clone();
        move |cx: RunContext, text: String| {
            let pay = pay.clone();
            async move {
                let step = Effect::new(loom_core::EffectKind::Step, "pay");
                cx.perform(step, (), |cx, ()| pay(cx, text)).await
            }
        }
    };
    let (first, second) = (
        pays(&(Arc::new(first) as _)),
        pays(&(Arc::new(second) as _)),
    );
    let retried = step(second)
        .retry(2)
        .backoff(Duration::ZERO, Duration::ZERO);
    let (_, session) = recorded();
    block_on(session.run(&step(first).or_else(retried), "go")).unwrap();
    let keys = keys.lock().unwrap();
    let [first, second, again] = &keys[..] else {
        panic!("{keys:?}")
    };
    assert_eq!(second, again);
    assert_ne!(first, again);
}

#[test]
fn a_key_is_32_hex_digits() {
    let key = RunContext::test("alice").idempotency_key();
    assert_eq!(key.len(), 32);
    assert!(
        key.bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    );
}

#[test]
fn the_key_stays_the_same_when_a_run_is_resumed() {
    async fn asks_by_key(cx: RunContext, _: String) -> Result<Vec<String>> {
        async fn key(cx: RunContext, _: ()) -> Result<String> {
            let _: bool = cx.ask("sure", cx.idempotency_key()).await?;
            Ok(cx.idempotency_key())
        }
        let branches = ["a", "b"].map(|name| {
            Branch::new(move |cx: RunContext| async move { cx.step(name, &key, ()).await })
        });
        cx.join(8, branches).await
    }
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let paused = session.run(&asks_by_key, "go").await.unwrap_err();
        let keys: Vec<_> = paused
            .questions()
            .iter()
            .map(|it| it.body.clone())
            .collect();
        assert_ne!(keys[0], keys[1]);
        let (_, session) = worker(&journal);
        answer_all(&session, &paused, true).await;
        let outcome = session.resume(&run_id(&paused), &asks_by_key).await;
        assert_eq!(outcome.unwrap().output, keys);
        let other = session.run(&asks_by_key, "go").await.unwrap_err();
        let others = other.questions().iter().map(|it| it.body.clone());
        assert!(
            others
                .clone()
                .all(|it| !keys.contains(&it) && it.len() == 32)
        );
    });
}
