//! What a run's end is recorded as.

use tokio::runtime::Handle;

use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind};
use crate::journal::{Lost, Released, RunJournal, RunStatus};
use crate::outcome::Settlement;
use crate::poll::{caught, within};
use crate::run_error::{RunError, RunErrorKind};
use crate::tree::Tree;

pub(super) enum Saved {
    Written,
    Answered,
    Failed(Error),
}

/// Writes into the journal how the run ended.
pub(super) async fn save<T>(
    tree: &Tree,
    journal: &RunJournal,
    ended: &Result<T, RunError>,
) -> Saved {
    let status = match ended.as_ref().map_err(RunError::kind) {
        Ok(_) => RunStatus::Ended,
        Err(RunErrorKind::Paused) => {
            tree.ledger.refund_paused();
            RunStatus::Paused
        }
        Err(RunErrorKind::Cancelled(CancelReason::TakenOver)) => return Saved::Written,
        Err(RunErrorKind::Cancelled(_)) => RunStatus::Cancelled,
        Err(RunErrorKind::Broken) if journal.is_lost() => return Saved::Written,
        Err(_) => RunStatus::Failed,
    };
    let usage = match journal.usage(tree) {
        Ok(usage) => usage,
        Err(error) => return Saved::Failed(error),
    };
    // Like all that settles: it never holds a finished output up for long.
    let limit = Handle::try_current()
        .is_ok()
        .then_some(tree.parts.settle_max);
    let saved = journal.write_as(tree, status, vec![usage]);
    match caught(within(limit, saved)).await {
        Ok(Some(Ok(()))) => Saved::Written,
        Ok(Some(Err(Lost::Answered))) => Saved::Answered,
        Ok(Some(Err(Lost::Store(error)))) => Saved::Failed(error),
        Ok(Some(Err(Lost::TakenOver))) => Saved::Failed(Error::new(
            ErrorKind::Failed,
            "another worker took the run over",
        )),
        Ok(None) => Saved::Failed(Error::new(
            ErrorKind::Failed,
            format!("it didn't settle within {:?}", tree.parts.settle_max),
        )),
        Err(panic) => Saved::Failed(Error::new(
            ErrorKind::Failed,
            format!("it panicked while settling: {panic}"),
        )),
    }
}

/// Gives the run back for others to resume.
pub(super) fn give_back<T>(
    journal: &RunJournal,
    ended: &Result<T, RunError>,
) -> Option<Settlement> {
    let how = match ended.as_ref().map_err(RunError::kind) {
        Err(RunErrorKind::Paused) => Released::Paused,
        Ok(_) | Err(_) => Released::Ended,
    };
    let panic = journal.release(how).err()?;
    let message = format!("it panicked while it gave the run back: {panic}");
    let error = Error::new(ErrorKind::Failed, message);
    Some(Settlement::new("journal", Err(error)))
}
