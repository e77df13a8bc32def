//! A loom that shuts down begins nothing more, waits, and cancels what is left.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use loom_core::{
    CancelReason, Ending, Event, EventKind, Loom, MemoryJournal, Observer, Result, RunContext,
    RunErrorKind, RunId, Session, Settlement, Shutdown, StreamItem,
};
use loom_testing::Recorder;
use tokio::time::{Instant, sleep};

use crate::journaled::{Log, Refund, answer_all, run_id};
use crate::recorded::{assert_well_formed, tree};
use crate::steps::echo;

const SECOND: Duration = Duration::from_secs(1);

async fn naps(secs: u64) -> Result<u64> {
    sleep(Duration::from_secs(secs)).await;
    Ok(secs)
}

fn watched() -> (Recorder, Loom, Session) {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let session = loom.session("alice");
    (recorder, loom, session)
}

/// How many finished and how many were cancelled, and after how many seconds.
async fn shut_down(loom: &Loom, deadline: Duration) -> (usize, usize, u64) {
    let started = Instant::now();
    let Shutdown {
        finished,
        cancelled,
        ..
    } = loom.shutdown(deadline).await;
    (finished, cancelled, started.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn an_idle_loom_shuts_down_at_once_and_again() {
    let (_, loom, _) = watched();
    assert_eq!(shut_down(&loom, 60 * SECOND).await, (0, 0, 0));
    assert_eq!(shut_down(&loom, Duration::ZERO).await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_runs_that_end_in_time() {
    let (recorder, loom, session) = watched();
    let runs = [10, 20, 30].map(|secs: u64| session.run(&naps, secs));
    let (runs, shutdown) = futures::join!(join_all(runs), shut_down(&loom, 60 * SECOND));
    assert_eq!(shutdown, (3, 0, 30));
    let outputs: Vec<u64> = runs.into_iter().map(|it| it.unwrap().output).collect();
    assert_eq!(outputs, [10, 20, 30]);
    assert_eq!(tree(&recorder), ["loom.workflow.run naps"; 3]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_after_the_deadline_is_cancelled_with_all_that_is_nested() {
    async fn nests(cx: RunContext, secs: u64) -> Result<u64> {
        cx.step("inner", &naps, secs).await
    }
    let (recorder, loom, session) = watched();
    let runs = [10, 3600].map(|secs: u64| session.run(&nests, secs));
    let (runs, shutdown) = futures::join!(join_all(runs), shut_down(&loom, 60 * SECOND));
    assert_eq!(shutdown, (1, 1, 60));
    let cancelled = runs[1].as_ref().unwrap_err();
    assert_eq!(
        cancelled.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert!(runs[0].is_ok());
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run nests",
            "  loom.workflow.step inner",
            "loom.workflow.run nests ✗ cancelled (requested)",
            "  loom.workflow.step inner ✗ cancelled (requested)",
        ]
    );
    assert_eq!(loom.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_further_run_begins_however_it_is_begun() {
    let (recorder, loom, session) = watched();
    let started = session.run(&echo, "early");
    let stream = session.run(&echo, "early").stream();
    shut_down(&loom, SECOND).await;
    let mut stream = stream;
    let Some(StreamItem::Done(streamed)) = stream.next().await else {
        panic!("nothing happens in it")
    };
    let refused = [
        session.run(&echo, "late").await,
        started.await,
        streamed,
        loom.anonymous().run(&echo, "late").await,
        loom.clone().session("bob").run(&echo, "late").await,
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(
            error.kind(),
            RunErrorKind::Cancelled(CancelReason::Requested)
        );
        assert_eq!(
            error.to_string(),
            "the loom is shutting down and begins no further run"
        );
        assert!(error.report().is_none());
    }
    assert!(recorder.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_may_still_take_steps() {
    async fn steps(cx: RunContext, _: ()) -> Result<u64> {
        cx.step("one", &naps, 10u64).await?;
        cx.step("two", &naps, 10u64).await
    }
    let (_, loom, session) = watched();
    let (run, shutdown) = futures::join!(session.run(&steps, ()), shut_down(&loom, 60 * SECOND));
    assert_eq!((run.unwrap().output, shutdown), (10, (1, 0, 20)));
}

#[tokio::test(start_paused = true)]
async fn runs_that_are_started_or_streamed_are_waited_for_until_their_driver_lets_go() {
    let (recorder, loom, session) = watched();
    let mut started = session.run(&naps, 3600u64);
    let mut stream = session.run(&naps, 3600u64).stream();
    assert!((&mut started).now_or_never().is_none());
    assert!(stream.next().now_or_never().is_some());
    assert_eq!(loom.running(), 2);
    let lets_go = async {
        sleep(30 * SECOND).await;
        drop(started);
        sleep(60 * SECOND).await;
        let mut items = Vec::new();
        while let Some(item) = stream.next().await {
            items.push(item);
        }
        items
    };
    let (items, shutdown) = futures::join!(lets_go, shut_down(&loom, 60 * SECOND));
    assert_eq!(shutdown, (1, 1, 90), "one was dropped, one read to its end");
    assert!(matches!(&items[..], [.., StreamItem::Done(Err(_))]));
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run naps ✗ cancelled (dropped)",
            "loom.workflow.run naps ✗ cancelled (requested)",
        ]
    );
}

/// Settles after a while.
struct SettlesIn(Duration);

impl Observer for SettlesIn {
    fn on_event(&self, _event: &Event<'_>) {}

    async fn settle(&self, _run: &RunId) -> Settlement {
        sleep(self.0).await;
        Settlement::new("slow", Ok(None))
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_settled_before_the_shutdown_ends() {
    let loom = Loom::builder().observe(SettlesIn(3 * SECOND)).build();
    let session = loom.session("alice");
    let run = session.run(&naps, 3600u64);
    let (run, shutdown) = futures::join!(run, shut_down(&loom, 60 * SECOND));
    assert_eq!(shutdown, (0, 1, 63));
    let report = run.unwrap_err();
    let settled = &report.report().unwrap().settled;
    assert_eq!(settled.len(), 1);
    assert!(settled[0].result.is_ok());
}

#[tokio::test(start_paused = true)]
async fn two_who_shut_down_both_see_it_end() {
    let (_, loom, session) = watched();
    let (hasty, patient) = (5 * SECOND, 3600 * SECOND);
    let (run, hasty, patient) = futures::join!(
        session.run(&naps, 60u64),
        shut_down(&loom, hasty),
        shut_down(&loom, patient)
    );
    assert_eq!(
        run.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!((hasty, patient.2), ((0, 1, 5), 5));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_an_answer_does_not_keep_a_loom_from_shutting_down() {
    let journal = Arc::new(MemoryJournal::default());
    let wired = || Loom::builder().journal(journal.clone()).build();
    let (loom, log) = (wired(), Log::default());
    let session = loom.session("alice").id("desk");
    let paused = session.run(&Refund(log.clone()), "go").await.unwrap_err();
    assert_eq!(shut_down(&loom, 60 * SECOND).await, (0, 0, 0));
    let error = session.resume(&run_id(&paused), &Refund(log.clone())).await;
    assert_eq!(
        error.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    let session = wired().session("alice").id("desk");
    answer_all(&session, &paused, true).await;
    let outcome = session.resume(&run_id(&paused), &Refund(log)).await;
    assert_eq!(outcome.unwrap().output, "go load pay");
}

/// The share of a large shutdown that must be cancelled, all of it resumable elsewhere.
#[tokio::test(start_paused = true)]
async fn ten_thousand_runs_end_in_time_and_those_that_were_cancelled_are_resumed_elsewhere() {
    const RUNS: u64 = 10_000;
    async fn two_naps(cx: RunContext, secs: u64) -> Result<u64> {
        cx.step("first", &naps, 1u64).await?;
        cx.step("second", &naps, secs).await
    }
    let journal = Arc::new(MemoryJournal::default());
    // Nobody dies here: renewals would be most of the work.
    let wired = || {
        let loom = Loom::builder().journal(journal.clone());
        loom.lease(86_400 * SECOND).build()
    };
    let loom = wired();
    let session = loom.session("alice").id("desk");
    let secs = |n: u64| -> u64 { if n.is_multiple_of(4) { 3600 } else { 10 } };
    let runs = (0..RUNS).map(|n| session.run(&two_naps, secs(n)));
    let shutdown = async {
        // So many don't all begin in one poll.
        sleep(SECOND / 2).await;
        assert_eq!(u64::try_from(loom.running()).unwrap(), RUNS);
        shut_down(&loom, 60 * SECOND).await
    };
    let (runs, shutdown) = futures::join!(join_all(runs), shutdown);
    let cancelled = usize::try_from(RUNS / 4).unwrap();
    assert_eq!(shutdown, (3 * cancelled, cancelled, 60));

    let loom = wired();
    let session = loom.session("alice").id("desk");
    let resumed = runs
        .iter()
        .filter_map(|run| run.as_ref().err())
        .map(|error| {
            assert_eq!(
                error.kind(),
                RunErrorKind::Cancelled(CancelReason::Requested)
            );
            let (session, id) = (session.clone(), run_id(error));
            async move { session.resume(&id, &two_naps).await }
        });
    let resumed = join_all(resumed.collect::<Vec<_>>()).await;
    assert_eq!(resumed.len(), cancelled);
    for outcome in resumed {
        let outcome = outcome.unwrap();
        assert_eq!(outcome.output, 3600);
        assert_eq!(outcome.visited, ["first", "second"]);
    }
}

/// Counts the effects that are open.
#[derive(Default)]
struct Open(std::sync::atomic::AtomicI64);

impl Observer for Open {
    fn on_event(&self, event: &Event<'_>) {
        use std::sync::atomic::Ordering::Relaxed;

        match &event.kind {
            EventKind::Opened { .. } => self.0.fetch_add(1, Relaxed),
            EventKind::Closed(closed) => {
                assert!(matches!(
                    closed.ending,
                    Ending::Completed | Ending::Cancelled { .. }
                ));
                self.0.fetch_sub(1, Relaxed)
            }
            _ => 0,
        };
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_open_once_a_shutdown_has_ended() {
    let (recorder, open) = (Recorder::default(), Arc::new(Open::default()));
    let loom = Loom::builder()
        .observe(recorder.clone())
        .observe(open.clone())
        .build();
    let session = loom.session("alice");
    let runs = tokio::spawn({
        let session = session.clone();
        async move {
            join_all((0..8u64).map(|n| session.run(&naps, 20 * n + 10)))
                .await
                .len()
        }
    });
    tokio::task::yield_now().await;
    assert_eq!(shut_down(&loom, 60 * SECOND).await, (3, 5, 60));
    assert_eq!(open.0.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_well_formed(&recorder);
    assert_eq!(runs.await.unwrap(), 8);
}
