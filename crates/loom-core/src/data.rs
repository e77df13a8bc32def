//! `Data`: what may cross an edge between two steps.

mod checked;

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::poll::caught_now;

/// A value that may cross an edge: it can be shown, recorded and brought back.
///
/// Every type with serde's `Serialize` and `Deserialize` is `Data`. The methods are there for the
/// few types that must not be `Serialize` themselves; JSON is made only when it is inspected.
///
/// ```
/// use loom_core::Data;
///
/// assert_eq!(vec![1, 2].to_value()?, serde_json::json!([1, 2]));
/// assert_eq!(<Vec<u8>>::from_value(serde_json::json!([1, 2]))?, [1, 2]);
/// # Ok::<(), loom_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't cross an edge between two steps",
    label = "what crosses an edge must be recordable: serde's `Serialize` and `Deserialize`, `Send`, `Sync`, `'static`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]`, or keep the value inside one step"
)]
pub trait Data: Send + Sync + Sized + 'static {
    /// Returns the value as JSON.
    ///
    /// # Errors
    /// `Invalid`, naming the value and its place, for a value that JSON can't bring back: a NaN or
    /// an infinity, a `Some` of what JSON writes as null (`Some(None)`, `Some(())`), a map with keys
    /// that aren't text, a value nested deeper than 128 levels.
    ///
    /// ```
    /// use loom_core::Data;
    ///
    /// let rates = vec![0.5, f64::NAN];
    /// let error = rates.to_value().unwrap_err();
    /// assert_eq!(error.message(), "can't write the value as JSON: JSON can't hold NaN, at `[1]`");
    ///
    /// let size = Some(None::<u8>);
    /// let error = size.to_value().unwrap_err();
    /// assert!(error.message().ends_with("is read back as `None`"));
    /// ```
    fn to_value(&self) -> Result<Value>;

    /// The value that [`Data::to_value`] wrote.
    ///
    /// # Errors
    /// `Invalid`, naming the field, for JSON that isn't such a value.
    fn from_value(value: Value) -> Result<Self>;

    /// The length of the value's JSON, in bytes.
    ///
    /// # Errors
    /// As [`Data::to_value`].
    fn json_bytes(&self) -> Result<u64> {
        written_bytes(&self.to_value()?)
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {
    fn to_value(&self) -> Result<Value> {
        checked_value(self)
    }

    fn from_value(value: Value) -> Result<Self> {
        serde_json::from_value(value).map_err(|e| {
            Error::with_source(ErrorKind::Invalid, format!("can't read the value: {e}"), e)
        })
    }

    fn json_bytes(&self) -> Result<u64> {
        written_bytes(self)
    }
}

/// A value as JSON, unless JSON couldn't bring it back.
pub(crate) fn checked_value(value: &impl Serialize) -> Result<Value> {
    checked::write(value, serde_json::value::Serializer).map_err(|why| unwritable(&why))
}

/// The length of the value's JSON, or an error for what JSON can't bring back.
pub(crate) fn written_bytes(value: &impl Serialize) -> Result<u64> {
    let mut bytes = Counter(0);
    checked::write(value, &mut serde_json::Serializer::new(&mut bytes))
        .map_err(|why| unwritable(&why))?;
    Ok(bytes.0)
}

fn unwritable(why: &str) -> Error {
    Error::invalid(format!("can't write the value as JSON: {why}"))
}

/// Counts what is written to it.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value that may be inspected: the object-safe half of [`Data`], handed to observers.
///
/// ```
/// use loom_core::Look;
///
/// fn describe(value: &dyn Look) -> String {
///     format!("{} bytes", value.json_bytes().unwrap_or(0))
/// }
/// assert_eq!(describe(&"four".to_owned()), "6 bytes");
/// ```
pub trait Look: Sync {
    /// The value as JSON.
    ///
    /// # Errors
    /// As [`Data::to_value`].
    fn look(&self) -> Result<Value>;

    /// The length of the value's JSON, in bytes, without building it.
    ///
    /// # Errors
    /// As [`Data::to_value`].
    fn json_bytes(&self) -> Result<u64>;
}

impl<T: Data> Look for T {
    fn look(&self) -> Result<Value> {
        seen(|| self.to_value())
    }

    fn json_bytes(&self) -> Result<u64> {
        seen(|| Data::json_bytes(self))
    }
}

/// A value whose writing panics can't be shown, which isn't the observer's fault.
fn seen<T>(look: impl FnOnce() -> Result<T>) -> Result<T> {
    caught_now(look).unwrap_or_else(|panic| {
        Err(Error::invalid(format!(
            "it panicked while it was written: {panic}"
        )))
    })
}
