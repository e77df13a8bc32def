//! A run is cancelled by its id, wherever it is.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{CancelReason, ErrorKind, Loom, MemoryJournal, RunErrorKind, RunId, Session};
use loom_testing::Recorder;
use tokio::time::sleep;

use crate::journaled::{Log, Refund, asked, run_id, waiting};
use crate::recorded::{recorded_by, story, tree};
use crate::steps::{forever, wait};

fn desk(journal: &Arc<MemoryJournal>) -> (Recorder, Loom, Session) {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .journal(journal.clone())
        .observe(recorder.clone())
        .build();
    let session = loom.session("alice").id("desk");
    (recorder, loom, session)
}

#[test]
fn c09_a_paused_run_is_cancelled_by_its_id_and_closed_in_the_record() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (first, _, session) = desk(&journal);
        let scope = session.scope().unwrap();
        let refund = Refund(Log::default());
        let paused = session.run(&refund, "go").await.unwrap_err();
        let run = run_id(&paused);

        let (recorder, loom, session) = desk(&journal);
        loom.cancel(&scope, &run).await.unwrap();
        assert_eq!(
            story(&recorder),
            [
                "open refund",
                "note refund resumed",
                "close refund cancelled (requested)",
                "settled refund",
            ]
        );
        let [before, after] = [&first.spans()[0], &recorder.spans()[0]];
        assert_eq!((&after.run, after.trace), (&before.run, before.trace));
        assert_eq!(waiting(&journal, &scope).await, []);
        let late = session.answer(&run, asked(&paused)[0], true).await;
        assert_eq!(
            late.unwrap_err().message(),
            format!("the run {run} doesn't wait for the question at \"refund/sure\" any more")
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_live_run_is_cancelled_by_its_id() {
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, loom, session) = desk(&journal);
    let run = session.run(&forever, "go");
    let id = run.handle().run_id().clone();
    let cancels = async {
        sleep(Duration::from_secs(1)).await;
        loom.cancel(&session.scope().unwrap(), &id).await
    };
    let (cancelled, done) = futures::join!(run, cancels);
    done.unwrap();
    assert_eq!(
        cancelled.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run forever ✗ cancelled (requested)"]
    );
}

#[test]
fn a_live_run_needs_no_journal_to_be_cancelled() {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let session = loom.session("alice").id("desk");
    block_on(async {
        let mut run = session.run(&forever, "go");
        assert!((&mut run).now_or_never().is_none());
        let id = run.handle().run_id().clone();
        loom.cancel(&session.scope().unwrap(), &id).await.unwrap();
        let cancelled = run.await.unwrap_err();
        assert_eq!(
            cancelled.kind(),
            RunErrorKind::Cancelled(CancelReason::Requested)
        );
    });
}

#[test]
fn what_is_not_this_partition_s_or_has_ended_is_not_cancelled() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (recorder, loom, session) = desk(&journal);
        let paused = session
            .run(&Refund(Log::default()), "go")
            .await
            .unwrap_err();
        let ended = session.run(&wait, 0u32).await.unwrap();
        recorder.clear();
        let bob = loom.session("bob").id("desk").scope().unwrap();
        let alice = session.scope().unwrap();
        let unknown = RunId::new("unknown").unwrap();
        for (scope, run) in [
            (&bob, run_id(&paused)),
            (&alice, unknown),
            (&alice, ended.run_id.clone()),
        ] {
            let refused = loom.cancel(scope, &run).await;
            let error = refused.expect_err(run.as_str());
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }
        assert_eq!(recorder.events(), [], "nothing is opened");
        assert_eq!(waiting(&journal, &alice).await.len(), 1);
        let outcome = session.resume(&ended.run_id, &wait).await.unwrap();
        assert_eq!(outcome.output, 0, "what has ended stays ended");
    });
}

#[test]
fn a_run_that_was_left_behind_is_cancelled_by_its_id() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, _, session) = desk(&journal);
        let mut run = session.run(&wait, 9u32);
        let id = run.handle().run_id().clone();
        assert!((&mut run).now_or_never().is_none());
        drop(run);
        let (recorder, loom, session) = desk(&journal);
        loom.cancel(&session.scope().unwrap(), &id).await.unwrap();
        assert_eq!(
            tree(&recorder),
            ["loom.workflow.run wait ✗ cancelled (requested)"]
        );
    });
}

#[test]
fn a_caller_may_resume_what_was_cancelled() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, loom, session) = desk(&journal);
        let refund = Refund(Log::default());
        let paused = session.run(&refund, "go").await.unwrap_err();
        let run = run_id(&paused);
        loom.cancel(&session.scope().unwrap(), &run).await.unwrap();
        let (_, session) = recorded_by(Loom::builder().journal(journal.clone()));
        let again = session.id("desk").resume(&run, &refund).await.unwrap_err();
        assert_eq!(again.questions(), paused.questions());
    });
}
