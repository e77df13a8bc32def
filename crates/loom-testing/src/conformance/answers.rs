//! Answers, and what they race with.

use loom_core::{Answered, Journal, Lease, Record, Released, Result, RunStatus, SlotKey, SlotKind};
use serde_json::json;

use super::{begin, differs, fate, run, same, stored_head, waiting, write};

fn question(path: &str) -> Record {
    super::record(SlotKind::Question, path, json!({"text": "really?"}))
}

/// A run that asked at these paths and waits for some of them.
async fn asked<J: Journal>(journal: &J, paths: &[&str], waits: &[&str]) -> Result<Lease> {
    let run = run("r")?;
    let questions = paths.iter().map(|path| question(path)).collect();
    let head = waiting(&run, 1, RunStatus::Open, waits);
    begin(journal, &run, head, questions).await
}

pub(super) async fn four_outcomes<J: Journal>(journal: &J) -> Result<()> {
    let lease = asked(journal, &["a", "b", "c"], &["a", "b", "d"]).await?;
    journal.release(&lease, Released::Paused);
    let run = lease.run;
    for (what, path, expected) in [
        ("an answer where nothing was asked", "x", Answered::NotAsked),
        ("one to a path without a question", "d", Answered::NotAsked),
        ("one that isn't waited for", "c", Answered::NotWaiting),
        ("one that is waited for", "a", Answered::Written),
        ("a second one", "a", Answered::Already),
    ] {
        let found = journal.answer(&run, path, json!(what)).await?;
        same(what, found, expected)?;
    }
    let unknown = super::run("unknown")?;
    let found = journal.answer(&unknown, "a", json!(true)).await?;
    same("an answer to an unknown run", found, Answered::NotAsked)?;
    let key = SlotKey::new(SlotKind::Answer, "a");
    let stored = journal.read(&run, &key).await?;
    same("the answer", stored, Some(json!("one that is waited for")))?;
    for path in ["b", "c", "d", "x"] {
        let key = SlotKey::new(SlotKind::Answer, path);
        let stored = journal.read(&run, &key).await?;
        same(&format!("the answer at {path}"), stored, None)?;
    }
    let expected = waiting(&run, 1, RunStatus::Open, &["b", "d"]);
    let head = stored_head(journal, &run).await?;
    same("the head", head, Some(expected))
}

pub(super) async fn one_of_two_stays<J: Journal>(journal: &J) -> Result<()> {
    let run = asked(journal, &["a"], &["a"]).await?.run;
    let (left, right) = futures::join!(
        journal.answer(&run, "a", json!("left")),
        journal.answer(&run, "a", json!("right"))
    );
    let (left, right) = (left?, right?);
    let first = match (left, right) {
        (Answered::Written, Answered::Already) => "left",
        (Answered::Already, Answered::Written) => "right",
        both => {
            let expected = (Answered::Written, Answered::Already);
            return Err(differs("two answers, in either order", both, expected));
        }
    };
    let key = SlotKey::new(SlotKind::Answer, "a");
    let stored = journal.read(&run, &key).await?;
    same("the answer", stored, Some(json!(first)))
}

pub(super) async fn a_pause_and_an_answer<J: Journal>(journal: &J) -> Result<()> {
    let lease = asked(journal, &["a"], &["a"]).await?;
    let pause = waiting(&lease.run, 2, RunStatus::Paused, &["a"]);
    let (answered, written) = futures::join!(
        journal.answer(&lease.run, "a", json!(true)),
        write(journal, &lease, pause, Vec::new())
    );
    same("the answer", answered?, Answered::Written)?;
    journal.release(&lease, Released::Paused);
    let expected = match fate(&written) {
        "done" => waiting(&lease.run, 2, RunStatus::Paused, &[]),
        "answered" => waiting(&lease.run, 1, RunStatus::Open, &[]),
        other => return Err(differs("the pause", other, "done or answered")),
    };
    let head = stored_head(journal, &lease.run).await?;
    same("the head", head, Some(expected))
}
