//! Driving a root run: its end from outside, the lease, what it is recorded as, the report.

mod conclude;
mod save;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::join_all;
use tokio::time::Instant;

use self::conclude::{conclude, stay_paused};
use self::save::{Saved, give_back, save};
use crate::context::RunContext;
use crate::control::Control;
use crate::data::Data;
use crate::effect::{Effect, EffectKind};
use crate::ending::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::info::Kind;
use crate::into_step::IntoStep;
use crate::journal::Released;
use crate::keep::Keeper;
use crate::observer::DynObserver;
use crate::outcome::{Outcome, Report, Settlement};
use crate::poll::{caught, caught_now, within};
use crate::question::Question;
use crate::run_error::{RunError, RunErrorKind};
use crate::tree::Tree;

/// Runs a step as the root: an agent or a workflow opens its run itself, all else is wrapped in
/// one.
pub(crate) async fn run_root<I: Data, M, S>(cx: &RunContext, step: &S, input: I) -> Result<S::Out>
where
    S: IntoStep<I, M>,
    S::Out: Data,
{
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
pub(crate) enum Driven<T> {
    Ended(Result<Outcome<T>, RunError>),
    /// It paused, but one of its questions had been answered meanwhile: it is to be resumed. These
    /// are the questions it asked.
    Answered(Vec<Question>),
}

/// Drives a root's body until it returns or the run ends, and flushes the observers. If it was
/// answered while it paused and no resume is left, it stays paused.
pub(crate) fn drive<'a, T: 'a>(
    cx: &'a RunContext,
    body: impl Future<Output = Result<T>> + Send + 'a,
    resumes_left: u32,
) -> impl Future<Output = Driven<T>> + 'a {
    // Boxed out here: what an async function is given stays in its future even after it is moved.
    drive_boxed(cx, Box::pin(caught(body)), resumes_left)
}

async fn drive_boxed<T>(cx: &RunContext, body: Body<'_, T>, resumes_left: u32) -> Driven<T> {
    let tree = cx.tree();
    // Declared before the body, so that on a drop the body's effects close before this.
    let end = End { cx, is_over: false };
    tree.control.set_driven();
    let keeper = tree.journal.as_ref().and_then(Keeper::new);
    let returned = until_stopped(&tree.control, tree.deadline, keeper, body).await;
    end.close();
    poll_fn(|task| {
        if tree.is_wound_up() {
            return Poll::Ready(());
        }
        tree.control.register(task.waker());
        match tree.is_wound_up() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    let mut concluded = conclude(tree, returned);
    let mut unsaved = None;
    if let Some(journal) = &tree.journal {
        let mut saved = Box::pin(save(tree, journal, &concluded)).await;
        if let Saved::Answered = saved {
            if resumes_left > 0 {
                return Driven::Answered(end.hand_over());
            }
            (concluded, saved) = Box::pin(stay_paused(tree, journal)).await;
        }
        match saved {
            Saved::Written | Saved::Answered => (),
            Saved::Failed(error) => unsaved = Some(Settlement::new("journal", Err(error))),
        }
    }
    if let (
        Some(Settlement {
            result: Err(error), ..
        }),
        Err(paused),
    ) = (&unsaved, &concluded)
        && paused.kind() == RunErrorKind::Paused
    {
        // Nobody could resume it from what the journal holds.
        concluded = Err(RunError::new(RunErrorKind::Broken, error.clone()));
    }
    let mut settled = settle(tree).await;
    settled.extend(unsaved);
    settled.extend(
        tree.journal
            .as_deref()
            .and_then(|it| give_back(it, &concluded)),
    );
    let report = end.finish(settled);
    Driven::Ended(match concluded {
        Ok(output) => Ok(Outcome::new(output, report)),
        Err(ended) => Err(ended.reporting(report)),
    })
}

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
    poll_fn(move |task| {
        if let Some(deadline) = deadline {
            let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if alarm.as_mut().poll(task).is_ready() {
                control.cancel(CancelReason::Deadline);
            }
        }
        if let Some(keeper) = &mut keeper {
            keeper.poll(control, task);
        }
        if control.reason().is_some() {
            return Poll::Ready(running.stop());
        }
        let poll = running.poll(task);
        if poll.is_ready() {
            return poll.map(Some);
        }
        // Only a run that waits has to be woken. What was requested meanwhile woke nobody.
        control.register(task.waker());
        match control.reason() {
            Some(_) => Poll::Ready(running.stop()),
            None => Poll::Pending,
        }
    })
    .await
}

/// A body that hasn't returned. Dropped with its driver, it ends the run before it goes.
struct Running<'a, T> {
    control: &'a Control,
    body: Option<Body<'a, T>>,
}

impl<T> Running<'_, T> {
    /// Drops a body whose run ends.
    fn stop(&mut self) -> Returned<T> {
        let panic = caught_now(|| self.body = None).err()?;
        let message = format!("it panicked while it stopped: {panic}");
        Some(Err(Error::new(ErrorKind::Panicked, message)))
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<T>> {
        let Some(body) = &mut self.body else {
            return Poll::Pending;
        };
        let poll = body.as_mut().poll(task);
        if poll.is_ready() {
            self.body = None;
        }
        poll.map(|ended| ended.unwrap_or_else(|panic| Err(Error::new(ErrorKind::Panicked, panic))))
    }
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
    let settling = tree.parts.observers.iter().map(|observer| async move {
        // It may panic before it returns its future, too.
        let settled =
            async { within(Some(tree.parts.settle_max), observer.settle(&tree.root_id)).await };
        match caught(settled).await {
            Ok(Some(settlement)) => settlement,
            Ok(None) => unsettled(
                &**observer,
                format!("it didn't settle within {:?}", tree.parts.settle_max),
            ),
            Err(panic) => {
                tree.parts.count_observer_fault();
                unsettled(&**observer, format!("it panicked while settling: {panic}"))
            }
        }
    });
    let mut settled = join_all(settling).await;
    settled.retain(|it| !it.is_nothing());
    settled
}

fn unsettled(observer: &dyn DynObserver, why: String) -> Settlement {
    let name = caught_now(|| observer.name().to_owned()).unwrap_or_else(|_| "observer".to_owned());
    Settlement::new(name, Err(Error::new(ErrorKind::Failed, why)))
}

/// Ends the tree on every way out, and tells the observers that it is settled.
struct End<'a> {
    cx: &'a RunContext,
    is_over: bool,
}

impl End<'_> {
    /// Closes what was taken to other tasks and is still open; nothing opens any more.
    fn close(&self) {
        self.cx.close_run();
        self.cx.tree().end();
    }

    /// The run continues in another attempt; what this one asked.
    fn hand_over(mut self) -> Vec<Question> {
        self.is_over = true;
        let tree = self.cx.tree();
        let asked = tree.open_questions();
        tree.forget_questions();
        drop(tree.control.take_root());
        asked
    }

    fn finish(mut self, settled: Vec<Settlement>) -> Report {
        self.is_over = true;
        let tree = self.cx.tree();
        let limits = tree.ledger.limits();
        let (whole, attempt) = (tree.ledger.spent(), tree.ledger.spent_in_attempt());
        let visited = finish(tree, &settled);
        Report {
            run_id: tree.root_id.clone(),
            session_id: tree.session.clone(),
            trace_id: tree.trace_id,
            visited,
            usage: whole.usage(),
            attempt: attempt.usage(),
            charged: whole.charged(limits),
            charged_attempt: attempt.charged(limits),
            anchors: settled
                .iter()
                .filter_map(|it| it.result.as_ref().ok()?.clone())
                .collect(),
            settled,
        }
    }
}

/// Tells the observers how they settled, and lets go of what keeps the tree alive; the root's own
/// steps that completed.
pub(crate) fn finish(tree: &Arc<Tree>, settled: &[Settlement]) -> Vec<crate::name::Name> {
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
