//! `Data`: what may cross an edge between two steps.

use std::io::{self, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::ser::Formatter;

use crate::error::{Error, ErrorKind, Result};
use crate::poll::caught_now;

/// A value that may cross an edge: it can be shown, recorded and brought back.
///
/// Every type with serde's `Serialize` and `Deserialize` is `Data`. The methods are there for the
/// few types that must not be `Serialize` themselves; JSON is made only when somebody looks.
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
    /// The value as JSON.
    ///
    /// # Errors
    /// `Invalid` for a value that has no JSON form, such as a map with keys that aren't text.
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
        // Making a value recurses as deep as the value is; measuring it stops in time.
        written_bytes(self)?;
        serde_json::to_value(self).map_err(unwritable)
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

/// A value somebody may look at: the object-safe half of [`Data`], handed to observers.
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

/// A value whose writing panics can't be shown; that is no fault of whoever looks.
fn seen<T>(look: impl FnOnce() -> Result<T>) -> Result<T> {
    caught_now(look).unwrap_or_else(|panic| {
        Err(Error::invalid(format!(
            "it panicked while it was written: {panic}"
        )))
    })
}

fn unwritable(e: serde_json::Error) -> Error {
    Error::with_source(
        ErrorKind::Invalid,
        format!("can't write the value as JSON: {e}"),
        e,
    )
}

/// How deep a value may be nested that anybody looks at: as deep as JSON text is read back.
const DEPTH_MAX: usize = 128;

/// The length of the value's JSON, or an error for one that is nested too deep.
pub(crate) fn written_bytes(value: &impl Serialize) -> Result<u64> {
    let mut counter = Counter(0);
    let mut serializer = serde_json::Serializer::with_formatter(&mut counter, Shallow { depth: 0 });
    value.serialize(&mut serializer).map_err(unwritable)?;
    Ok(counter.0)
}

/// Compact JSON that stops at a depth.
struct Shallow {
    depth: usize,
}

impl Shallow {
    fn deeper(&mut self) -> io::Result<()> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(io::Error::other(format!(
                "it is nested deeper than {DEPTH_MAX} levels"
            ))),
            false => Ok(()),
        }
    }
}

impl Formatter for Shallow {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.deeper()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.deeper()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
