//! Attacks on paths themselves: names that spell those of others, and idempotency keys that would be
//! shared or change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use loomflow::{Branch, Effect, EffectKind, Error, ErrorKind, RunContext, RunErrorKind, step};

use crate::arrival::journaled;
use crate::support_a::{Counter, paths, run_id, sleep};

#[tokio::test(start_paused = true)]
async fn idempotency_keys_stay_with_their_branch_and_differ_from_all_others() {
    type Seen = Arc<Mutex<Vec<(u64, String)>>>;
    let seen = Seen::default();
    let body = {
        let seen = seen.clone();
        move |cx: RunContext, order: Vec<u64>| {
            let seen = seen.clone();
            async move {
                let one = |n: u64| {
                    let seen = seen.clone();
                    Branch::named(format!("b{n}"), move |cx: RunContext| async move {
                        sleep(n).await;
                        let keep = move |cx: RunContext, n: u64| {
                            let seen = seen.clone();
                            async move {
                                seen.lock().unwrap().push((n, cx.idempotency_key()));
                                let ok: bool = cx.ask("ok", "?").await?;
                                Ok::<_, Error>(ok)
                            }
                        };
                        cx.step("keep", &keep, n).await
                    })
                };
                cx.join(8, order.into_iter().map(one)).await
            }
        }
    };
    let (session, _) = journaled();
    let body = step(body).named("body");
    let paused = session.run(&body, vec![30u64, 10, 20]).await.unwrap_err();
    for path in paths(&paused).into_iter().rev() {
        session.answer(&run_id(&paused), &path, true).await.unwrap();
    }
    session.resume(&run_id(&paused), &body).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 6);
    let pairs: BTreeSet<_> = seen.iter().cloned().collect();
    let keys: BTreeSet<_> = seen.iter().map(|it| it.1.clone()).collect();
    assert_eq!(
        (pairs.len(), keys.len()),
        (3, 3),
        "one key for each branch, the same each time"
    );
}

#[tokio::test(start_paused = true)]
async fn branches_of_one_effect_with_one_name_are_refused_or_told_apart() {
    let attempts = Counter::default();
    let body = {
        let attempts = attempts.clone();
        move |cx: RunContext, _: ()| {
            // What is slow in the first attempt is fast in the second.
            let again = attempts.up() > 0;
            async move {
                let one = |wait: u64| {
                    Branch::of_one_effect(move |cx: RunContext| async move {
                        let asks = |cx: RunContext, _: ()| async move {
                            cx.ask::<bool>("ok", "Pay?").await
                        };
                        sleep(if again { 50 - wait } else { wait }).await;
                        Ok((wait, cx.step("pay", &asks, ()).await?))
                    })
                };
                cx.join(8, [one(40), one(10)]).await
            }
        }
    };
    let body = step(body).named("body");
    let (session, _) = journaled();
    let ended = session.run(&body, ()).await.unwrap_err();
    if ended.kind() == RunErrorKind::Paused {
        // The first to ask is the branch that waited 10 ms: it alone is approved.
        for (path, answer) in paths(&ended).iter().zip([true, false]) {
            session.answer(&run_id(&ended), path, answer).await.unwrap();
        }
        let outcome = session.resume(&run_id(&ended), &body).await.unwrap();
        assert_eq!(outcome.output, [(40, false), (10, true)]);
        return;
    }
    assert_eq!(ended.error().kind(), ErrorKind::Invalid, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn names_that_spell_the_paths_of_others_get_paths_of_their_own() {
    let names = [
        "a",
        "a#2",
        "a[0]",
        "a/b",
        "a%2Fb",
        "a%23",
        "[0]",
        "turn:0",
        "tool:a[1]",
    ];
    let keys = Arc::new(Mutex::new(Vec::new()));
    let body = {
        let keys = keys.clone();
        move |cx: RunContext, _: ()| {
            let keys = keys.clone();
            async move {
                for name in names {
                    let keys = keys.clone();
                    let see = move |cx: RunContext, _: u64| {
                        keys.lock().unwrap().push(cx.idempotency_key());
                        async move { Ok::<_, Error>(cx.path()) }
                    };
                    cx.perform_step(Effect::new(EffectKind::Step, name), &see, 1u64)
                        .await?;
                    cx.perform_step(Effect::new(EffectKind::Step, name).at_index(0), &see, 1u64)
                        .await?;
                }
                let one = |i: usize| {
                    let keys = keys.clone();
                    Branch::named(names[i], move |cx: RunContext| async move {
                        let see = move |cx: RunContext, _: u64| {
                            keys.lock().unwrap().push(cx.idempotency_key());
                            async move { Ok::<_, Error>(cx.path()) }
                        };
                        cx.step("a", &see, 1u64).await
                    })
                };
                cx.join(2, (0..names.len()).map(one)).await
            }
        }
    };
    let (session, recorder) = journaled();
    session.run(&step(body).named("body"), ()).await.unwrap();
    let keys = keys.lock().unwrap();
    let distinct: BTreeSet<_> = keys.iter().collect();
    assert_eq!(
        distinct.len(),
        3 * names.len(),
        "{:?}",
        recorder.tree().lines()
    );
    let distinct: BTreeSet<_> = recorder.spans().into_iter().map(|it| it.path).collect();
    assert_eq!(distinct.len(), 3 * names.len() + 1);
}
