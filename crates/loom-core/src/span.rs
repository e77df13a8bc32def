//! `OpenSpan`: an opened effect that closes exactly once, also when it is dropped.

use crate::attributes::Attributes;
use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::EffectKind;
use crate::ending::{CancelReason, Ending};
use crate::error::{Error, Result};
use crate::event::{Closed, EventKind, Note};

/// Held while an effect is open, by a future in which it outlives the effect's body: so that on a
/// drop the body, and with it all that is open below, goes first.
#[must_use]
pub(crate) struct OpenSpan {
    cx: RunContext,
}

/// An effect that couldn't be opened, and why.
pub(crate) struct Unopened {
    pub(crate) cx: RunContext,
    pub(crate) error: Error,
}

impl OpenSpan {
    /// Opens the effect, unless what it stands below has closed meanwhile.
    #[inline]
    pub(crate) fn open(
        cx: RunContext,
        input: Option<&dyn Look>,
    ) -> std::result::Result<Self, Unopened> {
        match cx.open(input) {
            Ok(()) => {
                let span = Self { cx };
                span.cx.tree().wake_reader();
                Ok(span)
            }
            Err(error) => Err(Unopened { cx, error }),
        }
    }

    /// The effect's context.
    pub(crate) fn cx(&self) -> &RunContext {
        &self.cx
    }

    /// Closes the effect with what came of it, and gives that back.
    ///
    /// # Errors
    /// What came of it; `Cancelled` if it had already been closed together with what is above it:
    /// that is how it is recorded.
    pub(crate) fn close<T: Data>(self, result: Result<T>) -> Result<T> {
        match result {
            Ok(output) => self.complete(&output).map_or(Ok(output), Err),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Closes the effect as completed; gives what it ended with before, if it did.
    pub(crate) fn complete(self, output: &dyn Look) -> Option<Error> {
        self.cx.close(Ending::Completed, None, Some(output));
        self.ended_from_above()
    }

    /// Closes the effect with an error, and gives that back, or what it ended with before.
    pub(crate) fn fail(self, error: Error) -> Error {
        self.cx.close(error.ending(), Some(&error), None);
        self.ended_from_above().unwrap_or(error)
    }

    fn ended_from_above(&self) -> Option<Error> {
        let why = self.cx.life().closed_from_above()?;
        Some(closed_from_above(why).at(|| self.cx.path()))
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let cx = &self.cx;
        if !cx.is_closed() {
            let why = cx.drop_reason();
            cx.close(Ending::Cancelled { why }, None, None);
        }
    }
}

impl RunContext {
    #[inline]
    fn open(&self, input: Option<&dyn Look>) -> Result<()> {
        let Some(around) = self.around() else {
            return Err(closed_from_above(CancelReason::Dropped));
        };
        if around.life().open_below(self, || self.tell_opened(input)) {
            return Ok(());
        }
        around.alive()?;
        Err(closed_from_above(CancelReason::Dropped))
    }

    fn tell_opened(&self, input: Option<&dyn Look>) {
        let is_root = self.parent().is_none();
        if is_root {
            self.tree().set_told();
        }
        if !self.is_watched() {
            return;
        }
        self.tell(EventKind::Opened { input });
        if self.tree().resumed && is_root {
            self.tell(EventKind::Noted {
                note: &Note::Resumed,
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

    /// Closes this effect, and first all that is open below it; does nothing if it is closed.
    fn close(&self, ending: Ending, error: Option<&Error>, output: Option<&dyn Look>) {
        if self.life().begin_closing() {
            self.tell_closed(ending, error, output);
            // Not before it has left: to wake may mean to poll what waits for that.
            self.tree().wake_reader();
        }
    }

    fn tell_closed(&self, ending: Ending, error: Option<&Error>, output: Option<&dyn Look>) {
        self.close_below(ending);
        // Not when the last context goes: somebody may keep one, and others wait.
        drop(self.take_reservation());
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
            parent.life().leave(self, visited);
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
                CancelReason::Dropped
            }
        };
        for cx in open {
            if cx.life().begin_closing_from_above(why) {
                cx.tell_closed(Ending::Cancelled { why }, None, None);
            }
        }
        self.life().wait_until_empty();
    }

    /// Closes whatever of the run is still open; this is the bare context it was begun under.
    pub(crate) fn close_run(&self) {
        if self.life().begin_closing() {
            let why = self.tree().cancel.reason();
            self.close_below(Ending::Cancelled {
                why: why.unwrap_or(CancelReason::Dropped),
            });
        }
    }

    fn is_own_step_of_the_root(&self) -> bool {
        let parent = self.parent();
        self.effect().kind() == EffectKind::Step && parent.is_some_and(|it| it.parent().is_none())
    }
}

pub(crate) fn closed_from_above(why: CancelReason) -> Error {
    Error::cancelled(why, "what it belongs to has closed")
}
