//! `ResultExt`: says of a foreign error what kind it is and where it came from.

use crate::error::{BoxError, Error, ErrorKind, Result};

/// Turns any error into ours at a `?`.
///
/// ```
/// use loom_core::{ErrorKind, Result, ResultExt};
///
/// fn amount(text: &str) -> Result<u64> {
///     text.parse::<u64>().invalid()
/// }
/// fn fetched(reply: std::io::Result<String>) -> Result<String> {
///     reply.upstream()
/// }
///
/// assert_eq!(amount("many").unwrap_err().kind(), ErrorKind::Invalid);
/// assert!(fetched(Err(std::io::Error::other("reset"))).unwrap_err().is_retryable());
/// let error = amount("many").context("reading the refund").unwrap_err();
/// assert_eq!(error.to_string(), "reading the refund: invalid digit found in string");
/// ```
pub trait ResultExt<T> {
    /// Says what was being done: the message begins with it, kind and source stay.
    ///
    /// # Errors
    /// The same, with the context.
    fn context(self, context: impl Into<String>) -> Result<T>;

    /// A service failed, and trying again may help. A denial, a panic, a limit and whatever ends the
    /// run stay what they are.
    ///
    /// # Errors
    /// The same as `Upstream`, retryable.
    fn upstream(self) -> Result<T>;

    /// The input was bad, and trying again won't help; what stays what it is as for
    /// [`ResultExt::upstream`].
    ///
    /// # Errors
    /// The same as `Invalid`.
    fn invalid(self) -> Result<T>;
}

impl<T, E: Into<BoxError>> ResultExt<T> for Result<T, E> {
    fn context(self, context: impl Into<String>) -> Result<T> {
        self.map_err(|error| Error::from_any(error).in_context(&context.into()))
    }

    fn upstream(self) -> Result<T> {
        self.map_err(|error| Error::from_any(error).of_kind(ErrorKind::Upstream, true))
    }

    fn invalid(self) -> Result<T> {
        self.map_err(|error| Error::from_any(error).of_kind(ErrorKind::Invalid, false))
    }
}
