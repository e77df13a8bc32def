//! `Payload`: a value between two nodes, its type forgotten.

use std::any::{Any, type_name};

use loom_core::{Error, ErrorKind, Result};

/// A value between two nodes. Never JSON: it is the value itself.
///
/// A node takes its input out and puts its output in. Where both are of one type, as along many
/// chains, it stays in the one allocation.
pub(crate) struct Payload(Box<dyn Any + Send>);

impl Payload {
    pub(crate) fn new<T: Send + 'static>(value: T) -> Self {
        Self(Box::new(Some(value)))
    }

    /// The value, where it is of this type and wasn't taken.
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref::<Option<T>>()?.as_ref()
    }

    /// Takes the value out. The builders' types rule out any other.
    #[inline]
    pub(crate) fn take<T: 'static>(&mut self) -> Result<T> {
        let value = self.0.downcast_mut::<Option<T>>().and_then(Option::take);
        value.ok_or_else(|| {
            let message = format!("an edge carried no {}", type_name::<T>());
            Error::new(ErrorKind::Failed, message)
        })
    }

    /// The same with another value.
    #[inline]
    pub(crate) fn with<T: Send + 'static>(mut self, value: T) -> Self {
        match self.0.downcast_mut::<Option<T>>() {
            Some(place) => {
                *place = Some(value);
                self
            }
            None => Self::new(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_gives_what_was_put_in_last_once_and_as_that_type_alone() {
        let mut payload = Payload::new(1u64);
        assert_eq!(payload.get::<u64>(), Some(&1));
        assert_eq!(payload.take::<u64>().ok(), Some(1));
        assert_eq!(payload.get::<u64>(), None);
        let mut payload = payload.with(2u64).with("text").with(3u64);
        let wrong = payload.take::<u32>().map_err(|e| e.to_string());
        assert_eq!(wrong, Err("an edge carried no u32".to_owned()));
        assert_eq!(payload.take::<u64>().ok(), Some(3));
        assert!(payload.take::<u64>().is_err());
    }
}
