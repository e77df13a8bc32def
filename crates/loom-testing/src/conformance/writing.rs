//! Batches: heads and records, all or nothing.

use std::time::{Duration, SystemTime};

use loom_core::{
    FoundRun, Journal, JournalRun, Record, Released, Result, RunHead, RunQuery, RunStatus, SlotKind,
};
use serde_json::{Value, json};

use super::{
    TTL, begin, differs, fate, head, own, put, record, records, run, same, stored_head, waiting,
    write,
};

fn output(path: &str, value: Value) -> Record {
    record(SlotKind::Output, path, value)
}

pub(super) async fn all_or_nothing<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let open = |revision| head(&run, revision, RunStatus::Open);
    let first = vec![output("a", json!(1)), output("b", json!(2))];
    let lease = begin(journal, &run, open(5), first).await?;
    for revision in [5, 4, 0] {
        let second = vec![output("a", json!(10)), output("c", json!(30))];
        let written = write(journal, &lease, open(revision), second).await;
        let what = format!("a batch of revision {revision} after revision 5");
        same(&what, fate(&written), "invalid")?;
    }
    let replaced = vec![
        output("b", json!(20)),
        output("d", json!(4)),
        output("d", json!(40)),
    ];
    let written = write(journal, &lease, open(7), replaced).await;
    same("a batch of revision 7", fate(&written), "done")?;
    let written = write(journal, &lease, open(8), Vec::new()).await;
    same("a batch without records", fate(&written), "done")?;
    journal.release(&lease, Released::Dropped);

    let written = write(journal, &lease, open(9), vec![output("e", json!(5))]).await;
    same("a batch after the release", fate(&written), "taken over")?;
    let expected = vec![
        output("a", json!(1)),
        output("b", json!(20)),
        output("d", json!(40)),
    ];
    same("the records", records(journal, &run).await?, expected)?;
    let stored = stored_head(journal, &run).await?;
    same("the head", stored, Some(open(8)))
}

pub(super) async fn a_head_comes_back<J: Journal>(journal: &J) -> Result<()> {
    for (root, status) in [
        ("open", RunStatus::Open),
        ("paused", RunStatus::Paused),
        ("ended", RunStatus::Ended),
        ("failed", RunStatus::Failed),
        ("cancelled", RunStatus::Cancelled),
    ] {
        let run = run(root)?;
        let mut written = waiting(&run, u64::from(u32::MAX) + 1, status, &["b", "a", "é/\"'%"]);
        written.of = "rückerstattung \"1\"".to_owned();
        written.due = SystemTime::now().checked_add(Duration::from_secs(3600));
        let mut forged = written.clone();
        (forged.lease_until, forged.cancel_requested) = (Some(SystemTime::UNIX_EPOCH), true);
        let lease = begin(journal, &run, forged, Vec::new()).await?;

        let held = listed(journal, &run).await?;
        let is_held = held
            .lease_until
            .is_some_and(|until| until > SystemTime::now());
        same("whether a held run has a lease's end", is_held, true)?;
        same(
            "whether a cancel was requested",
            held.cancel_requested,
            false,
        )?;
        same("the listed head", own(held), written.clone())?;
        journal.release(&lease, Released::Paused);
        let released = listed(journal, &run).await?;
        same(
            "the lease's end after the release",
            released.lease_until,
            None,
        )?;
        let stored = stored_head(journal, &run).await?;
        same("the head of a claim", stored, Some(written))?;
    }
    Ok(())
}

async fn listed<J: Journal>(journal: &J, run: &JournalRun) -> Result<RunHead> {
    let page = journal.runs(&RunQuery::of(&run.scope)).await?;
    let found: Option<FoundRun> = page.items.into_iter().find(|it| it.run == *run);
    let found = found.ok_or_else(|| differs("the runs that are listed", "not the run", "it"))?;
    Ok(found.head)
}

pub(super) async fn a_needless_pause_is_refused<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let asked = vec![
        record(SlotKind::Question, "one", json!("?")),
        record(SlotKind::Question, "two", json!("?")),
        output("three", json!(3)),
    ];
    let begun = waiting(&run, 1, RunStatus::Open, &["one", "two"]);
    let lease = begin(journal, &run, begun, asked).await?;
    journal.answer(&run, "one", json!("!")).await?;

    let hour = Duration::from_secs(3600);
    let mut due = waiting(&run, 2, RunStatus::Paused, &["two"]);
    due.due = SystemTime::now().checked_sub(hour);
    for (what, head, expected) in [
        (
            "a pause for what was answered",
            waiting(&run, 2, RunStatus::Paused, &["two", "one"]),
            "answered",
        ),
        ("a pause for a time that has come", due, "answered"),
        (
            "a needless pause of an old revision",
            waiting(&run, 1, RunStatus::Paused, &["one"]),
            "invalid",
        ),
    ] {
        let lost = vec![output("lost", json!(1))];
        let written = write(journal, &lease, head, lost).await;
        same(what, fate(&written), expected)?;
    }
    let open = waiting(&run, 2, RunStatus::Open, &["one", "two"]);
    let written = write(journal, &lease, open, Vec::new()).await;
    same("an open head that waits for it", fate(&written), "done")?;
    let mut pause = waiting(&run, 3, RunStatus::Paused, &["two", "three"]);
    pause.due = SystemTime::now().checked_add(hour);
    let written = write(journal, &lease, pause.clone(), Vec::new()).await;
    same("a pause for what isn't known", fate(&written), "done")?;
    journal.release(&lease, Released::Paused);
    same("the head", stored_head(journal, &run).await?, Some(pause))?;

    let later = journal.claim(&run, TTL).await?.lease;
    let pause = waiting(&run, 4, RunStatus::Paused, &["one"]);
    let written = write(journal, &lease, pause, Vec::new()).await;
    same(
        "a needless pause by an old token",
        fate(&written),
        "taken over",
    )?;
    journal.release(&later, Released::Paused);
    let kept = records(journal, &run).await?;
    let lost = kept.iter().filter(|it| it.key.path == "lost").count();
    same("records of refused batches", lost, 0)?;
    let other = super::run("other")?;
    let pause = waiting(&other, 1, RunStatus::Paused, &["one"]);
    put(journal, pause, &other, Vec::new(), Released::Paused).await
}
