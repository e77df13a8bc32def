//! `Launch`: from a session and a step to a run that is driven to its end.

mod journaled;

use std::sync::Arc;

use crate::admission::Admitted;
use crate::context::RunContext;
use crate::control::Control;
use crate::data::Data;
use crate::drive::{Body, Driven, drive, run_root, until_stopped};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::RunId;
use crate::into_step::IntoStep;
use crate::outcome::Outcome;
use crate::run_error::{RunError, RunErrorKind};
use crate::session::Session;
use crate::stream::EventQueue;
use crate::tree::{Carried, Origin, Tree};

/// How often in a row a run resumes itself, since a question was answered while it paused.
const MAX_SELF_RESUMES: u32 = 16;

/// A run that is about to begin in a session.
pub(crate) struct Launch {
    pub(crate) session: Session,
    pub(crate) control: Arc<Control>,
    pub(crate) queue: Option<Arc<EventQueue>>,
    /// Whether the caller chose the run's id: then the same id attaches to the same run.
    pub(crate) is_named: bool,
    /// Why it can't begin: the id that the caller chose is none.
    pub(crate) wrong: Option<Error>,
}

impl Launch {
    fn run_id(&self) -> &RunId {
        self.control.run_id()
    }

    /// Runs a step to its end; without an input, resumes a run of it.
    pub(crate) async fn run<I: Data, M, S: IntoStep<I, M, Out: Data>>(
        mut self: Box<Self>,
        step: &S,
        input: Option<I>,
    ) -> Result<Outcome<S::Out>, RunError> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong.into());
        }
        let _admitted = self.admit()?;
        let (mut cx, mut input) = match (&self.session.parts.journal, input) {
            (None, Some(input)) => (self.begin_unrecorded()?, input),
            (_, input) => Box::pin(self.begin(step.step_info(), input)).await?,
        };
        let mut resumes_left = MAX_SELF_RESUMES;
        loop {
            let end = match drive(&cx, run_root(&cx, step, input), resumes_left > 0).await {
                Driven::Ended(ended) => return ended,
                Driven::Answered(end) => end,
            };
            resumes_left -= 1;
            match Box::pin(self.next_attempt(&cx)).await {
                Ok(next) => {
                    end.hand_over();
                    (cx, input) = next;
                }
                Err(ended) => return Box::pin(end.finish_paused(ended)).await,
            }
        }
    }

    fn admit(&self) -> Result<Admitted<'_>, RunError> {
        self.session.parts.admission.admit(&self.control)
    }

    /// The context of a run that no journal will know.
    fn begin_unrecorded(&self) -> Result<RunContext> {
        if self.is_named {
            return Err(Error::invalid(
                "a run of a given id needs a journal, in which it is found again: give the loom one with `.journal(..)`",
            ));
        }
        Ok(self.root(self.origin()?))
    }

    /// What the body returns, unless the run is cancelled before it has begun.
    async fn stopped_or<T>(
        &self,
        deadline: Option<tokio::time::Instant>,
        body: Body<'_, T>,
    ) -> Result<T, RunError> {
        let returned = until_stopped(&self.control, deadline, None, body).await;
        if let Some(cause) = self.control.cause() {
            return Err(cause.into());
        }
        match returned {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) if error.kind() == ErrorKind::Invalid => Err(error.into()),
            Some(Err(error)) => Err(broken(error)),
            None => Err(Error::stopped("the run was cancelled").into()),
        }
    }

    fn origin(&self) -> Result<Origin> {
        let session = &self.session;
        let deadline = match session.deadline {
            Some(_) if !session.parts.has_timer() => {
                return Err(Error::invalid(
                    "a deadline needs a Tokio runtime with time: run this inside one, or without `.deadline(..)`",
                ));
            }
            limit => limit.and_then(|limit| tokio::time::Instant::now().checked_add(limit)),
        };
        // Drawn before the spans' seed: what injected ids number depends on the order.
        let trace = match session.caller {
            Some(caller) => caller.trace_id,
            None => session.parts.ids.trace_id(),
        };
        Ok(Origin {
            scope: session.scope()?,
            session_given: session.is_named,
            caller: session.caller,
            deadline,
            limits: session.limits,
            queue: self.queue.clone(),
            journal: None,
            span_seed: session.parts.ids.span_seed(),
            carried: Carried {
                trace: Some(trace),
                ..Carried::default()
            },
        })
    }

    fn root(&self, origin: Origin) -> RunContext {
        let (parts, run_id) = (&self.session.parts, self.run_id().clone());
        RunContext::bare(Tree::new(parts, run_id, self.control.clone(), origin))
    }
}

/// The journal is broken before the run began.
fn broken(error: Error) -> RunError {
    RunError::new(RunErrorKind::Broken, error)
}
