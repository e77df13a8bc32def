//! Runs that wait: what a partition's journal holds of them.

use crate::error::{Error, Result};
use crate::ids::RunId;
use crate::journal::{DynJournal, JournalRun, RunRecord, Slot, Status};
use crate::question::Question;
use crate::scope::Scope;

/// A run that waits for answers; see [`Loom::paused`](crate::Loom::paused).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PausedRun {
    /// The run's id, to resume it.
    pub run_id: RunId,
    /// What it waits to be told; nothing once all is answered: then it waits to be resumed.
    pub questions: Vec<Question>,
    /// Why its record can't be read, where it can't: then nobody knows what it waits for.
    pub unreadable: Option<String>,
}

impl PausedRun {
    pub(crate) fn new(run_id: RunId, questions: Vec<Question>) -> Self {
        Self {
            run_id,
            questions,
            unreadable: None,
        }
    }

    pub(crate) fn unreadable(run_id: RunId, why: &Error) -> Self {
        Self {
            run_id,
            questions: Vec::new(),
            unreadable: Some(why.to_string()),
        }
    }
}

/// The runs of a partition that wait, oldest first.
pub(crate) async fn paused(journal: &dyn DynJournal, scope: &Scope) -> Result<Vec<PausedRun>> {
    let mut paused = Vec::new();
    for (root, record) in journal.runs(scope).await? {
        let scope = scope.clone();
        let run = JournalRun { scope, root };
        match RunRecord::read(record).map(|it| it.status) {
            Ok(Status::Paused(questions)) => {
                let questions = unanswered(journal, &run, questions).await?;
                paused.push(PausedRun::new(run.root, questions));
            }
            Ok(Status::Open | Status::Ended) => (),
            // It hides no other.
            Err(error) => paused.push(PausedRun::unreadable(run.root, &error)),
        }
    }
    Ok(paused)
}

/// Those of a run's questions that nobody answered yet.
async fn unanswered(
    journal: &dyn DynJournal,
    run: &JournalRun,
    questions: Vec<Question>,
) -> Result<Vec<Question>> {
    let mut unanswered = Vec::new();
    for question in questions {
        let answer = journal.get(run, Slot::Answer(&question.path)).await?;
        if answer.is_none() {
            unanswered.push(question);
        }
    }
    Ok(unanswered)
}
