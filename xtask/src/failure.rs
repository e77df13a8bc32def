//! Why a task did not succeed.

use std::fmt;

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asked for something that doesn't exist.
    Usage(String),
    /// A check found something, or couldn't be made.
    Check(String),
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self::Check(what.into())
    }

    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Check(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) | Self::Check(what) => out.write_str(what),
        }
    }
}
