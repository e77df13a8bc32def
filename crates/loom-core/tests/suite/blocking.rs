//! A synchronous function runs on a thread of its own; a run that is cancelled doesn't wait for it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use loom_core::{
    CancelReason, ErrorKind, IntoStep, Loom, Result, RunContext, RunErrorKind, Session, StopFlag,
    blocking, step,
};
use loom_testing::Recorder;
use tokio::sync::oneshot;

use crate::recorded::tree;
use crate::steps::{give_way, wait};

fn watched(blocking_max: usize) -> (Recorder, Loom, Session) {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .observe(recorder.clone())
        .blocking_max(blocking_max)
        .build();
    let session = loom.session("alice");
    (recorder, loom, session)
}

/// A step that says when it begins, and returns once it is let go.
struct Held {
    begun: tokio::sync::mpsc::UnboundedReceiver<()>,
    let_go: Sender<()>,
}

fn held() -> (Held, impl Fn(u32) -> Result<u32> + Send + Sync + 'static) {
    let (say, begun) = tokio::sync::mpsc::unbounded_channel();
    let (let_go, go): (Sender<()>, Receiver<()>) = channel();
    let go = Mutex::new(go);
    let body = move |n: u32| {
        say.send(()).unwrap();
        // An error means that the test is over.
        let _ = go.lock().unwrap().recv();
        Ok(n)
    };
    (Held { begun, let_go }, body)
}

/// Waits for threads that return by themselves.
async fn none_running(loom: &Loom) {
    while loom.blocking_running() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_runs_as_a_step_on_another_thread() {
    fn here(_: ()) -> Result<String> {
        Ok(format!("{:?}", std::thread::current().id()))
    }
    let (recorder, loom, session) = watched(1);
    let outcome = session.run(&blocking(here), ()).await.unwrap();
    assert_ne!(outcome.output, format!("{:?}", std::thread::current().id()));
    assert_eq!(tree(&recorder), ["loom.workflow.run here"]);
    assert_eq!(loom.blocking_running(), 0);
}

#[test]
fn a_function_is_called_by_its_own_name_and_a_closure_by_none() {
    fn plain(_: StopFlag, n: u32) -> Result<u32> {
        Ok(n)
    }
    let name = |step: &dyn Fn() -> loom_core::Info| step().name.to_string();
    assert_eq!(name(&|| blocking(plain).step_info()), "plain");
    let closure = || blocking(|n: u32| Ok::<_, std::fmt::Error>(n)).step_info();
    assert_eq!(name(&closure), "");
}

#[tokio::test]
async fn its_error_is_the_steps_and_is_retried_like_any_other() {
    let calls = Arc::new(Mutex::new(0));
    let counted = calls.clone();
    let parse = move |text: String| {
        *counted.lock().unwrap() += 1;
        text.parse::<u32>()
    };
    let (recorder, _, session) = watched(1);
    let parse = step(blocking(parse))
        .retry(3)
        .backoff(Duration::ZERO, Duration::ZERO);
    let error = session.run(&parse, "seven").await.unwrap_err();
    assert_eq!(
        (error.error().kind(), error.message()),
        (ErrorKind::Failed, "invalid digit found in string")
    );
    assert_eq!(*calls.lock().unwrap(), 3);
    assert_eq!(recorder.spans()[0].notes, ["retry", "retry"]);
}

#[tokio::test]
async fn f059_a_panic_in_it_is_an_error_and_its_thread_is_free_again() {
    fn breaks(what: u32) -> Result<u32> {
        panic!("no {what} today")
    }
    let (recorder, loom, session) = watched(1);
    for _ in 0..3 {
        let error = session.run(&blocking(breaks), 7u32).await.unwrap_err();
        assert_eq!(
            (error.error().kind(), error.message()),
            (ErrorKind::Panicked, "no 7 today")
        );
    }
    assert_eq!(loom.blocking_running(), 0);
    assert_eq!(tree(&recorder), ["loom.workflow.run breaks ✗ failed"; 3]);
}

#[tokio::test]
async fn f062_a_cancelled_run_ends_without_its_thread_which_is_counted_and_capped() {
    let (mut held, body) = held();
    let (recorder, loom, session) = watched(1);
    let body = blocking(body);
    let mut run = session.run(&body, 1u32);
    assert!((&mut run).now_or_never().is_none());
    held.begun.recv().await.unwrap();
    run.handle().cancel();
    assert_eq!(
        run.await.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run function ✗ cancelled (requested)"]
    );
    assert_eq!((loom.running(), loom.blocking_running()), (0, 1));

    let mut next = session.run(&body, 2u32);
    for _ in 0..10 {
        assert!((&mut next).now_or_never().is_none(), "there is no room");
        give_way().await;
    }
    assert!(held.begun.try_recv().is_err());
    held.let_go.send(()).unwrap();
    held.let_go.send(()).unwrap();
    assert_eq!(next.await.unwrap().output, 2);
    assert_eq!(loom.blocking_running(), 0);
}

/// Lets time pass once the function has begun; paused time doesn't by itself while a thread works.
async fn a_minute_after(held: &mut Held) {
    held.begun.recv().await.unwrap();
    tokio::time::advance(MINUTE).await;
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn f062_a_deadline_does_not_wait_for_it() {
    let (mut held, body) = held();
    let (_, loom, session) = watched(1);
    let (session, body) = (session.deadline(MINUTE), blocking(body));
    let run = session.run(&body, 1u32);
    let (result, ()) = futures::join!(run, a_minute_after(&mut held));
    assert_eq!(
        result.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(loom.blocking_running(), 1);
    drop(held);
    none_running(&loom).await;
}

#[tokio::test(start_paused = true)]
async fn f062_a_timeout_does_not_wait_for_it() {
    let (mut held, body) = held();
    let (_, loom, session) = watched(1);
    let body = step(blocking(body)).timeout(MINUTE);
    let run = session.run(&body, 1u32);
    let (result, ()) = futures::join!(run, a_minute_after(&mut held));
    assert_eq!(result.unwrap_err().error().kind(), ErrorKind::Timeout);
    assert_eq!(loom.blocking_running(), 1);
    drop(held);
    none_running(&loom).await;
}

#[tokio::test]
async fn f062_it_is_told_to_stop() {
    let (say, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let (tell, told) = oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let spins = move |stop: StopFlag, _: ()| {
        say.send(stop.is_set()).unwrap();
        while !stop.is_set() {
            std::thread::yield_now();
        }
        tell.lock().unwrap().take().unwrap().send(()).unwrap();
        Ok::<_, loom_core::Error>(())
    };
    let (_, loom, session) = watched(1);
    let spins = blocking(spins);
    let mut run = session.run(&spins, ());
    assert!((&mut run).now_or_never().is_none());
    assert_eq!(begun.recv().await, Some(false), "nobody gave up yet");
    drop(run);
    told.await.unwrap();
    none_running(&loom).await;
}

#[tokio::test]
async fn it_is_not_told_to_stop_while_somebody_waits() {
    let calm = |stop: StopFlag, n: u32| Ok::<_, loom_core::Error>((n, stop.is_set()));
    let (_, _, session) = watched(1);
    let outcome = session.run(&blocking(calm), 7u32).await.unwrap();
    assert_eq!(outcome.output, (7, false));
}

#[test]
fn what_waits_for_a_thread_when_its_run_is_cancelled_never_begins() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (keep, kept) = channel::<()>();
        let occupied = tokio::task::spawn_blocking(move || kept.recv());
        let begun = Arc::new(Mutex::new(0));
        let counted = begun.clone();
        let counts = blocking(move |n: u32| {
            *counted.lock().unwrap() += n;
            Ok::<_, loom_core::Error>(n)
        });
        let (_, loom, session) = watched(8);
        let mut run = session.run(&counts, 1u32);
        assert!((&mut run).now_or_never().is_none());
        run.handle().cancel();
        assert_eq!(
            run.await.unwrap_err().kind(),
            RunErrorKind::Cancelled(CancelReason::Requested)
        );
        drop(keep);
        occupied.await.unwrap().unwrap_err();
        none_running(&loom).await;
        assert_eq!(*begun.lock().unwrap(), 0, "its run is over");
    });
}

#[tokio::test]
async fn at_most_so_many_threads_run_at_a_time_and_the_rest_wait_in_order() {
    let (mut held, body) = held();
    let (_, loom, session) = watched(2);
    let body = blocking(body);
    let runs = futures::future::join_all((0..5u32).map(|n| session.run(&body, n)));
    let counts = async {
        let mut most = 0;
        for _ in 0..5 {
            held.begun.recv().await.unwrap();
            most = most.max(loom.blocking_running());
            held.let_go.send(()).unwrap();
        }
        most
    };
    let (runs, most) = futures::join!(runs, counts);
    let outputs: Vec<u32> = runs.into_iter().map(|it| it.unwrap().output).collect();
    assert_eq!(outputs, [0, 1, 2, 3, 4]);
    assert!((1..=2).contains(&most), "{most}");
    assert_eq!(loom.blocking_running(), 0);
}

#[tokio::test]
async fn other_steps_go_on_beside_it() {
    let (mut held, body) = held();
    let (_, _, session) = watched(1);
    let body = Arc::new(blocking(body));
    let inner = body.clone();
    let root = move |cx: RunContext, _: ()| {
        let body = inner.clone();
        async move {
            let (n, polls) = futures::join!(
                cx.step("blocks", &*body, 1u32),
                cx.step("beside", &wait, 5u32)
            );
            Ok::<_, loom_core::Error>(n? + polls?)
        }
    };
    let lets_go = async {
        held.begun.recv().await.unwrap();
        held.let_go.send(()).unwrap();
    };
    let (outcome, ()) = futures::join!(session.run(&root, ()), lets_go);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.output, 6);
    let mut visited = outcome.visited.clone();
    visited.sort_unstable();
    assert_eq!(visited, ["beside", "blocks"]);
}

#[tokio::test]
async fn at_least_one_thread_is_allowed() {
    let (_, _, session) = watched(0);
    let double = blocking(|n: u32| Ok::<_, loom_core::Error>(2 * n));
    assert_eq!(session.run(&double, 4u32).await.unwrap().output, 8);
}
