//! Driving a root run: cancellation from outside, the deadline, settling, the report.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::join_all;
use tokio::runtime::Handle;

use crate::context::RunContext;
use crate::data::Data;
use crate::effect::{Effect, EffectKind};
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::handle::Cancel;
use crate::info::Kind;
use crate::into_step::IntoStep;
use crate::journal::{RunJournal, Status};
use crate::name::Name;
use crate::observer::DynObserver;
use crate::outcome::{Outcome, Report, Settlement};
use crate::poll::{caught, caught_now, within};
use crate::tree::Tree;
use crate::usage::Usage;

/// Runs a step as the root: an agent or a workflow opens its run itself, all else is wrapped in
/// one.
pub(crate) async fn run_root<I: Data, M, S>(cx: &RunContext, step: &S, input: I) -> Result<S::Out>
where
    S: IntoStep<I, M>,
    S::Out: Data,
{
    match step.step_kind() {
        Kind::Agent | Kind::Workflow => step.run_step(cx, input).await,
        Kind::Function => {
            let name = step.step_info().name.or_else(|| "function".into());
            let effect = Effect::new(EffectKind::Workflow, name);
            cx.perform_step(effect, step, input).await
        }
    }
}

/// Drives a root's body to its end, or to its cancellation, and settles the observers.
pub(crate) fn drive<'a, T: 'a>(
    cx: &'a RunContext,
    body: impl Future<Output = Result<T>> + Send + 'a,
) -> impl Future<Output = Result<Outcome<T>>> + 'a {
    // Boxed out here: what an async function is given stays in its future even after it is moved.
    drive_boxed(cx, Box::pin(caught(body)))
}

async fn drive_boxed<T>(cx: &RunContext, body: Body<'_, T>) -> Result<Outcome<T>> {
    let tree = cx.tree();
    // Declared before the body, so that on a drop the body's effects close before this settles.
    let end = End {
        cx,
        is_finished: false,
    };
    let result = stoppable(&tree.cancel, tree.deadline, body).await;
    end.close();
    if result
        .as_ref()
        .is_err_and(|it| it.kind() == ErrorKind::Paused)
    {
        tree.uncount_paused();
    }
    let unsaved = match &tree.journal {
        Some(journal) => Box::pin(save(tree, journal, result.as_ref().err())).await,
        None => None,
    };
    let mut settled = settle(tree).await;
    settled.extend(unsaved);
    settled.extend(tree.journal.as_deref().and_then(give_back));
    let (visited, usage) = end.finish(&settled);
    let is_unseen = visited.is_none();
    let report = report(tree, settled, visited.unwrap_or_default(), usage);
    match result {
        Ok(_) if is_unseen => Err(Error::invalid(
            "the runnable says it is an agent or a workflow, yet opened no run: open one, or say it is a function",
        )
        .of_run(report)),
        Ok(output) => Ok(Outcome::new(output, report)),
        Err(error) => Err(error.of_run(report)),
    }
}

type Body<'a, T> = Pin<Box<dyn Future<Output = Result<Result<T>, String>> + Send + 'a>>;

/// The body's end, or its cancellation; a cancelled body is dropped, which closes all it opened.
pub(crate) async fn stoppable<T>(
    cancel: &Cancel,
    deadline: Option<tokio::time::Instant>,
    body: Body<'_, T>,
) -> Result<T> {
    let mut body = Some(body);
    let mut alarm: Option<Pin<Box<tokio::time::Sleep>>> = None;
    poll_fn(move |task| {
        if let Some(deadline) = deadline {
            let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if alarm.as_mut().poll(task).is_ready() {
                cancel.request(CancelReason::Deadline);
            }
        }
        if let Some(why) = cancel.reason() {
            return Poll::Ready(Err(stopped(&mut body, why)));
        }
        let poll = poll_body(&mut body, task);
        if poll.is_ready() {
            return poll;
        }
        // Only a run that waits has to be woken. What was requested meanwhile woke nobody.
        cancel.register(task.waker());
        match cancel.reason() {
            Some(why) => Poll::Ready(Err(stopped(&mut body, why))),
            None => Poll::Pending,
        }
    })
    .await
}

/// Drops a body that is cancelled; what the run ends with.
fn stopped<T>(body: &mut Option<Body<'_, T>>, why: CancelReason) -> Error {
    let message = match caught_now(|| *body = None) {
        Ok(()) => format!("the run was cancelled ({why})"),
        Err(panic) => {
            format!("the run was cancelled ({why}); it panicked while it stopped: {panic}")
        }
    };
    Error::cancelled(why, message)
}

fn poll_body<T>(body: &mut Option<Body<'_, T>>, task: &mut Context<'_>) -> Poll<Result<T>> {
    let poll = body
        .as_mut()
        .map_or(Poll::Pending, |body| body.as_mut().poll(task));
    poll.map(|ended| ended.unwrap_or_else(|panic| Err(Error::new(ErrorKind::Panicked, panic))))
}

/// Writes into the journal how the run came out. An output that can't be marked as given is given
/// all the same; the outcome says so.
async fn save(tree: &Tree, journal: &RunJournal, error: Option<&Error>) -> Option<Settlement> {
    match error {
        None => journal.set_status(Status::Ended),
        Some(paused) if paused.kind() == ErrorKind::Paused => {
            journal.set_status(Status::Paused(paused.questions().to_vec()));
        }
        // A run that waited and was gone on with in vain still waits.
        Some(_) => journal.waits_no_more_for_what_it_asked(),
    }
    // Both, whatever comes of the first: that the run ended is never lost over an approval.
    let saved = async {
        let spent = journal.spend_given_up().await;
        journal.save(tree).await.and(spent)
    };
    // Like all that settles: it never holds a finished output up for long.
    let limit = Handle::try_current()
        .is_ok()
        .then_some(tree.parts.settle_max);
    let unsaved = match caught(within(limit, saved)).await {
        Ok(Some(saved)) => saved.err()?,
        Ok(None) => Error::new(
            ErrorKind::Internal,
            format!("it didn't settle within {:?}", tree.parts.settle_max),
        ),
        Err(panic) => Error::new(
            ErrorKind::Internal,
            format!("it panicked while settling: {panic}"),
        ),
    };
    Some(Settlement::new("journal", Err(unsaved)))
}

/// Gives the run back for others to go on with.
fn give_back(journal: &RunJournal) -> Option<Settlement> {
    let panic = journal.release().err()?;
    let message = format!("it panicked while it gave the run back: {panic}");
    let error = Error::new(ErrorKind::Internal, message);
    Some(Settlement::new("journal", Err(error)))
}

async fn settle(tree: &Tree) -> Vec<Settlement> {
    if tree.parts.observers.is_empty() {
        return Vec::new();
    }
    let settling = tree.parts.observers.iter().map(|observer| async move {
        let settled = within(Some(tree.parts.settle_max), observer.settle(&tree.root_id));
        match caught(settled).await {
            Ok(Some(settlement)) => settlement,
            Ok(None) => unsettled(
                &**observer,
                format!("it didn't settle within {:?}", tree.parts.settle_max),
            ),
            Err(panic) => unsettled(&**observer, format!("it panicked while settling: {panic}")),
        }
    });
    let mut settled = join_all(settling).await;
    settled.retain(|it| !it.is_nothing());
    settled
}

fn unsettled(observer: &dyn DynObserver, why: String) -> Settlement {
    let name = caught_now(|| observer.name().to_owned()).unwrap_or_else(|_| "observer".to_owned());
    Settlement::new(name, Err(Error::new(ErrorKind::Internal, why)))
}

fn report(tree: &Tree, settled: Vec<Settlement>, visited: Vec<Name>, usage: Usage) -> Report {
    Report {
        run_id: tree.root_id.clone(),
        session_id: tree.session.clone(),
        trace_id: tree.trace_id,
        visited,
        usage,
        anchors: settled
            .iter()
            .filter_map(|it| it.result.as_ref().ok()?.clone())
            .collect(),
        settled,
    }
}

/// Ends the tree on every way out, and tells the observers that it is settled.
struct End<'a> {
    cx: &'a RunContext,
    is_finished: bool,
}

impl End<'_> {
    /// Closes what was taken to other tasks and is still open; nothing opens any more.
    fn close(&self) {
        self.cx.close_run();
        self.cx.tree().end();
    }

    /// The root's own steps that completed, `None` if no root was ever opened; and what the run
    /// consumed.
    fn finish(mut self, settled: &[Settlement]) -> (Option<Vec<Name>>, Usage) {
        self.is_finished = true;
        self.tell(settled)
    }

    /// Gives the run back and tells the observers how they settled; what [`End::finish`] gives.
    fn tell(&self, settled: &[Settlement]) -> (Option<Vec<Name>>, Usage) {
        let tree = self.cx.tree();
        if let Some(journal) = &tree.journal {
            // Already given back, unless the run was dropped: then nobody is left to be told.
            let _ = journal.release();
        }
        let (root, usage) = tree.finish();
        let visited = root.map(|root| {
            if tree.is_told() {
                root.tell(EventKind::Settled {
                    settlements: settled,
                });
            }
            root.life().take_visited()
        });
        (visited, usage)
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.close();
            self.tell(&[]);
        }
    }
}
