//! A router: a function of what a node gave that picks one of its edges.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use loom_core::{Data, Error, ErrorKind, Name, Result};
use serde_json::Value;

use crate::label;

/// Gives the label of the edge to take.
pub(crate) type Picks = Arc<dyn Fn(&Value) -> Result<String> + Send + Sync>;

/// A router over text: of a value that is no text it sees the JSON.
pub(crate) fn of_text<L: Display>(label: impl Fn(&str) -> L + Send + Sync + 'static) -> Picks {
    Arc::new(move |value| {
        Ok(match value {
            Value::String(text) => label(text).to_string(),
            other => label(&other.to_string()).to_string(),
        })
    })
}

/// A router over values of one type.
pub(crate) fn of_value<T: Data, L: Display>(
    label: impl Fn(&T) -> L + Send + Sync + 'static,
) -> Picks {
    Arc::new(move |value| Ok(label(&T::from_value(value.clone())?).to_string()))
}

/// A router with its labels, each of which is the edge of the same place.
pub(crate) struct Router {
    pub(crate) picks: Picks,
    /// `None` for all other labels.
    pub(crate) labels: Vec<Option<Name>>,
}

impl Router {
    /// The place of the edge to take.
    ///
    /// # Errors
    /// `Invalid` for a label that no edge has, naming the choices.
    pub(crate) fn pick(&self, value: &Value) -> Result<usize> {
        let picked = caught(|| (self.picks)(value))?;
        let named = |label: &Option<Name>| label.as_ref().is_some_and(|it| *it == picked);
        let place = self.labels.iter().position(named);
        place
            .or_else(|| self.labels.iter().position(Option::is_none))
            .ok_or_else(|| label::unknown("edge", &picked, self.labels.iter().flatten()))
    }
}

/// A panic of a router is an error, as one of a step is.
fn caught(pick: impl FnOnce() -> Result<String>) -> Result<String> {
    catch_unwind(AssertUnwindSafe(pick)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        // What it was raised with is leaked, since dropping it could panic again.
        std::mem::forget(panic);
        let text = text.unwrap_or_else(|| "a panic without a message".to_owned());
        Err(Error::new(
            ErrorKind::Panicked,
            format!("the router panicked: {text}"),
        ))
    })
}
