//! Attacks by a store that takes the run from its worker: torn off between an effect and its
//! record, taken over at a write, lapsed while it works, cancelled from elsewhere.

use std::sync::{Arc, Mutex};

use futures::future::pending;
use futures::poll;
use loomflow::{
    CancelReason, Error, ErrorKind, Loom, Origin, Resolution, Result, RunContext, RunErrorKind,
    Step, step,
};
use serde_json::json;

use crate::support_a::{
    Act, Counter, Hostile, Method, check_record, fallback, ms, once_between, over_journal, sleep,
    two_steps,
};

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_taken_over_at_any_write_stops_and_writes_nothing_more() {
    for n in 0..20 {
        let store = Hostile::at(Method::Write, n, Act::TakenOver);
        let (session, recorder) = over_journal(&store);
        let ran = Counter::default();
        let body = step(two_steps(ran.clone()))
            .named("two")
            .retry(3)
            .retry_if(|_| true)
            .or_else(fallback);
        let ended = session.run(&body, 1u64).await;
        check_record(&recorder.events());
        if store.count(Method::Write) <= n {
            assert_eq!(ended.unwrap().output, 2);
            return;
        }
        match ended {
            Ok(outcome) => assert!(outcome.durable().is_err(), "write {n}"),
            Err(ended) => {
                let taken_over = RunErrorKind::Cancelled(CancelReason::TakenOver);
                assert_eq!(ended.kind(), taken_over, "write {n}");
            }
        }
        assert_eq!(
            store.count(Method::Write),
            n + 1,
            "it wrote after it was taken over"
        );
    }
    panic!("it writes for ever");
}

#[tokio::test(start_paused = true)]
async fn what_isnt_idempotent_is_never_done_twice_unasked_whichever_write_is_torn_off() {
    for act in [
        Act::Panic,
        Act::Fail,
        Act::DoThenFail,
        Act::Hang,
        Act::DoThenHang,
        Act::TakenOver,
    ] {
        for n in 0..12 {
            let store = Hostile::at(Method::Write, n, act);
            let paid = Counter::default();
            let (session, recorder) = over_journal(&store);
            let body = step(once_between(&paid)).named("body");
            let mut run = session.run(&body, 1u64);
            let id = run.handle().run_id().clone();
            let mut ended = None;
            for _ in 0..200 {
                if let std::task::Poll::Ready(it) = poll!(&mut run) {
                    ended = Some(it);
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(run);
            if let Some(Ok(outcome)) = ended {
                assert_eq!(outcome.output, 2);
                continue;
            }
            let first = paid.get();
            assert!(first <= 1);
            sleep(120_000).await;
            store.replan(|_, _, _| Act::Pass);
            match session.resume(&id, &body).await {
                Ok(outcome) => {
                    assert_eq!(outcome.output, 2, "{act:?} at write {n}");
                    assert_eq!(paid.get(), 1, "{act:?} at write {n}");
                }
                Err(ended) if ended.kind() == RunErrorKind::Paused => {
                    assert_eq!(paid.get(), first, "{act:?} at write {n}");
                    let question = &ended.questions()[0];
                    assert_eq!(question.origin, Origin::Unfinished);
                    assert!(session.answer(&id, &question.path, "dunno").await.is_err());
                    session
                        .answer(&id, &question.path, Resolution::Ran(json!(2)))
                        .await
                        .unwrap();
                    let outcome = session.resume(&id, &body).await.unwrap();
                    assert_eq!(outcome.output, 2);
                    assert_eq!(paid.get(), first, "{act:?} at write {n}");
                }
                // Nothing was ever written of it.
                Err(ended) => {
                    assert_eq!(
                        ended.error().kind(),
                        ErrorKind::Invalid,
                        "{act:?} at write {n}: {ended}"
                    );
                    assert_eq!(paid.get(), 0, "{act:?} at write {n}: {ended}");
                }
            }
            check_record(&recorder.events());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_lapsed_stops_before_a_second_worker_goes_on() {
    let store = Hostile::honest();
    let at_once = Arc::new(Mutex::new((0i32, 0i32)));
    let body = {
        let at_once = at_once.clone();
        move |cx: RunContext, n: u64| {
            let at_once = at_once.clone();
            async move {
                for i in 0..200u64 {
                    let at_once = at_once.clone();
                    let work = move |n: u64| {
                        let at_once = at_once.clone();
                        async move {
                            struct Leave(Arc<Mutex<(i32, i32)>>);
                            impl Drop for Leave {
                                fn drop(&mut self) {
                                    self.0.lock().unwrap().0 -= 1;
                                }
                            }
                            {
                                let mut it = at_once.lock().unwrap();
                                it.0 += 1;
                                it.1 = it.1.max(it.0);
                            }
                            let _leave = Leave(at_once);
                            sleep(1_000).await;
                            Ok::<_, Error>(n)
                        }
                    };
                    cx.step("work", &work, n + i).await?;
                }
                Ok::<_, Error>(n)
            }
        }
    };
    let body = Arc::new(Step::new(step(body).named("body")));
    let (session, recorder) = over_journal(&store);
    // The first worker's renewals never come through any more.
    store.replan(|it, _, _| {
        if it == Method::Renew {
            Act::Fail
        } else {
            Act::Pass
        }
    });
    let first = session.run(body.clone(), 1u64);
    let id = first.handle().run_id().clone();
    let first = tokio::spawn(first);
    sleep(10_000).await;
    let (session, _) = over_journal(&store);
    let early = session.resume(&id, &*body).await.unwrap_err();
    assert_eq!(early.error().kind(), ErrorKind::Invalid, "held: {early}");
    let ended = first.await.unwrap().unwrap_err();
    assert_eq!(
        ended.kind(),
        RunErrorKind::Cancelled(CancelReason::TakenOver),
        "{ended}"
    );
    store.replan(|_, _, _| Act::Pass);
    sleep(1_000).await;
    assert_eq!(session.resume(&id, &*body).await.unwrap().output, 1);
    assert_eq!(at_once.lock().unwrap().1, 1);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_a_renewal_brings_ends_the_run_as_requested() {
    let store = Hostile::honest();
    let (session, recorder) = over_journal(&store);
    let body = Arc::new(Step::new(
        step(|_: u64| async { pending::<Result<u64>>().await }).named("body"),
    ));
    let run = session.run(body, 1u64);
    let id = run.handle().run_id().clone();
    let run = tokio::spawn(run);
    sleep(1_000).await;
    // Another process, with a store of its own on the same data.
    let other = Loom::builder().journal(store.clone()).build();
    other.cancel(&session.scope().unwrap(), &id).await.unwrap();
    let ended = tokio::time::timeout(ms(40_000), run)
        .await
        .expect("a lease is renewed in time");
    assert_eq!(
        ended.unwrap().unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    check_record(&recorder.events());
}
