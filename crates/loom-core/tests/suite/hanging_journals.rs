//! A journal that hangs holds up neither the end of a run nor its output.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{join, pending};
use loom_core::{
    CancelReason, ErrorKind, Loom, LoomBuilder, MemoryJournal, Result, RunContext, RunErrorKind,
    RunStatus, Session, step,
};
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, recorded_by, story, tree};
use crate::steps::echo;
use crate::unruly_journals::{Call, Unruly, Wild};

/// Where a journal hangs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Claim,
    FirstSave,
    LastSave,
}

/// A journal that hangs.
struct Hangs {
    at: At,
    saved: AtomicU32,
    inner: MemoryJournal,
}

impl Hangs {
    fn at(at: At) -> LoomBuilder {
        Loom::builder().journal(Wild(Arc::new(Self {
            at,
            saved: AtomicU32::new(0),
            inner: MemoryJournal::default(),
        })))
    }
}

impl Unruly for Hangs {
    fn inner(&self) -> &MemoryJournal {
        &self.inner
    }

    /// A run of one step is saved when it begins, when its step ends and when it ends.
    async fn before(&self, call: Call<'_>) {
        let hangs = match call {
            Call::Claim => self.at == At::Claim,
            Call::Write(batch) => {
                let before = self.saved.fetch_add(1, Ordering::Relaxed);
                match self.at {
                    At::Claim => false,
                    At::FirstSave => before == 0,
                    At::LastSave => batch.head.status != RunStatus::Open,
                }
            }
            _ => false,
        };
        if hangs {
            pending::<()>().await;
        }
    }
}

/// Why the run was cancelled, and after how many seconds; it is cancelled by hand after two.
async fn cancelled(session: &Session) -> (CancelReason, u64) {
    let started = Instant::now();
    let run = session.run(&echo, "go");
    let handle = run.handle();
    let by_hand = async {
        sleep(Duration::from_secs(2)).await;
        handle.cancel();
    };
    // Measured where the run ends: the sleep beside it may take longer.
    let run = run.map(|it| (it, started.elapsed().as_secs()));
    let ((ended, seconds), ()) = join(run, by_hand).await;
    let RunErrorKind::Cancelled(why) = ended.unwrap_err().kind() else {
        panic!("it wasn't cancelled")
    };
    (why, seconds)
}

#[tokio::test(start_paused = true)]
async fn the_deadline_and_a_cancel_end_a_run_whose_journal_hangs() {
    for at in [At::Claim, At::FirstSave] {
        let (_, session) = recorded_by(Hangs::at(at));
        let hurried = session.clone().deadline(Duration::from_secs(1));
        let by_deadline = (CancelReason::Deadline, 1);
        assert_eq!(cancelled(&hurried).await, by_deadline, "{at:?}");
        let (_, session) = recorded_by(Hangs::at(at));
        let by_hand = (CancelReason::Requested, 2);
        assert_eq!(cancelled(&session).await, by_hand, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_output_is_given_though_the_journal_hangs_in_the_last_save() {
    let (recorder, session) = recorded_by(Hangs::at(At::LastSave).settle_ms_max(20));
    let session = session.deadline(Duration::from_millis(5));
    let started = Instant::now();
    let outcome = session.run(&echo, "go").await.unwrap();
    let took = started.elapsed();
    assert!((20..30).contains(&took.as_millis()), "{took:?}");
    assert_eq!(outcome.output, "go");
    let [unsettled] = &outcome.settled[..] else {
        panic!("{:?}", outcome.settled);
    };
    assert_eq!(unsettled.name, "journal");
    let error = unsettled.result.as_ref().unwrap_err();
    assert_eq!(error.message(), "it didn't settle within 20ms");
    assert_eq!(
        story(&recorder),
        ["open echo", "close echo completed", "settled echo"]
    );
    assert_eq!(outcome.durable().unwrap_err().kind(), ErrorKind::Failed);
}

/// Begins a run of bob's, whose journal hangs.
async fn begins_another(_: RunContext, text: String) -> Result<String> {
    let (_, session) = recorded_by(Hangs::at(At::Claim));
    let hurried = session.run(&echo, text).deadline(Duration::from_millis(50));
    Ok(hurried.await?.output)
}

#[tokio::test(start_paused = true)]
async fn c07_the_deadline_of_another_run_is_an_ordinary_failure_of_the_step_that_began_it() {
    async fn outer(cx: RunContext, text: String) -> Result<String> {
        cx.step("inner", &begins_another, text).await
    }
    let (recorder, session) = recorded();
    let error = session.run(&outer, "go").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Failed);
    assert_eq!(error.error().kind(), ErrorKind::Failed);
    assert_eq!(
        error.to_string(),
        "outer/inner: the run was cancelled (deadline)"
    );
    assert!(error.source().is_none(), "nothing lies below it");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run outer ✗ failed",
            "  loom.workflow.step inner ✗ failed"
        ]
    );

    let wrapped = step(begins_another).or_else(echo);
    assert_eq!(session.run(&wrapped, "go").await.unwrap().output, "go");
}
