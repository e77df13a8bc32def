//! Driving a root run: its end from outside, the lease, what it is recorded as, the report.

mod conclude;
mod save;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::future::join_all;
use tokio::time::Instant;

use self::conclude::{conclude, stay_paused};
use self::save::{release, save};
use crate::context::RunContext;
use crate::control::Control;
use crate::data::Data;
use crate::effect::{Effect, EffectKind};
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::info::Kind;
use crate::into_step::IntoStep;
use crate::journal::{Lost, Released};
use crate::keep::Keeper;
use crate::name::Name;
use crate::outcome::{Outcome, Report, Settlement};
use crate::poll::{caught, caught_now, within};
use crate::run_error::{RunError, RunErrorKind};
use crate::tree::Tree;

/// Runs a step as the root: an agent or a workflow opens its run itself, all else is wrapped in
/// one.
pub(crate) async fn run_root<I: Data, M, S: IntoStep<I, M, Out: Data>>(
    cx: &RunContext,
    step: &S,
    input: I,
) -> Result<S::Out> {
    let info = step.step_info();
    match info.kind {
        Kind::Agent | Kind::Workflow => step.run_step(cx, input).await,
        Kind::Function => {
            let name = info.name.or_else(|| "function".into());
            let effect = Effect::new(EffectKind::Workflow, name).with_safety(step.step_safety());
            cx.perform_step(effect, step, input).await
        }
    }
}

/// What came of an attempt.
pub(crate) enum Driven<'a, T> {
    Ended(Result<Outcome<T>, RunError>),
    /// It paused, but one of its questions had been answered meanwhile: it is to be resumed.
    Answered(End<'a>),
}

/// Drives a root's body until it returns or the run ends, and flushes the observers. If it was
/// answered while it paused, it stays paused where it may not resume.
pub(crate) fn drive<'a, T: 'a>(
    cx: &'a RunContext,
    body: impl Future<Output = Result<T>> + Send + 'a,
    may_resume: bool,
) -> impl Future<Output = Driven<'a, T>> + 'a {
    // Boxed out here: what an async function is given stays in its future even after it is moved.
    drive_boxed(cx, Box::pin(caught(body)), may_resume)
}

async fn drive_boxed<'a, T>(
    cx: &'a RunContext,
    body: Body<'_, T>,
    may_resume: bool,
) -> Driven<'a, T> {
    let tree = cx.tree();
    // Declared before the body, so that on a drop the body's effects close before this.
    let end = End { cx, is_over: false };
    tree.control.set_driven();
    let keeper = tree.journal.as_ref().and_then(Keeper::new);
    let returned = until_stopped(&tree.control, tree.deadline, keeper, body).await;
    end.close();
    poll_fn(|task| {
        if !tree.is_wound_up() {
            tree.control.register(task.waker());
        }
        match tree.is_wound_up() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    let (mut ended, mut saved) = (conclude(tree, returned), Ok(()));
    if let Some(journal) = &tree.journal {
        saved = Box::pin(save(tree, journal, &ended)).await;
        if let Err(Lost::Answered) = saved {
            if may_resume {
                return Driven::Answered(end);
            }
            (ended, saved) = Box::pin(stay_paused(tree, journal)).await;
        }
    }
    Driven::Ended(end.finish(ended, saved).await)
}

/// What is driven; a panic in it is its text.
pub(crate) type Body<'a, T> = Pin<Box<dyn Future<Output = Result<Result<T>, String>> + Send + 'a>>;

/// What the body returned; an error with its text where it panicked when it was dropped; `None`
/// where the run ended before it returned.
type Returned<T> = Option<Result<T>>;

/// Polls the body until it returns or the run is to end; then the body is dropped, which closes all
/// it opened.
pub(crate) async fn until_stopped<T>(
    control: &Control,
    deadline: Option<Instant>,
    mut keeper: Option<Keeper>,
    body: Body<'_, T>,
) -> Returned<T> {
    let body = Some(body);
    let mut running = Running { control, body };
    let mut alarm: Option<Pin<Box<tokio::time::Sleep>>> = None;
    let returned = poll_fn(|task| {
        if let Some(deadline) = deadline {
            let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if alarm.as_mut().poll(task).is_ready() {
                control.cancel(CancelReason::Deadline);
            }
        }
        if let Some(keeper) = &mut keeper {
            keeper.poll(control, task);
        }
        let Some(body) = running.body.as_mut().filter(|_| control.reason().is_none()) else {
            return Poll::Ready(None);
        };
        let poll = body.as_mut().poll(task);
        if poll.is_ready() {
            return poll.map(Some);
        }
        // Only a run that waits has to be woken. What was requested meanwhile woke nobody.
        control.register(task.waker());
        match control.reason() {
            Some(_) => Poll::Ready(None),
            None => Poll::Pending,
        }
    })
    .await;
    let dropped = caught_now(|| running.body = None);
    let message = match (returned, dropped) {
        (Some(Ok(ended)), _) => return Some(ended),
        (Some(Err(panic)), _) => panic,
        (None, Err(panic)) => format!("it panicked while it stopped: {panic}"),
        (None, Ok(())) => return None,
    };
    Some(Err(Error::new(ErrorKind::Panicked, message)))
}

/// A body that hasn't returned. Dropped with its driver, it ends the run before it goes.
struct Running<'a, T> {
    control: &'a Control,
    body: Option<Body<'a, T>>,
}

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        if self.body.is_some() {
            self.control.drop_run();
        }
    }
}

async fn settle(tree: &Tree) -> Vec<Settlement> {
    if tree.parts.observers.is_empty() {
        return Vec::new();
    }
    let max = tree.parts.settle_max;
    let settling = tree.parts.observers.iter().map(|observer| async move {
        // It may panic before it returns its future, too.
        let settled = async { within(Some(max), observer.settle(&tree.root_id)).await };
        let why = match caught(settled).await {
            Ok(Some(settlement)) => return settlement,
            Ok(None) => format!("it didn't settle within {max:?}"),
            Err(panic) => {
                tree.parts.count_observer_fault();
                format!("it panicked while settling: {panic}")
            }
        };
        let name = caught_now(|| observer.name().to_owned());
        let name = name.unwrap_or_else(|_| "observer".to_owned());
        Settlement::new(name, Err(Error::new(ErrorKind::Failed, why)))
    });
    let mut settled = join_all(settling).await;
    settled.retain(|it| !it.is_nothing());
    settled
}

/// Ends the tree on every way out, and notifies the observers that it is settled.
pub(crate) struct End<'a> {
    cx: &'a RunContext,
    is_over: bool,
}

impl End<'_> {
    /// Closes what was taken to other tasks and is still open; nothing opens any more.
    fn close(&self) {
        self.cx.close_run();
        self.cx.tree().end();
    }

    /// The run continues in another attempt.
    pub(crate) fn hand_over(mut self) {
        self.is_over = true;
        let tree = self.cx.tree();
        tree.forget_questions();
        drop(tree.control.take_root());
    }

    /// Ends a run that paused and can't continue, though it was answered.
    pub(crate) async fn finish_paused<T>(self, why: RunError) -> Result<Outcome<T>, RunError> {
        let (tree, ended) = (self.cx.tree(), Err(why));
        let saved = match &tree.journal {
            Some(journal) => save(tree, journal, &ended).await,
            None => Ok(()),
        };
        self.finish(ended, saved).await
    }

    async fn finish<T>(
        mut self,
        mut ended: Result<T, RunError>,
        saved: Result<(), Lost>,
    ) -> Result<Outcome<T>, RunError> {
        let tree = self.cx.tree();
        let unsaved = saved.err().map(|lost| match lost {
            Lost::Store(error) => error,
            Lost::TakenOver | Lost::Answered => {
                Error::new(ErrorKind::Failed, "another worker took the run over")
            }
        });
        if let (Err(paused), Some(error)) = (&ended, &unsaved)
            && paused.kind() == RunErrorKind::Paused
        {
            // Nobody could resume it from what the journal holds.
            ended = Err(RunError::new(RunErrorKind::Broken, error.clone()));
        }
        let mut settled = settle(tree).await;
        settled.extend(unsaved.map(|error| Settlement::new("journal", Err(error))));
        if let Some(journal) = &tree.journal {
            settled.extend(release(journal, &ended));
        }
        self.is_over = true;
        let visited = finish(tree, &settled);
        let limits = tree.ledger.limits();
        let (usage, charged) = tree.ledger.spent().reported(limits);
        let (attempt, charged_attempt) = match tree.resumed {
            None => (usage.clone(), charged),
            Some(_) => tree.ledger.spent_in_attempt().reported(limits),
        };
        let anchors = settled
            .iter()
            .filter_map(|it| it.result.as_ref().ok()?.clone());
        let report = Report {
            run_id: tree.root_id.clone(),
            session_id: tree.session.clone(),
            trace_id: tree.trace_id,
            visited,
            usage,
            attempt,
            charged,
            charged_attempt,
            anchors: anchors.collect(),
            settled,
        };
        match ended {
            Ok(output) => Ok(Outcome {
                output,
                report: Box::new(report),
            }),
            Err(ended) => Err(ended.reporting(report)),
        }
    }
}

/// Notifies the observers of how they settled, and lets go of what keeps the tree alive; the root's own
/// steps that completed.
pub(crate) fn finish(tree: &Arc<Tree>, settled: &[Settlement]) -> Vec<Name> {
    tree.forget_questions();
    let Some(root) = tree.control.take_root() else {
        return Vec::new();
    };
    if tree.is_told() {
        root.tell(EventKind::Settled {
            settlements: settled,
        });
        tree.wake_reader();
    }
    root.life().take_visited()
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.close();
        let tree = self.cx.tree();
        if let Some(journal) = &tree.journal {
            // Nobody is left to be told.
            let _ = journal.release(Released::Dropped);
        }
        if tree.abandon() {
            finish(tree, &[]);
        }
    }
}
