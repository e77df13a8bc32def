//! The options a task was given.

use crate::failure::{Failure, Outcome};

/// What was asked for besides the task's name; a task refuses options it doesn't list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Rewrite the committed file instead of comparing with it.
    pub(crate) bless: bool,
    /// Print for a program instead of for a person.
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn parse(task: &str, known: &[&str], words: &[String]) -> Outcome<Self> {
        let mut options = Self::default();
        for word in words {
            if !known.contains(&word.as_str()) {
                let choices = if known.is_empty() {
                    "none".into()
                } else {
                    known.join(", ")
                };
                return Err(Failure::Usage(format!(
                    "{task} has no option {word:?}; it takes {choices}"
                )));
            }
            options.bless |= word == "--bless";
            options.json |= word == "--json";
        }
        Ok(options)
    }
}
