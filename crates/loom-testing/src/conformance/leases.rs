//! Claims, tokens, and what is possible under a lease.

use loom_core::{
    ErrorKind, Forget, Journal, JournalRun, Lease, Released, Result, RunQuery, RunStatus, SlotKey,
    SlotKind,
};
use serde_json::json;

use super::{TTL, begin, fate, head, put, record, refusal, run, same, write};

pub(super) async fn one_worker_holds_a_run<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let first = journal.claim(&run, TTL).await?;
    same("the head of a new run", first.head, None)?;
    same("the records of a new run", first.records, Vec::new())?;
    same("the lease's run", &first.lease.run, &run)?;
    let second = journal.claim(&run, TTL).await;
    same("a second claim", refusal(&second), Some(ErrorKind::Invalid))?;
    let message = second.err().map(|error| error.message().to_owned());
    let expected = "the run r is being worked on elsewhere".to_owned();
    same("its message", message, Some(expected))?;
    let mut lease = first.lease;
    for how in [
        Released::Ended,
        Released::Paused,
        Released::Shutdown,
        Released::Dropped,
    ] {
        journal.release(&lease, how);
        lease = journal.claim(&run, TTL).await?.lease;
        same("the run of a later claim", &lease.run, &run)?;
    }
    Ok(())
}

pub(super) async fn one_of_two_claims_wins<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let (left, right) = futures::join!(journal.claim(&run, TTL), journal.claim(&run, TTL));
    let mut refusals = [refusal(&left), refusal(&right)];
    refusals.sort_by_key(Option::is_some);
    same("two claims", refusals, [None, Some(ErrorKind::Invalid)])
}

pub(super) async fn tokens_rise<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let mut tokens = Vec::new();
    for revision in 1..=3 {
        let head = head(&run, revision, RunStatus::Open);
        let lease = begin(journal, &run, head, Vec::new()).await?;
        tokens.push(lease.token);
        journal.release(&lease, Released::Dropped);
    }
    journal.forget(&Forget::Run(run.clone())).await?;
    tokens.push(journal.claim(&run, TTL).await?.lease.token);
    let rise = tokens.is_sorted_by(|earlier, later| earlier < later);
    same(&format!("whether the tokens {tokens:?} rise"), rise, true)
}

pub(super) async fn an_old_lease_does_nothing<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let key = SlotKey::new(SlotKind::Output, "load");
    let open = |revision| head(&run, revision, RunStatus::Open);
    let old = begin(journal, &run, open(1), Vec::new()).await?;
    journal.release(&old, Released::Shutdown);
    let load = |value| vec![record(SlotKind::Output, "load", json!(value))];

    let written = write(journal, &old, open(2), load(1)).await;
    same("a write after the release", fate(&written), "taken over")?;
    let renewed = journal.renew(&old, TTL).await;
    same("a renewal after the release", fate(&renewed), "taken over")?;

    let new = begin(journal, &run, open(2), load(2)).await?;
    let written = write(journal, &old, open(3), load(3)).await;
    same("a write under an old token", fate(&written), "taken over")?;
    let renewed = journal.renew(&old, TTL).await;
    same("a renewal of an old token", fate(&renewed), "taken over")?;
    let mut forged = new.clone();
    forged.token += 1;
    let written = write(journal, &forged, open(3), load(4)).await;
    same("a write under no token", fate(&written), "taken over")?;
    let found = journal.read(&run, &key).await?;
    same("what was written", found, Some(json!(2)))?;

    journal.release(&old, Released::Dropped);
    let claimed = journal.claim(&run, TTL).await;
    let expected = Some(ErrorKind::Invalid);
    same("a claim after an old release", refusal(&claimed), expected)?;
    let renewed = journal.renew(&new, TTL).await;
    same("a renewal by the holder", fate(&renewed), "done")
}

pub(super) async fn a_cancellation_arrives<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let found = journal.request_cancel(&run).await?;
    same("a request for an unknown run", found, false)?;
    let lease = begin(journal, &run, head(&run, 1, RunStatus::Open), Vec::new()).await?;
    let cancelled = journal.renew(&lease, TTL).await.ok();
    let cancelled = cancelled.map(|it| it.cancel_requested);
    same("a renewal before the request", cancelled, Some(false))?;

    same("a request", journal.request_cancel(&run).await?, true)?;
    for revision in 2..=3 {
        let cancelled = journal.renew(&lease, TTL).await.ok();
        let cancelled = cancelled.map(|it| it.cancel_requested);
        same("a renewal after the request", cancelled, Some(true))?;
        let head = head(&run, revision, RunStatus::Open);
        let written = write(journal, &lease, head, Vec::new()).await;
        same("a batch after the request", fate(&written), "done")?;
    }
    journal.release(&lease, Released::Shutdown);
    let lease = claim_and_see(journal, &run, true).await?;

    let cancelled = head(&run, 4, RunStatus::Cancelled);
    let written = write(journal, &lease, cancelled, Vec::new()).await;
    same("the batch that cancels the run", fate(&written), "done")?;
    journal.release(&lease, Released::Ended);
    let again = journal.request_cancel(&run).await?;
    same("a request for a cancelled run", again, false)?;
    claim_and_see(journal, &run, false).await?;

    for (root, status, expected) in [
        ("ended", RunStatus::Ended, false),
        ("failed", RunStatus::Failed, false),
        ("paused", RunStatus::Paused, true),
    ] {
        let run = super::run(root)?;
        let head = head(&run, 1, status);
        put(journal, head, &run, Vec::new(), Released::Ended).await?;
        let found = journal.request_cancel(&run).await?;
        same(&format!("a request for a run that {root}"), found, expected)?;
    }
    Ok(())
}

/// Claims the run; whether a cancellation was requested is in its head and in a renewal.
async fn claim_and_see<J: Journal>(
    journal: &J,
    run: &JournalRun,
    requested: bool,
) -> Result<Lease> {
    let claimed = journal.claim(run, TTL).await?;
    let in_head = claimed.head.map(|head| head.cancel_requested);
    same("the request in a claim's head", in_head, Some(requested))?;
    let renewed = journal.renew(&claimed.lease, TTL).await.ok();
    let renewed = renewed.map(|it| it.cancel_requested);
    same("the request in a renewal", renewed, Some(requested))?;
    Ok(claimed.lease)
}

pub(super) async fn a_run_without_a_head<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let query = RunQuery::of(&run.scope);
    let list = || journal.runs(&query);
    let lease = journal.claim(&run, TTL).await?.lease;
    same("the runs that are listed", list().await?.items, Vec::new())?;
    let requested = journal.request_cancel(&run).await?;
    same("a request while it is held", requested, true)?;
    let renewed = journal.renew(&lease, TTL).await.ok();
    let renewed = renewed.map(|it| it.cancel_requested);
    same("the request in a renewal", renewed, Some(true))?;
    journal.release(&lease, Released::Dropped);
    same(
        "the runs after its release",
        list().await?.items,
        Vec::new(),
    )?;
    let requested = journal.request_cancel(&run).await?;
    same("a request after its release", requested, false)?;
    let claimed = journal.claim(&run, TTL).await?;
    same("the head of a later claim", claimed.head, None)
}
