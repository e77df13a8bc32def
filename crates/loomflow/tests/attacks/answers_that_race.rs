//! Attacks on answers, resumes and cancels that come at once, and in the middle of a write.

use std::sync::{Arc, Barrier, Mutex};

use futures::executor::block_on;
use loomflow::journal::Batch;
use loomflow::{
    Branch, CancelReason, Error, ErrorKind, Result, RunContext, RunErrorKind, RunId, Session, step,
};

use crate::answers::{over, sure};
use crate::approvals::{Paid, payer};
use crate::support_a::{Act, Counter, Hostile, Method, check_record, paths, run_id, sleep};

#[test]
fn of_two_answers_at_once_one_stays_and_the_other_is_told() {
    for _ in 0..50 {
        let (_, session, _) = over(&Hostile::honest());
        let paused = block_on(session.run(&sure, 1u64)).unwrap_err();
        let (id, path) = (run_id(&paused), paths(&paused)[0].clone());
        let barrier = Barrier::new(2);
        let told: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = [true, false]
                .into_iter()
                .map(|answer| {
                    let (session, barrier, id, path) = (&session, &barrier, &id, &path);
                    scope.spawn(move || {
                        barrier.wait();
                        let told = block_on(session.answer(id, path, answer));
                        if let Err(error) = &told {
                            assert_eq!(error.kind(), ErrorKind::Invalid);
                        }
                        told.is_ok()
                    })
                })
                .collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(told.iter().filter(|it| **it).count(), 1);
        let won = told[0];
        assert_eq!(block_on(session.resume(&id, &sure)).unwrap().output, won);
    }
}

#[test]
fn of_two_resumes_at_once_one_runs_and_no_effect_happens_twice() {
    for _ in 0..30 {
        let paid = Paid::default();
        let agent = payer(&paid, false, vec![5]);
        let (_, session, recorder) = over(&Hostile::honest());
        let paused = block_on(session.run(&agent, "go")).unwrap_err();
        let id = run_id(&paused);
        block_on(session.answer(&id, &paths(&paused)[0], true)).unwrap();
        let barrier = Barrier::new(3);
        let outputs: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let (session, barrier, id, agent) = (&session, &barrier, &id, &agent);
                    scope.spawn(move || {
                        barrier.wait();
                        block_on(session.resume(id, agent)).map(|it| it.output)
                    })
                })
                .collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(*paid.lock().unwrap(), [5]);
        assert!(outputs.iter().any(Result::is_ok));
        for output in outputs {
            match output {
                Ok(output) => assert_eq!(output, "paid 5"),
                Err(error) => assert_eq!(error.error().kind(), ErrorKind::Invalid, "{error}"),
            }
        }
        check_record(&recorder.events());
    }
}

/// Whose question it is.
type Whose = Arc<Mutex<Option<(Session, RunId)>>>;

/// A store that answers the question, as somebody else would, in the middle of the `n`th write.
fn answering_at(n: usize) -> (Hostile, Whose) {
    let whose: Whose = Arc::default();
    let store = Hostile::honest();
    let (told, inner) = (whose.clone(), store.clone());
    store.replan(move |method, k, _| {
        if method == Method::Write && k >= n {
            let whose = told.lock().unwrap().clone();
            if let Some((session, id)) = whose {
                for path in ["body/[1]/sure", "body/sure"] {
                    let _ = block_on(session.answer(&id, path, true));
                }
            }
        }
        let _ = &inner;
        Act::Pass
    });
    (store, whose)
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_any_write_of_a_pausing_run_lets_it_end_without_a_pause_or_stays_open() {
    for n in 0..12 {
        let (store, whose) = answering_at(n);
        let (_, session, recorder) = over(&store);
        let slow = Counter::default();
        let body = {
            let slow = slow.clone();
            move |cx: RunContext, _: u64| {
                let slow = slow.clone();
                async move {
                    let one = |i: usize| {
                        let slow = slow.clone();
                        Branch::new(move |cx: RunContext| async move {
                            if i == 1 {
                                return cx.ask::<bool>("sure", "?").await;
                            }
                            let slow = move |_: ()| {
                                slow.up();
                                async {
                                    sleep(50).await;
                                    Ok::<_, Error>(true)
                                }
                            };
                            cx.step("slow", &slow, ()).await
                        })
                    };
                    cx.join(2, (0..2).map(one)).await
                }
            }
        };
        let body = step(body).named("body");
        let run = session.run(&body, 1u64);
        let id = run.handle().run_id().clone();
        *whose.lock().unwrap() = Some((session.clone(), id.clone()));
        match run.await {
            Ok(outcome) => assert_eq!(outcome.output, [true, true]),
            Err(paused) => {
                assert_eq!(paused.kind(), RunErrorKind::Paused, "write {n}: {paused}");
                // What it lists is open, and nobody answered it.
                assert_eq!(paused.questions().len(), 1);
                session
                    .answer(&id, &paused.questions()[0].path, true)
                    .await
                    .unwrap();
                let outcome = session.resume(&id, &body).await.unwrap();
                assert_eq!(outcome.output, [true, true]);
            }
        }
        assert_eq!(slow.get(), 1, "write {n}");
        check_record(&recorder.events());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_while_a_sibling_is_slow_is_no_pause_to_whoever_awaits_it() {
    let (_, session, recorder) = over(&Hostile::honest());
    let body = |cx: RunContext, _: u64| async move {
        let slow = Branch::new(|cx: RunContext| async move {
            let slow = |_: ()| async {
                sleep(50).await;
                Ok::<_, Error>(false)
            };
            cx.step("slow", &slow, ()).await
        });
        let asks = Branch::new(|cx: RunContext| async move { cx.ask::<bool>("sure", "?").await });
        cx.join(2, [slow, asks]).await
    };
    let body = step(body).named("body");
    let run = session.run(&body, 1u64);
    let id = run.handle().run_id().clone();
    let answers = async {
        sleep(10).await;
        session.answer(&id, "body/[1]/sure", true).await.unwrap();
        assert!(session.answer(&id, "body/[1]/sure", false).await.is_err());
    };
    let (ended, ()) = futures::join!(run, answers);
    assert_eq!(ended.unwrap().output, [false, true]);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn runs_started_at_once_under_one_id_have_one_effect_and_one_output() {
    for input_differs in [false, true] {
        let ran = Counter::default();
        let body = {
            let ran = ran.clone();
            move |n: u64| {
                let k = ran.up() as u64;
                async move {
                    sleep(50).await;
                    Ok::<_, Error>(100 * n + k)
                }
            }
        };
        let body = step(body).named("body");
        let (_, session, recorder) = over(&Hostile::honest());
        let other = if input_differs { 2u64 } else { 1 };
        let (a, b) = futures::join!(
            session.run(&body, 1u64).id("order-1"),
            session.run(&body, other).id("order-1"),
        );
        assert_eq!(a.unwrap().output, 100);
        match b {
            Ok(outcome) => assert_eq!((outcome.output, input_differs), (100, false)),
            Err(error) => {
                assert!(input_differs, "{error}");
                assert_eq!(error.error().kind(), ErrorKind::Invalid);
            }
        }
        assert_eq!(ran.get(), 1);
        check_record(&recorder.events());
    }
}

#[test]
fn a_cancel_racing_a_resume_leaves_one_ending() {
    for _ in 0..50 {
        let (loom, session, recorder) = over(&Hostile::honest());
        let paused = block_on(session.run(&sure, 1u64)).unwrap_err();
        let id = run_id(&paused);
        block_on(session.answer(&id, &paths(&paused)[0], true)).unwrap();
        let barrier = Barrier::new(2);
        let (resumed, cancelled) = std::thread::scope(|scope| {
            let resumed = scope.spawn(|| {
                barrier.wait();
                block_on(session.resume(&id, &sure))
            });
            barrier.wait();
            let cancelled = block_on(loom.cancel(&session.scope().unwrap(), &id));
            (resumed.join().unwrap(), cancelled)
        });
        check_record(&recorder.events());
        let listed = block_on(loom.paused(&session.scope().unwrap())).unwrap();
        assert!(listed.is_empty(), "{listed:?} {resumed:?} {cancelled:?}");
        match resumed {
            Ok(outcome) => assert!(outcome.output),
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    RunErrorKind::Cancelled(CancelReason::Requested) | RunErrorKind::Failed
                ),
                "{error} {cancelled:?}"
            ),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_any_write_of_a_pausing_run_leaves_it_paused_or_cancelled_never_both() {
    for n in 0..8 {
        let store = Hostile::honest();
        let handle: Arc<Mutex<Option<loomflow::Handle>>> = Arc::default();
        let told = handle.clone();
        store.replan(move |method, k, _: Option<&Batch>| {
            if method == Method::Write
                && k == n
                && let Some(it) = told.lock().unwrap().as_ref()
            {
                it.cancel();
            }
            Act::Pass
        });
        let (loom, session, recorder) = over(&store);
        let run = session.run(&sure, 1u64);
        *handle.lock().unwrap() = Some(run.handle());
        let ended = run.await.unwrap_err();
        check_record(&recorder.events());
        let listed = loom.paused(&session.scope().unwrap()).await.unwrap();
        match ended.kind() {
            RunErrorKind::Paused => {
                assert_eq!(listed.len(), 1, "write {n}");
                session
                    .answer(&run_id(&ended), &paths(&ended)[0], true)
                    .await
                    .unwrap();
                assert!(session.resume(&run_id(&ended), &sure).await.unwrap().output);
            }
            RunErrorKind::Cancelled(CancelReason::Requested) => {
                assert!(
                    listed.is_empty(),
                    "write {n}: cancelled, and listed as paused"
                );
                assert!(ended.questions().is_empty());
            }
            other => panic!("write {n}: {other:?}"),
        }
    }
}
