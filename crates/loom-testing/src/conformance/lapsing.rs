//! Leases that lapse.

use std::time::Duration;

use loom_core::{ErrorKind, Forget, Journal, Lease, Released, Result, RunQuery, RunStatus};

use super::{fate, head, refusal, run, same, write};

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(600);
const PAST_SHORT: Duration = Duration::from_secs(4);

/// Claims a run for this long and writes this status.
async fn hold<J: Journal>(
    journal: &J,
    root: &str,
    ttl: Duration,
    status: RunStatus,
) -> Result<Lease> {
    let run = run(root)?;
    let lease = journal.claim(&run, ttl).await?.lease;
    let written = write(journal, &lease, head(&run, 1, status), Vec::new()).await;
    same("the first batch of a claim", fate(&written), "done")?;
    Ok(lease)
}

pub(super) async fn a_lapsed_run_is_taken_over<J: Journal, F: Future<Output = ()>>(
    journal: &J,
    advance: impl Fn(Duration) -> F,
) -> Result<()> {
    let old = hold(journal, "r", SHORT, RunStatus::Open).await?;
    let early = journal.claim(&old.run, LONG).await;
    let invalid = Some(ErrorKind::Invalid);
    same("a claim before the lease lapsed", refusal(&early), invalid)?;
    advance(PAST_SHORT).await;
    let claimed = journal.claim(&old.run, LONG).await?;
    let rises = claimed.lease.token > old.token;
    same("whether the token is higher", rises, true)?;
    let revision = claimed.head.map(|head| head.revision);
    same("the revision of the head", revision, Some(1))?;

    let late = head(&old.run, 2, RunStatus::Ended);
    let written = write(journal, &old, late, Vec::new()).await;
    same("a write by the old worker", fate(&written), "taken over")?;
    let renewed = journal.renew(&old, LONG).await;
    same("a renewal by the old worker", fate(&renewed), "taken over")?;
    journal.release(&old, Released::Dropped);
    let renewed = journal.renew(&claimed.lease, LONG).await;
    same("a renewal by the new worker", fate(&renewed), "done")
}

pub(super) async fn a_renewal_holds<J: Journal, F: Future<Output = ()>>(
    journal: &J,
    advance: impl Fn(Duration) -> F,
) -> Result<()> {
    let lease = hold(journal, "r", SHORT, RunStatus::Open).await?;
    advance(SHORT / 2).await;
    let renewed = journal.renew(&lease, LONG).await;
    same("a renewal in time", fate(&renewed), "done")?;
    advance(PAST_SHORT).await;
    let claimed = journal.claim(&lease.run, LONG).await;
    let invalid = Some(ErrorKind::Invalid);
    same("a claim after a renewal", refusal(&claimed), invalid)?;
    let ended = head(&lease.run, 2, RunStatus::Ended);
    let written = write(journal, &lease, ended, Vec::new()).await;
    same("a write after a renewal", fate(&written), "done")
}

pub(super) async fn lapsed_runs_are_listed<J: Journal, F: Future<Output = ()>>(
    journal: &J,
    advance: impl Fn(Duration) -> F,
) -> Result<()> {
    let lapsing = hold(journal, "lapsing", SHORT, RunStatus::Open).await?;
    hold(journal, "held", LONG, RunStatus::Open).await?;
    hold(journal, "paused", SHORT, RunStatus::Paused).await?;
    hold(journal, "ended", SHORT, RunStatus::Ended).await?;
    let dropped = hold(journal, "dropped", SHORT, RunStatus::Open).await?;
    journal.release(&dropped, Released::Dropped);
    let shut_down = hold(journal, "shut_down", LONG, RunStatus::Open).await?;
    journal.release(&shut_down, Released::Shutdown);

    let lapsed = async || -> Result<Vec<String>> {
        let query = RunQuery::of(&lapsing.run.scope).lapsed();
        let found = journal.runs(&query).await?.items;
        Ok(found
            .into_iter()
            .map(|it| it.run.root.to_string())
            .collect())
    };
    let expected = vec!["shut_down".to_owned()];
    same("before the leases lapsed", lapsed().await?, expected)?;
    advance(PAST_SHORT).await;
    let expected = vec!["lapsing".to_owned(), "shut_down".to_owned()];
    same("after that", lapsed().await?, expected)?;
    journal.claim(&lapsing.run, LONG).await?;
    let expected = vec!["shut_down".to_owned()];
    same("after one was claimed", lapsed().await?, expected)
}

pub(super) async fn a_lapsed_run_can_be_forgotten<J: Journal, F: Future<Output = ()>>(
    journal: &J,
    advance: impl Fn(Duration) -> F,
) -> Result<()> {
    let lease = hold(journal, "r", SHORT, RunStatus::Open).await?;
    let forget = Forget::Run(lease.run.clone());
    let early = journal.forget(&forget).await;
    let invalid = Some(ErrorKind::Invalid);
    same("while it is held", refusal(&early), invalid)?;
    advance(PAST_SHORT).await;
    same("after that", journal.forget(&forget).await?, 1)?;
    let late = head(&lease.run, 2, RunStatus::Ended);
    let written = write(journal, &lease, late, Vec::new()).await;
    same("a write by its worker", fate(&written), "taken over")?;
    let claimed = journal.claim(&lease.run, LONG).await?;
    same("the head of a later claim", claimed.head, None)
}
