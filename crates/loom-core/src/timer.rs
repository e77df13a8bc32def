//! Timers, which only a Tokio runtime with time has.

use crate::error::{Error, Result};
use crate::poll::caught_now;

/// Makes a timer for `what`.
///
/// # Errors
/// `Invalid` outside a Tokio runtime with time, where Tokio would panic.
pub(crate) fn start<T>(what: &str, make: impl FnOnce() -> T) -> Result<T> {
    // Outside any runtime, without the panic's message on the terminal.
    if tokio::runtime::Handle::try_current().is_ok()
        && let Ok(timer) = caught_now(make)
    {
        return Ok(timer);
    }
    Err(Error::invalid(format!(
        "{what} needs a Tokio runtime with time: run this inside one, or without it"
    )))
}
