//! What is under way directly below a place, and how its names are counted.

use std::fmt;

use crate::context::RunContext;
use crate::effect::{Effect, EffectKind};
use crate::error::{Error, Result};
use crate::name::Name;
use crate::path::{Siblings, push_segment};

impl RunContext {
    /// Says that one more effect or question directly below this place is under way. With
    /// `overlapped`, an earlier attempt had several at once. An error where the `nth` of a name
    /// couldn't be told apart from the others when the run is resumed.
    pub(crate) fn begin_below(
        &self,
        what: &dyn fmt::Display,
        nth: u32,
        overlapped: bool,
    ) -> Result<()> {
        let place = self.counting_place();
        let in_order = self.opens_in_order();
        let is_unclear = place.with_state(|state| {
            state.overlapped |= overlapped
                || match in_order {
                    Some(in_order) => !in_order,
                    None => state.under_way > 0,
                };
            state.under_way += 1;
            state.overlapped && nth > 1
        });
        if is_unclear {
            self.end_below();
            return Err(ambiguous(what).at(|| self.path()));
        }
        Ok(())
    }

    pub(crate) fn end_below(&self) {
        self.counting_place().if_state(|state| state.under_way -= 1);
    }

    /// Whether something directly below this place is under way.
    pub(crate) fn has_under_way(&self) -> bool {
        let place = self.counting_place();
        place.if_state(|state| state.under_way > 0) == Some(true)
    }

    /// Whether two things directly below this place were ever under way at once.
    pub(crate) fn is_overlapped(&self) -> bool {
        let place = self.counting_place();
        place.if_state(|state| state.overlapped) == Some(true)
    }

    /// How often each name was opened below this place so far.
    pub(crate) fn children(&self) -> Siblings {
        let place = self.counting_place();
        place
            .if_state(|state| state.siblings.clone())
            .unwrap_or_default()
    }

    /// Counts the openings below this place from there again.
    pub(crate) fn recount_children(&self, from: Siblings) {
        self.counting_place()
            .with_state(|state| state.siblings = from);
    }

    /// The path of a question below this place, and which of its name it is.
    pub(crate) fn path_below(&self, name: &Name) -> (String, u32) {
        let below = Effect::new(EffectKind::Step, name.clone());
        let nth = self
            .counting_place()
            .with_state(|state| state.siblings.count(&below));
        let mut path = self.place_path();
        path.push('/');
        push_segment(&mut path, &below, nth);
        (path, nth)
    }
}

fn ambiguous(what: &dyn fmt::Display) -> Error {
    Error::invalid(format!(
        "{what} comes again below an effect whose parts ran concurrently: when the run is resumed, nobody could tell which record is whose; give each a name of its own, or run them as branches (`cx.join`, `cx.branches`), each with the context it is handed"
    ))
}
