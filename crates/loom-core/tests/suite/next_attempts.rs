//! The attempt that a run makes by itself, since it was answered while it paused: its lease, and how
//! the run ends if the attempt can't be made.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::executor::block_on;
use loom_core::{ErrorKind, Loom, MemoryJournal, RunErrorKind, RunStatus};

use crate::answered_meanwhile::answered_at_once;
use crate::journaled::Log;
use crate::recorded::{recorded_by, story};
use crate::unruly_journals::{Call, Unruly, Wild};

/// Notes how it is written to and renewed, and may fail to read once a run paused.
#[derive(Default)]
struct Noting {
    inner: MemoryJournal,
    log: Log,
    breaks: AtomicBool,
    paused: AtomicBool,
}

impl Unruly for Noting {
    fn inner(&self) -> &MemoryJournal {
        &self.inner
    }

    async fn before(&self, call: Call<'_>) {
        match call {
            Call::Renew => self.log.note("renew"),
            Call::Write(batch) => {
                let status = batch.head.status;
                self.log.note(status.as_str());
                if status == RunStatus::Paused {
                    self.paused.store(true, Ordering::Relaxed);
                }
            }
            Call::Read if self.breaks.load(Ordering::Relaxed) => {
                assert!(!self.paused.load(Ordering::Relaxed), "the disk is gone");
            }
            _ => (),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_before_a_run_resumes_by_itself() {
    let journal = Wild::<Noting>::default();
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let outcome = answered_at_once(&session, &recorder, 1).await.unwrap();
    assert_eq!(outcome.output, 1);
    let log = journal.0.log.take();
    let paused = log.iter().position(|it| it == "paused");
    assert_eq!(log[paused.unwrap() + 1], "renew", "{log:?}");
}

#[test]
fn a_run_that_can_not_resume_by_itself_ends_as_broken_with_its_report_and_is_settled() {
    let journal = Wild::<Noting>::default();
    journal.0.breaks.store(true, Ordering::Relaxed);
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    let ended = block_on(answered_at_once(&session, &recorder, 1)).unwrap_err();
    assert_eq!(ended.kind(), RunErrorKind::Broken);
    assert_eq!(ended.error().kind(), ErrorKind::Failed);
    assert!(ended.message().contains("the disk is gone"), "{ended}");
    let report = ended.report().expect("it has a report");
    assert_eq!(report.usage, report.attempt);
    assert_eq!(report.charged.effects, 1, "slow0: the others paused");
    let story = story(&recorder);
    assert_eq!(
        story[story.len() - 2..],
        ["close asks paused", "settled asks"]
    );
    assert_eq!(journal.0.log.take().last().unwrap(), "failed");
}
