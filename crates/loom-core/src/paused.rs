//! Runs that wait: what a partition's journal holds of them.

use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::RunId;
use crate::journal::record::{QuestionRecord, read};
use crate::journal::{DynJournal, FoundRun, RunHead, RunQuery, RunStatus, SlotKey, SlotKind};
use crate::question::Question;
use crate::scope::Scope;

/// A run that waits for answers; see [`Loom::paused`](crate::Loom::paused).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PausedRun {
    /// The run's id, to resume it.
    pub run_id: RunId,
    /// The questions it waits for; empty once all are answered: then it waits to be resumed.
    pub questions: Vec<Question>,
    /// Why its record can't be read, where it can't: then nobody knows what it waits for.
    pub unreadable: Option<String>,
}

/// The runs of a partition that wait, oldest first.
pub(crate) async fn paused(journal: &dyn DynJournal, scope: &Scope) -> Result<Vec<PausedRun>> {
    let mut paused = Vec::new();
    let mut after = None;
    loop {
        let mut query = RunQuery::of(scope).status(RunStatus::Paused);
        query.after = after;
        let page = journal.runs(&query).await?;
        for found in page.items {
            if is_resumed(&found.head) {
                continue;
            }
            let run_id = found.run.root.clone();
            // One that can't be read hides no other.
            let (questions, unreadable) = match waits_for(journal, &found).await {
                Ok(questions) => (questions, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            paused.push(PausedRun {
                run_id,
                questions,
                unreadable,
            });
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(paused),
        }
    }
}

/// Whether a worker has resumed it and wrote nothing yet.
fn is_resumed(head: &RunHead) -> bool {
    head.lease_until
        .is_some_and(|until| until > SystemTime::now())
}

async fn waits_for(journal: &dyn DynJournal, found: &FoundRun) -> Result<Vec<Question>> {
    let version = found.head.version;
    if version != RunHead::VERSION {
        let message = format!(
            "the journal's record has version {version}; this program reads version {}",
            RunHead::VERSION
        );
        return Err(Error::new(ErrorKind::Failed, message));
    }
    let mut questions = Vec::new();
    for path in &found.head.waiting {
        let key = SlotKey::new(SlotKind::Question, path.clone());
        let stored = journal.read(&found.run, &key).await?;
        let stored = stored.ok_or_else(|| {
            Error::new(
                ErrorKind::Failed,
                format!("the question at {path:?} is missing"),
            )
        })?;
        questions.push(read::<QuestionRecord>(&stored)?.question);
    }
    Ok(questions)
}
