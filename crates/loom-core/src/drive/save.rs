//! What a run's end is recorded as.

use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind};
use crate::journal::{Lost, Released, RunJournal, RunStatus};
use crate::outcome::Settlement;
use crate::poll::{caught, within};
use crate::run_error::{RunError, RunErrorKind};
use crate::tree::Tree;

/// Writes into the journal how the run ended.
pub(super) async fn save<T>(
    tree: &Tree,
    journal: &RunJournal,
    ended: &Result<T, RunError>,
) -> Result<(), Lost> {
    let status = match ended.as_ref().map_err(RunError::kind) {
        Ok(_) => RunStatus::Ended,
        Err(RunErrorKind::Paused) => {
            tree.ledger.refund_paused();
            RunStatus::Paused
        }
        Err(RunErrorKind::Cancelled(CancelReason::TakenOver)) => return Ok(()),
        Err(RunErrorKind::Cancelled(_)) => RunStatus::Cancelled,
        Err(RunErrorKind::Broken) if journal.is_lost() => return Ok(()),
        Err(_) => RunStatus::Failed,
    };
    let usage = journal.usage(tree).map_err(Lost::Store)?;
    // Like all that settles: it never holds a finished output up for long.
    let limit = tree.parts.has_timer().then_some(tree.parts.settle_max);
    let saved = journal.write_as(tree, status, vec![usage]);
    let why = match caught(within(limit, saved)).await {
        Ok(Some(saved)) => return saved,
        Ok(None) => format!("it didn't settle within {:?}", tree.parts.settle_max),
        Err(panic) => format!("it panicked while settling: {panic}"),
    };
    Err(Lost::Store(Error::new(ErrorKind::Failed, why)))
}

/// Releases the run for others to resume.
pub(super) fn release<T>(journal: &RunJournal, ended: &Result<T, RunError>) -> Option<Settlement> {
    let how = match ended.as_ref().map_err(RunError::kind) {
        Err(RunErrorKind::Paused) => Released::Paused,
        Ok(_) | Err(_) => Released::Ended,
    };
    let panic = journal.release(how).err()?;
    let message = format!("it panicked while it released the run: {panic}");
    let error = Error::new(ErrorKind::Failed, message);
    Some(Settlement::new("journal", Err(error)))
}
