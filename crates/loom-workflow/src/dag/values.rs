//! `Values`: what there is so far in one run of a dag, and for how many it is still needed.

use std::any::type_name;

use loom_core::{Error, ErrorKind, Result};

use crate::payload::Payload;

/// The values of one run, by their places.
#[doc(hidden)]
pub struct Values(Vec<Slot>);

struct Slot {
    value: Option<Payload>,
    /// How often it will still be taken.
    left: usize,
}

impl Values {
    /// No values, each of which will be taken so often.
    pub(crate) fn none(uses: &[usize]) -> Self {
        let slot = |left: &usize| Slot {
            value: None,
            left: *left,
        };
        Self(uses.iter().map(slot).collect())
    }

    pub(crate) fn put(&mut self, place: usize, value: Payload) {
        let slot = &mut self.0[place];
        slot.value = Some(value).filter(|_| slot.left > 0);
    }

    /// The value itself for the last who takes it, a clone for the others.
    pub(crate) fn take<T: Clone + 'static>(&mut self, place: usize) -> Result<T> {
        let slot = &mut self.0[place];
        slot.left = slot.left.saturating_sub(1);
        if slot.left == 0 {
            return slot.value.take().ok_or_else(missing::<T>)?.take();
        }
        let value = slot.value.as_ref().and_then(Payload::get::<T>);
        value.cloned().ok_or_else(missing::<T>)
    }
}

/// A node begins when all it takes is there, and the builder's types say what that is.
fn missing<T>() -> Error {
    Error::new(
        ErrorKind::Failed,
        format!("a node began without its {}", type_name::<T>()),
    )
}
