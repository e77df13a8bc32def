//! What waits for answers: counts of open questions on every place above them.

use std::sync::atomic::Ordering;

use crate::context::RunContext;
use crate::context::frame::{DECIDED, GIVEN_UP, OVER, REFUSED};
use crate::error::Error;
use crate::question::Question;
use crate::tree::unpoisoned;

/// How often code in one place may ignore that it was refused, before it is dropped.
const MAX_REFUSALS: u32 = 256;

/// A question that is open, and where it was asked.
pub(crate) struct OpenQuestion {
    pub(crate) question: Question,
    asker: RunContext,
}

impl RunContext {
    /// Counts a question that was written on every place from here up; false, and nothing is
    /// counted, if one of them has returned meanwhile.
    pub(crate) fn count_question(&self, question: &Question) -> bool {
        let mut open = unpoisoned(&self.tree().questions);
        for cx in self.places() {
            cx.place().questions.fetch_add(1, Ordering::SeqCst);
        }
        // Counted first, looked at after: a decision does it the other way round.
        let is_late = self.places().any(|cx| {
            !cx.is_bare() && (cx.place().is_marked(DECIDED | OVER) || cx.life().is_closed())
        });
        if is_late {
            self.uncount_question();
        } else {
            open.push(OpenQuestion {
                question: question.clone(),
                asker: self.clone(),
            });
        }
        !is_late
    }

    /// The body of this effect has returned: whether it waits for an answer, whatever it returned.
    /// From now on nothing below may ask or withdraw.
    pub(crate) fn decide_to_wait(&self) -> bool {
        let place = &self.frame().place;
        place.mark(DECIDED);
        if place.questions.load(Ordering::SeqCst) == 0 && !place.is_marked(REFUSED) {
            return false;
        }
        let _unchanged = unpoisoned(&self.tree().questions);
        place.questions.load(Ordering::SeqCst) > 0 || place.is_marked(REFUSED)
    }

    /// Whether nothing may open here, since this place waits for an answer. That decides: it waits
    /// from now on, even if what it waits for is withdrawn by something else.
    pub(crate) fn is_refused_waiting(&self) -> bool {
        let place = self.place();
        if place.questions.load(Ordering::SeqCst) == 0 && !place.is_marked(REFUSED) {
            return false;
        }
        let _unchanged = unpoisoned(&self.tree().questions);
        let waits = place.questions.load(Ordering::SeqCst) > 0 || place.is_marked(REFUSED);
        if waits {
            place.mark(REFUSED);
        }
        waits
    }

    /// Withdraws what was asked in or below this place, which was dropped or failed, unless
    /// something around it has decided to wait.
    pub(crate) fn withdraw(&self) {
        if self.place().questions.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut withdrawn = Vec::new();
        {
            let mut open = unpoisoned(&self.tree().questions);
            if self.is_settled_above() {
                return;
            }
            let mut kept = Vec::with_capacity(open.len());
            for it in open.drain(..) {
                if it.asker.places().any(|cx| self.is_same_place(cx)) {
                    it.asker.uncount_question();
                    withdrawn.push(it);
                } else {
                    kept.push(it);
                }
            }
            *open = kept;
        }
        drop(withdrawn);
    }

    /// A refusal because the run ends or this place waits: lets others run first, and is counted.
    pub(crate) async fn refused(&self, error: Error) -> Error {
        if error.kind() == crate::error::ErrorKind::Stopped {
            let refusals = self.place().refusals.fetch_add(1, Ordering::Relaxed);
            if refusals >= MAX_REFUSALS {
                self.place().mark(GIVEN_UP);
            }
        }
        crate::poll::yield_now().await;
        error
    }

    /// This place and all around it, up to the run itself.
    fn places(&self) -> impl Iterator<Item = &RunContext> {
        std::iter::successors(Some(self), |cx| cx.up())
    }

    fn is_same_place(&self, other: &RunContext) -> bool {
        std::ptr::eq(self.place(), other.place())
    }

    /// Under the lock of the tree's questions.
    fn uncount_question(&self) {
        for cx in self.places() {
            cx.place().questions.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
