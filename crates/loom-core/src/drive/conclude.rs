//! What a run ended with, from the state of the run.

use crate::drive::Returned;
use crate::drive::save::save;
use crate::ending::{CancelReason, Ending};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Lost, RunJournal};
use crate::question::Question;
use crate::run_error::{RunError, RunErrorKind};
use crate::tree::Tree;

/// The run's result, from the state of the run: what the body returned counts where the root
/// closed by itself.
pub(super) fn conclude<T>(tree: &Tree, returned: Returned<T>) -> Result<T, RunError> {
    let Some(ending) = tree.ending() else {
        return Err(unopened(tree, returned));
    };
    let Some(kind) = RunErrorKind::of(ending) else {
        return match returned {
            Some(Ok(output)) => Ok(output),
            Some(Err(error)) => Err(RunError::new(RunErrorKind::Failed, error.into_failure())),
            None => {
                let error = Error::stopped("the run was ended after its root had closed");
                let kind = RunErrorKind::Cancelled(CancelReason::Requested);
                Err(RunError::new(kind, error))
            }
        };
    };
    if ending == Ending::Paused {
        return Err(paused(tree.open_questions()));
    }
    let error = returned.and_then(Result::err);
    let Some(mut cause) = tree.control.cause().filter(|it| it.ending == ending) else {
        let error = error.unwrap_or_else(|| Error::stopped(format!("the run ended as {ending}")));
        return Err(RunError::new(kind, error));
    };
    if let Some(panic) = error.filter(|it| it.kind() == ErrorKind::Panicked) {
        cause.error = cause.error.followed_by(panic.message());
    }
    Err(cause.into())
}

/// What a run ends with that waits for these questions.
fn paused(questions: Vec<Question>) -> RunError {
    let asked: Vec<String> = questions.iter().map(Question::to_string).collect();
    let message = match asked.is_empty() {
        true => "all that was asked is answered: it waits to be resumed".to_owned(),
        false => format!("waits for an answer: {}", asked.join("; ")),
    };
    RunError::new(RunErrorKind::Paused, Error::stopped(message)).waiting_for(questions)
}

/// Pauses a run that was answered meanwhile and resumes no more by itself.
pub(super) async fn stay_paused<T>(
    tree: &Tree,
    journal: &RunJournal,
) -> (Result<T, RunError>, Result<(), Lost>) {
    let asked = tree.open_questions();
    // Each refusal means that one more is answered.
    for _ in 0..=asked.len() {
        let paths: Vec<String> = asked.iter().map(|it| it.path.clone()).collect();
        if let Err(error) = journal.take_answers(&paths).await {
            return (Err(paused(asked)), Err(Lost::Store(error)));
        }
        tree.forget_answered(journal);
        let paused = Err(paused(tree.open_questions()));
        match save(tree, journal, &paused).await {
            Err(Lost::Answered) => (),
            saved => return (paused, saved),
        }
    }
    let message = "the journal says that a run needn't wait which waits for nothing";
    let error = Error::new(ErrorKind::Failed, message);
    (Err(paused(asked)), Err(Lost::Store(error)))
}

/// What a run ended with that opened no root.
fn unopened<T>(tree: &Tree, returned: Returned<T>) -> RunError {
    if let Some(cause) = tree.control.cause() {
        return cause.into();
    }
    match returned {
        Some(Err(error)) => {
            let kind = RunErrorKind::of(error.ending()).unwrap_or(RunErrorKind::Failed);
            RunError::new(kind, error)
        }
        Some(Ok(_)) | None => Error::invalid(
            "the runnable says it is an agent or a workflow, yet opened no run: open one, or say it is a function",
        )
        .into(),
    }
}
