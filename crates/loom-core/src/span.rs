//! `OpenSpan`: an opened effect that closes exactly once, also when it is dropped.

use crate::attributes::Attributes;
use crate::context::{Pending, RunContext};
use crate::data::{Data, Look};
use crate::drive::finish;
use crate::effect::EffectKind;
use crate::ending::{CancelReason, Ending};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Closed, EventKind, Note};

/// Held while an effect is open, by a future in which it outlives the effect's body: so that on a
/// drop the body, and with it all that is open below, goes first.
#[must_use]
pub(crate) struct OpenSpan {
    cx: RunContext,
}

impl OpenSpan {
    /// Opens the effect.
    ///
    /// # Errors
    /// The context, and why, if what it stands below has closed meanwhile.
    #[inline]
    pub(crate) fn open(
        cx: RunContext,
        input: Option<&dyn Look>,
    ) -> std::result::Result<Self, (RunContext, Error)> {
        match cx.open(input) {
            Ok(()) => Ok(Self { cx }),
            Err(error) => Err((cx, error)),
        }
    }

    /// The effect's context.
    pub(crate) fn cx(&self) -> &RunContext {
        &self.cx
    }

    /// Closes the effect with what its body returned, and returns that.
    ///
    /// # Errors
    /// What the body returned; `Stopped` where the state of the run says otherwise.
    pub(crate) fn close<T: Data>(self, result: Result<T>) -> Result<T> {
        let cx = &self.cx;
        match result {
            Ok(output) => match cx.close(Ending::Completed, None, Some(&output)) {
                Ending::Completed => Ok(output),
                other => Err(cx.stopped_as(other)),
            },
            Err(error) => {
                let (ending, error) = cx.ending_of(error.at(|| cx.path()));
                match cx.close(ending, Some(&error), None) {
                    same if same == ending => Err(error),
                    other => Err(cx.stopped_as(other)),
                }
            }
        }
    }

    /// Closes an effect that waits for an answer.
    pub(crate) fn pause(self) -> Error {
        let ending = self.cx.close(Ending::Paused, None, None);
        self.cx.stopped_as(ending)
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let cx = &self.cx;
        if !cx.is_closed() {
            let why = cx.drop_reason();
            cx.close(Ending::Cancelled { why }, None, None);
            cx.withdraw();
        }
    }
}

impl RunContext {
    #[inline]
    fn open(&self, input: Option<&dyn Look>) -> Result<()> {
        let Some(around) = self.around() else {
            return Err(Error::stopped("nothing is opened outside of a run"));
        };
        let is_watched = self.is_watched();
        // The opening is reported before any closing is.
        if is_watched {
            self.life().hold();
        }
        if !around.life().open_below(self) {
            let closed = around.lives().err();
            return Err(closed.unwrap_or_else(|| Error::stopped("what it belongs to has closed")));
        }
        let is_root = around.is_bare();
        if is_root {
            self.tree().set_told();
        }
        if is_watched {
            self.tell_opened(input, is_root);
            self.let_go();
            self.tree().wake_reader();
        }
        Ok(())
    }

    fn tell_opened(&self, input: Option<&dyn Look>, is_root: bool) {
        self.tell(EventKind::Opened { input });
        if is_root && let Some(attempt) = self.tree().resumed {
            self.tell(EventKind::Noted {
                note: &Note::Resumed { attempt },
                attributes: &Attributes::new(),
            });
        }
        if let Some(user) = self.effect().acting_as() {
            let user = Some(user.clone());
            self.tell(EventKind::Noted {
                note: &Note::ActingAs { user },
                attributes: &Attributes::new(),
            });
        }
    }

    /// How an effect closes whose body returned this error: what calls itself stopped is believed
    /// only where the run's state says the same.
    fn ending_of(&self, error: Error) -> (Ending, Error) {
        if error.kind() != ErrorKind::Stopped {
            return (error.ending(), error);
        }
        let why = self
            .life()
            .closed_from_above()
            .or_else(|| self.tree().control.reason())
            .or_else(|| self.is_given_up().then_some(CancelReason::Dropped));
        match why {
            Some(why) => (Ending::Cancelled { why }, error),
            None => (Ending::Failed, error.into_failure()),
        }
    }

    /// The error for the caller of an effect that ended otherwise than its body returned.
    fn stopped_as(&self, ending: Ending) -> Error {
        let message = match ending {
            Ending::Paused => "it waits for an answer".to_owned(),
            other => format!("it ended as {other}"),
        };
        Error::stopped(message).at(|| self.path())
    }

    /// Closes this effect, and first all that is open below it; returns how it ended, which is how
    /// it ended before if it is closed.
    fn close(&self, ending: Ending, error: Option<&Error>, output: Option<&dyn Look>) -> Ending {
        let Some(closing) = self.life().begin_closing() else {
            let why = self.life().closed_from_above();
            return Ending::Cancelled {
                why: why.unwrap_or(CancelReason::Dropped),
            };
        };
        let cause = match closing.is_marked {
            true => self.tree().control.cause(),
            false => None,
        };
        let (ending, error, output) = match &cause {
            Some(cause) => (cause.ending, Some(&cause.error), None),
            None => (ending, error, output),
        };
        // Not when the last context goes: somebody may keep one, and others wait.
        drop(self.take_reservation());
        self.close_below(ending);
        if self.parent().is_none() {
            self.tree().set_ending(ending);
        }
        if self.life().is_held_by_one() {
            self.report(ending, error, output);
        } else {
            let output = output.filter(|_| self.is_watched());
            self.set_pending(Pending {
                ending,
                error: error.cloned(),
                output: output.and_then(|it| it.look().ok()),
            });
            self.let_go();
        }
        // To wake may mean to poll what waits for this.
        self.tree().wake_reader();
        ending
    }

    /// Lets go of this effect's closing; the last to do so reports it.
    pub(crate) fn let_go(&self) {
        if self.life().release() {
            self.report_pending();
        }
    }

    fn report_pending(&self) {
        if self.is_bare() {
            if self.tree().set_wound_up() {
                finish(self.tree(), &[]);
            }
            return;
        }
        if let Some(pending) = self.take_pending() {
            let output = pending.output.as_ref().map(|it| it as &dyn Look);
            self.report(pending.ending, pending.error.as_ref(), output);
            self.tree().wake_reader();
        }
    }

    /// Reports to observers that this effect has closed: nothing of it is reported after that.
    fn report(&self, ending: Ending, error: Option<&Error>, output: Option<&dyn Look>) {
        if self.is_watched() {
            let attributes: &Attributes = &self.take_recorded();
            self.tell(EventKind::Closed(Closed {
                ending,
                error,
                output,
                attributes,
            }));
        }
        if let Some(parent) = self.around() {
            let is_visited = ending == Ending::Completed && self.is_own_step_of_the_root();
            let visited = is_visited.then(|| self.effect().name());
            if parent.life().leave(self, visited) {
                parent.report_pending();
            }
        }
    }

    /// Closes what is open below this, which ends like this: steps that were taken to other tasks.
    fn close_below(&self, ending: Ending) {
        let open = self.life().still_open();
        if open.is_empty() {
            return;
        }
        let why = match ending {
            Ending::Cancelled { why } => why,
            Ending::Paused => CancelReason::Paused,
            Ending::Completed | Ending::Failed | Ending::Denied | Ending::Interrupted => {
                let ending = self.tree().control.reason();
                ending.unwrap_or(CancelReason::Dropped)
            }
        };
        for cx in &open {
            cx.close_from_above(why);
        }
        self.life().wait_for_those_below();
        for cx in open {
            cx.wake();
        }
    }

    fn close_from_above(&self, why: CancelReason) {
        let Some(closing) = self.life().begin_closing_from_above(why) else {
            return;
        };
        drop(self.take_reservation());
        let ending = Ending::Cancelled { why };
        self.close_below(ending);
        let cause = match closing.is_marked {
            true => self.tree().control.cause(),
            false => None,
        };
        let (ending, error) = match cause {
            Some(cause) => (cause.ending, Some(cause.error)),
            None => (ending, None),
        };
        if self.parent().is_none() {
            self.tree().set_ending(ending);
        }
        self.set_pending(Pending {
            ending,
            error,
            output: None,
        });
        self.let_go();
    }

    /// Closes what was opened in this branch, which has ended, and taken to other tasks.
    pub(crate) fn close_strays(&self, why: CancelReason) {
        let mut strays = self.life().still_open();
        strays.retain(|cx| cx.around().is_some_and(|around| around.is_within(self)));
        for cx in &strays {
            cx.close_from_above(why);
        }
        for cx in strays {
            cx.wake();
        }
        self.tree().wake_reader();
    }

    /// Closes whatever of the run is still open; this is the bare context it was begun under.
    pub(crate) fn close_run(&self) {
        if self.life().begin_closing().is_some() {
            let why = self.tree().control.reason();
            self.close_below(Ending::Cancelled {
                why: why.unwrap_or(CancelReason::Dropped),
            });
            self.tree().wake_reader();
            self.let_go();
        }
    }

    fn is_own_step_of_the_root(&self) -> bool {
        let parent = self.parent();
        self.effect().kind() == EffectKind::Step && parent.is_some_and(|it| it.parent().is_none())
    }
}
