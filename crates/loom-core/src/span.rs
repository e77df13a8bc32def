//! `OpenSpan`: an opened effect that closes exactly once, also when it is dropped.

use crate::attributes::Attributes;
use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::EffectKind;
use crate::ending::{CancelReason, Ending};
use crate::error::{Error, Result};
use crate::event::{Closed, EventKind, Note};

/// Held while an effect is open. Declared before the effect's body in every future, so that on a
/// drop the body, and with it all that is open below, goes first.
#[must_use]
pub(crate) struct OpenSpan<'a> {
    cx: &'a RunContext,
}

impl<'a> OpenSpan<'a> {
    /// Opens the effect, unless what it stands below has closed meanwhile.
    pub(crate) fn open(cx: &'a RunContext, input: Option<&dyn Look>) -> Result<Self> {
        let Some(around) = cx.around() else {
            return Err(closed_from_above(CancelReason::Dropped));
        };
        if around.life().open_below(cx, || cx.tell_opened(input)) {
            let span = Self { cx };
            cx.tree().wake_reader();
            return Ok(span);
        }
        around.alive()?;
        Err(closed_from_above(CancelReason::Dropped))
    }

    /// Closes the effect with what came of it.
    ///
    /// # Errors
    /// `Cancelled` if it had already been closed together with what is above it: that is how it
    /// is recorded.
    pub(crate) fn close<T: Data>(self, result: Result<&T, &Error>) -> Result<()> {
        match result {
            Ok(output) => self.cx.close(Ending::Completed, None, Some(output)),
            Err(error) => self.cx.close(error.ending(), Some(error), None),
        }
        match self.cx.life().closed_from_above() {
            None => Ok(()),
            Some(why) => Err(closed_from_above(why)),
        }
    }
}

impl Drop for OpenSpan<'_> {
    fn drop(&mut self) {
        let cx = self.cx;
        if !cx.is_closed() {
            let why = cx.drop_reason();
            cx.close(Ending::Cancelled { why }, None, None);
        }
    }
}

impl RunContext {
    fn tell_opened(&self, input: Option<&dyn Look>) {
        if self.parent().is_none() {
            self.tree().set_told();
        }
        self.tell(EventKind::Opened { input });
        if self.tree().resumed && self.parent().is_none() {
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
        if ending == Ending::Completed && self.is_own_step_of_the_root() {
            self.tree().visit(self.effect().name());
        }
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
            parent.life().leave(self);
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
