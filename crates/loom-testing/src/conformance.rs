//! What every journal does: scenarios to run against any store.

mod leases;
mod writing;
mod answers;
mod listing;
mod partitions;
mod values;
mod lapsing;
#[cfg(test)]
mod faulty;

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use loom_core::{
    Batch, Error, ErrorKind, Journal, JournalRun, Lease, Lost, Record, Released, Result, ResultExt,
    RunHead, RunId, RunStatus, Scope, SessionId, SlotKey, SlotKind, UserId,
};
use serde_json::Value;

/// Checks that a store keeps to what [`Journal`] promises, apart from leases that lapse.
///
/// `make` returns an empty store; each scenario gets one of its own.
///
/// # Errors
/// `Failed` where a store does something else: the message names the scenario, what was looked at,
/// what was found and what was expected. An error of the store itself is returned with the
/// scenario's name.
///
/// ```
/// use loom_core::MemoryJournal;
/// use loom_testing::check_journal;
///
/// # futures::executor::block_on(async {
/// check_journal(MemoryJournal::default).await?;
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub async fn check_journal<J: Journal>(make: impl Fn() -> J) -> Result<()> {
    check_leases(&make).await?;
    check_writes(&make).await?;
    check_lists(&make).await
}

async fn check_leases<J: Journal>(make: impl Fn() -> J) -> Result<()> {
    scenario(
        "a run is held by one worker until it is released",
        leases::one_worker_holds_a_run(&make()),
    )
    .await?;
    scenario(
        "of two claims at once one wins",
        leases::one_of_two_claims_wins(&make()),
    )
    .await?;
    scenario(
        "tokens rise with every claim, also of a forgotten run",
        leases::tokens_rise(&make()),
    )
    .await?;
    scenario(
        "a lease that is over writes, renews and releases nothing",
        leases::an_old_lease_does_nothing(&make()),
    )
    .await?;
    scenario(
        "a cancellation that was requested arrives with the renewal",
        leases::a_cancellation_arrives(&make()),
    )
    .await?;
    scenario(
        "a run without a head is known while it is held",
        leases::a_run_without_a_head(&make()),
    )
    .await
}

async fn check_writes<J: Journal>(make: impl Fn() -> J) -> Result<()> {
    scenario(
        "a batch is written as a whole or not at all",
        writing::all_or_nothing(&make()),
    )
    .await?;
    scenario(
        "a head is stored as it was written, but for the store's own fields",
        writing::a_head_comes_back(&make()),
    )
    .await?;
    scenario(
        "a pause that needn't wait is refused",
        writing::a_needless_pause_is_refused(&make()),
    )
    .await?;
    scenario(
        "every kind and path is a record of its own",
        values::every_slot_is_kept_apart(&make()),
    )
    .await?;
    scenario(
        "values come back to the byte",
        values::values_come_back(&make()),
    )
    .await?;
    scenario(
        "an answer is written once, to a question that is waited for",
        answers::four_outcomes(&make()),
    )
    .await?;
    scenario(
        "of two answers at once the first stays",
        answers::one_of_two_stays(&make()),
    )
    .await?;
    scenario(
        "of a pause and an answer at once neither is lost",
        answers::a_pause_and_an_answer(&make()),
    )
    .await
}

async fn check_lists<J: Journal>(make: impl Fn() -> J) -> Result<()> {
    scenario(
        "pages have every run once, oldest first",
        listing::pages(&make()),
    )
    .await?;
    scenario(
        "all conditions of a query hold at once",
        listing::conditions(&make()),
    )
    .await?;
    scenario("partitions never mix", partitions::never_mix(&make())).await?;
    scenario(
        "what is forgotten is gone, and what is held stays",
        partitions::forgetting(&make()),
    )
    .await
}

/// Checks that leases lapse in a store, and what follows from it.
///
/// `make` returns an empty store; `advance` lets time pass for it, by a scripted clock or by
/// waiting: 17 seconds in all.
///
/// # Errors
/// As [`check_journal`].
///
/// ```
/// use loom_core::MemoryJournal;
/// use loom_testing::check_lapsing_leases;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// check_lapsing_leases(MemoryJournal::default, tokio::time::advance).await?;
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub async fn check_lapsing_leases<J: Journal, F: Future<Output = ()>>(
    make: impl Fn() -> J,
    advance: impl Fn(Duration) -> F,
) -> Result<()> {
    scenario(
        "a lapsed run is claimed by another worker",
        lapsing::a_lapsed_run_is_taken_over(&make(), &advance),
    )
    .await?;
    scenario(
        "a renewal keeps a run held",
        lapsing::a_renewal_holds(&make(), &advance),
    )
    .await?;
    scenario(
        "lapsed runs are listed",
        lapsing::lapsed_runs_are_listed(&make(), &advance),
    )
    .await?;
    scenario(
        "a lapsed run can be forgotten",
        lapsing::a_lapsed_run_can_be_forgotten(&make(), &advance),
    )
    .await
}

async fn scenario(name: &str, steps: impl Future<Output = Result<()>>) -> Result<()> {
    steps.await.context(name)
}

/// So long that no lease lapses by itself while a scenario runs.
const TTL: Duration = Duration::from_secs(600);

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Result<()> {
    match found == expected {
        true => Ok(()),
        false => Err(differs(what, found, expected)),
    }
}

fn differs<T: Debug>(what: &str, found: T, expected: T) -> Error {
    let message = format!("{what}: found {found:?}, expected {expected:?}");
    Error::new(ErrorKind::Failed, message)
}

/// What became of a write or a renewal, in a word.
fn fate<T>(result: &Result<T, Lost>) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(Lost::TakenOver) => "taken over",
        Err(Lost::Answered) => "answered",
        Err(Lost::Store(error)) if error.kind() == ErrorKind::Invalid => "invalid",
        Err(_) => "failed",
    }
}

/// The kind of error, if it is one.
fn refusal<T>(result: &Result<T>) -> Option<ErrorKind> {
    result.as_ref().err().map(Error::kind)
}

fn scope(user: Option<&str>, session: &str) -> Result<Scope> {
    Ok(Scope::new(
        user.map(UserId::new).transpose()?,
        SessionId::new(session)?,
    ))
}

fn run_in(scope: &Scope, root: &str) -> Result<JournalRun> {
    Ok(JournalRun {
        scope: scope.clone(),
        root: RunId::new(root)?,
    })
}

fn run(root: &str) -> Result<JournalRun> {
    run_in(&scope(Some("alice"), "conv")?, root)
}

fn head(run: &JournalRun, revision: u64, status: RunStatus) -> RunHead {
    let updated = SystemTime::UNIX_EPOCH + Duration::new(1_767_225_600, 123_456_789);
    let mut head = RunHead::new(run.root.clone(), "refund", updated);
    (head.revision, head.status) = (revision, status);
    head
}

/// A head that waits for answers at these paths.
fn waiting(run: &JournalRun, revision: u64, status: RunStatus, paths: &[&str]) -> RunHead {
    let mut head = head(run, revision, status);
    head.waiting = paths.iter().map(|&path| path.to_owned()).collect();
    head
}

fn record(kind: SlotKind, path: &str, value: Value) -> Record {
    Record {
        key: SlotKey::new(kind, path),
        value: value.into(),
    }
}

async fn write<J: Journal>(
    journal: &J,
    lease: &Lease,
    head: RunHead,
    records: Vec<Record>,
) -> Result<(), Lost> {
    journal.write(lease, &Batch { head, records }).await
}

/// Claims a run and writes this.
async fn begin<J: Journal>(
    journal: &J,
    run: &JournalRun,
    head: RunHead,
    records: Vec<Record>,
) -> Result<Lease> {
    let claimed = journal.claim(run, TTL).await?;
    let written = write(journal, &claimed.lease, head, records).await;
    same("the first batch of a claim", fate(&written), "done")?;
    Ok(claimed.lease)
}

/// Claims a run, writes this and releases it.
async fn put<J: Journal>(
    journal: &J,
    head: RunHead,
    run: &JournalRun,
    records: Vec<Record>,
    how: Released,
) -> Result<()> {
    let lease = begin(journal, run, head, records).await?;
    journal.release(&lease, how);
    Ok(())
}

/// The records a claim hands over, by key; the run is released again.
async fn records<J: Journal>(journal: &J, run: &JournalRun) -> Result<Vec<Record>> {
    let claimed = journal.claim(run, TTL).await?;
    journal.release(&claimed.lease, Released::Dropped);
    let mut records = claimed.records;
    records.sort_by(|left, right| left.key.cmp(&right.key));
    Ok(records)
}

/// The head a claim hands over, without the store's own fields; the run is released again.
async fn stored_head<J: Journal>(journal: &J, run: &JournalRun) -> Result<Option<RunHead>> {
    let claimed = journal.claim(run, TTL).await?;
    journal.release(&claimed.lease, Released::Dropped);
    Ok(claimed.head.map(own))
}

/// A head without the store's own fields.
fn own(mut head: RunHead) -> RunHead {
    (head.lease_until, head.cancel_requested) = (None, false);
    head
}
