//! `OpenSpan`: an opened effect that closes exactly once, also when it is dropped.

use crate::attributes::Attributes;
use crate::context::RunContext;
use crate::data::{Data, Look};
use crate::effect::EffectKind;
use crate::ending::Ending;
use crate::error::Error;
use crate::event::{Closed, EventKind, Note};

/// Held while an effect is open. Declared before the effect's body in every future, so that on a
/// drop the body, and with it all that is open below, goes first.
#[must_use]
pub(crate) struct OpenSpan<'a> {
    cx: &'a RunContext,
    open: bool,
}

impl<'a> OpenSpan<'a> {
    pub(crate) fn open(cx: &'a RunContext, input: Option<&dyn Look>) -> Self {
        // Made first, so that a panic in between still closes what observers were told of.
        let span = Self { cx, open: true };
        if cx.parent().is_none() {
            cx.tree().set_told();
        }
        cx.emit(EventKind::Opened { input });
        if cx.tree().resumed && cx.parent().is_none() {
            cx.tell_note(&Note::Resumed, &Attributes::new());
        }
        if let Some(user) = cx.effect().acting_as() {
            cx.tell_note(
                &Note::ActingAs {
                    user: Some(user.clone()),
                },
                &Attributes::new(),
            );
        }
        span
    }

    pub(crate) fn close<T: Data>(mut self, result: Result<&T, &Error>) {
        self.open = false;
        match result {
            Ok(output) => self.tell(Ending::Completed, None, Some(output)),
            Err(error) => self.tell(error.ending(), Some(error), None),
        }
    }

    fn tell(&self, ending: Ending, error: Option<&Error>, output: Option<&dyn Look>) {
        let cx = self.cx;
        cx.close();
        // Not when the last context goes: somebody may keep one, and others wait.
        drop(cx.take_reservation());
        if ending == Ending::Completed && is_own_step_of_the_root(cx) {
            cx.tree().visit(cx.effect().name());
        }
        if cx.is_watched() {
            let attributes: &Attributes = &cx.take_recorded();
            cx.emit(EventKind::Closed(Closed {
                ending,
                error,
                output,
                attributes,
            }));
        }
    }
}

impl Drop for OpenSpan<'_> {
    fn drop(&mut self) {
        if self.open {
            self.tell(
                Ending::Cancelled {
                    why: self.cx.drop_reason(),
                },
                None,
                None,
            );
        }
    }
}

fn is_own_step_of_the_root(cx: &RunContext) -> bool {
    let parent = cx.parent();
    cx.effect().kind() == EffectKind::Step && parent.is_some_and(|it| it.parent().is_none())
}
