//! Attacks from outside: steps and questions that are moved to other tasks and threads, and bodies that
//! won't stop.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::future::{BoxFuture, pending};
use futures::{FutureExt, poll};
use loomflow::{
    Branch, CancelReason, Ending, Error, ErrorKind, Loom, MemoryJournal, Recorder, Result,
    RunContext, RunErrorKind, Session, step,
};
use tokio::sync::oneshot;

use crate::support_a::{Dropped, check_record, ms, paths, run_id, sleep};

pub(crate) type Kept<T> = Arc<Mutex<Option<T>>>;

/// What was put there, without holding the lock.
pub(crate) fn taken<T>(kept: &Mutex<Option<T>>) -> T {
    kept.lock().unwrap().take().unwrap()
}

pub(crate) fn recorded() -> (Loom, Recorder) {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .journal(MemoryJournal::default())
        .observe(recorder.clone())
        .build();
    (loom, recorder)
}

pub(crate) async fn one(_: ()) -> Result<u64> {
    Ok(1)
}

pub(crate) async fn forever(_: ()) -> Result<u64> {
    pending().await
}

/// What a step that was moved away returned, once it has.
type Told = Kept<oneshot::Receiver<Result<u64>>>;

fn moved(
    on_thread: bool,
) -> (
    Told,
    Dropped,
    impl Fn(RunContext, ()) -> BoxFuture<'static, Result<u64>> + Send + Sync + 'static,
) {
    let (kept, dropped) = (Kept::default(), Dropped::default());
    let body = {
        let (kept, dropped) = (kept.clone(), dropped.clone());
        move |cx: RunContext, _: ()| {
            let (kept, dropped) = (kept.clone(), dropped.clone());
            async move {
                let (began, has_begun) = oneshot::channel();
                let (done, is_done) = oneshot::channel();
                *kept.lock().unwrap() = Some(is_done);
                let began = Mutex::new(Some(began));
                let inner = move |_: ()| {
                    let guard = dropped.guard();
                    let _ = taken(&began).send(());
                    async move {
                        let _guard = guard;
                        pending::<Result<u64>>().await
                    }
                };
                let moved = async move {
                    let _ = done.send(cx.step("moved", &inner, ()).await);
                };
                if on_thread {
                    std::thread::spawn(move || block_on(moved));
                } else {
                    tokio::spawn(moved);
                }
                let _ = has_begun.await;
                pending().await
            }
            .boxed()
        }
    };
    (kept, dropped, body)
}

#[tokio::test(start_paused = true)]
async fn a_step_moved_to_a_task_is_woken_and_drops_its_body_when_its_run_is_cancelled() {
    let (kept, dropped, body) = moved(false);
    let (loom, recorder) = recorded();
    let (session, body) = (loom.session("alice"), step(body).named("body"));
    let run = session.run(&body, ()).deadline(ms(10));
    let ended = run.await.unwrap_err();
    assert_eq!(
        ended.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    let told = taken(&kept).await.unwrap();
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Stopped);
    assert!(dropped.get());
    for (path, ending) in check_record(&recorder.events()) {
        assert_eq!(
            ending,
            Ending::Cancelled {
                why: CancelReason::Deadline
            },
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_moved_to_a_thread_is_woken_and_drops_its_body_when_its_run_is_dropped() {
    let (kept, dropped, body) = moved(true);
    let (loom, recorder) = recorded();
    let (session, body) = (loom.session("alice"), step(body).named("body"));
    let mut run = session.run(&body, ());
    while !recorder.spans().iter().any(|it| it.name == "moved") {
        assert!(poll!(&mut run).is_pending());
        tokio::task::yield_now().await;
    }
    drop(run);
    let told = taken(&kept).await.unwrap();
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Stopped);
    assert!(dropped.get());
    for (path, ending) in check_record(&recorder.events()) {
        assert_eq!(
            ending,
            Ending::Cancelled {
                why: CancelReason::Dropped
            },
            "{path}"
        );
    }
    assert_eq!(loom.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_step_moved_out_of_a_timed_out_step_ends_with_it_while_the_run_continues() {
    let (kept, dropped, body) = moved(false);
    let (loom, recorder) = recorded();
    let inner = Arc::new(step(body).named("inner").timeout(ms(10)).or_else(one));
    let outer = step(move |cx: RunContext, _: ()| {
        let (inner, kept) = (inner.clone(), kept.clone());
        async move {
            let got = cx.step("wrapped", &*inner, ()).await?;
            let told = taken(&kept);
            assert_eq!(told.await.unwrap().unwrap_err().kind(), ErrorKind::Stopped);
            Ok::<_, Error>(got)
        }
    });
    let _ = &dropped;
    let outcome = loom
        .session("alice")
        .run(&outer.named("outer"), ())
        .await
        .unwrap();
    assert_eq!(outcome.output, 1);
    assert!(dropped.get());
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_question_asked_from_a_moved_task_pauses_its_run_and_is_answered_there() {
    let body = |cx: RunContext, _: ()| async move {
        let asks = tokio::spawn(async move {
            sleep(5).await;
            cx.ask::<bool>("sure", "?").await
        });
        asks.await.map_err(Error::from_any)?
    };
    let (loom, recorder) = recorded();
    let (session, body) = (loom.session("alice"), step(body).named("body"));
    let paused = session.run(&body, ()).await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    assert!(
        session
            .resume(&run_id(&paused), &body)
            .await
            .unwrap()
            .output
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_question_asked_after_its_effect_returned_doesnt_pause_the_run() {
    let asked: Kept<oneshot::Receiver<bool>> = Arc::default();
    let body = {
        let asked = asked.clone();
        move |cx: RunContext, _: ()| {
            let asked = asked.clone();
            async move {
                let late = move |inner: RunContext, _: ()| {
                    let (done, is_done) = oneshot::channel();
                    *asked.lock().unwrap() = Some(is_done);
                    tokio::spawn(async move {
                        sleep(5).await;
                        let _ = done.send(inner.ask::<bool>("late", "?").await.is_ok());
                    });
                    async { Ok::<_, Error>(1u64) }
                };
                let got = cx.step("late", &late, ()).await?;
                sleep(10).await;
                Ok::<_, Error>(got)
            }
        }
    };
    let (loom, recorder) = recorded();
    let session = loom.session("alice");
    let outcome = session.run(&step(body).named("body"), ()).await.unwrap();
    assert_eq!(outcome.output, 1);
    assert!(!taken(&asked).await.unwrap());
    assert!(
        loom.paused(&session.scope().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ignores_stopped_for_ever_is_ended() {
    for from_branch in [false, true] {
        let body = move |cx: RunContext, _: ()| async move {
            let stubborn = |cx: RunContext| async move {
                let _ = cx.ask::<bool>("sure", "?").await;
                loop {
                    let _ = cx.step("again", &one, ()).await;
                    let _ = cx.ask::<bool>("again", "?").await;
                }
            };
            if from_branch {
                let it = cx.join(2, [Branch::new(stubborn)]).await?;
                return Ok::<u64, Error>(it[0]);
            }
            stubborn(cx).await
        };
        let (loom, recorder) = recorded();
        let ended = loom
            .session("alice")
            .run(&step(body).named("body"), ())
            .await
            .unwrap_err();
        assert_eq!(ended.kind(), RunErrorKind::Paused, "{ended}");
        assert_eq!(ended.questions().len(), 1);
        check_record(&recorder.events());
    }
}

#[tokio::test]
async fn a_step_used_from_a_blocking_thread_ends_with_its_run() {
    let (loom, recorder) = recorded();
    let done: Kept<tokio::task::JoinHandle<Result<u64>>> = Arc::default();
    let body = {
        let done = done.clone();
        move |cx: RunContext, _: ()| {
            let done = done.clone();
            async move {
                let inner = cx.clone();
                let task = tokio::task::spawn_blocking(move || {
                    block_on(inner.step("blocked", &forever, ()))
                });
                *done.lock().unwrap() = Some(task);
                pending::<Result<u64>>().await
            }
        }
    };
    let (session, body): (Session, _) = (loom.session("alice"), step(body).named("body"));
    let mut run = session.run(&body, ());
    assert!(poll!(&mut run).is_pending());
    while recorder.spans().len() < 2 {
        tokio::task::yield_now().await;
        assert!(poll!(&mut run).is_pending());
    }
    run.handle().cancel();
    let ended = run.await.unwrap_err();
    assert_eq!(
        ended.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    let task = taken(&done);
    assert_eq!(task.await.unwrap().unwrap_err().kind(), ErrorKind::Stopped);
    check_record(&recorder.events());
}
