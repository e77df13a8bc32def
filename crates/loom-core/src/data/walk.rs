//! A walk over a value: whether JSON can bring it back, and how long its JSON is.

mod fault;
mod items;
mod key;

use std::fmt::{self, Display};
use std::io::{self, Write as _};

use serde::ser::{Error as _, Serialize, Serializer};

pub(super) use fault::Fault;
use fault::Segment;
use items::Items;

/// How deep a value may be nested: as deep as JSON text is read back.
const DEPTH_MAX: usize = 128;

/// The length of the value's compact JSON, in bytes, or what JSON can't bring back of it. The value
/// is visited once, and no JSON is made.
pub(super) fn walk<T: Serialize + ?Sized>(value: &T) -> Result<u64, Fault> {
    let mut walk = Walk {
        bytes: Counter(0),
        depth: 0,
    };
    value.serialize(&mut walk)?;
    Ok(walk.bytes.0)
}

/// A serializer that writes nothing: it counts and refuses.
struct Walk {
    bytes: Counter,
    depth: usize,
}

/// What a value is in JSON, for the `Some` around it.
enum Shape {
    /// A null, and how Rust writes the value.
    Null(&'static str),
    Other,
}

impl Walk {
    /// Counts a value without parts as serde_json writes it.
    fn leaf<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Shape, Fault> {
        serde_json::to_writer(&mut self.bytes, value).map_err(Fault::custom)?;
        Ok(Shape::Other)
    }

    /// Counts a leaf that JSON always quotes.
    fn quoted<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.bytes.0 += 2;
        self.leaf(value).map(drop)
    }

    fn null(&mut self, written: &'static str) -> Result<Shape, Fault> {
        self.bytes.0 += 4;
        Ok(Shape::Null(written))
    }

    /// Counts the bracket that opens an array or an object.
    fn open(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        self.bytes.0 += 1;
        match self.depth > DEPTH_MAX {
            true => Err(Fault::deep(DEPTH_MAX)),
            false => Ok(()),
        }
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.bytes.0 += 1;
    }

    /// Counts `{"variant":`.
    fn open_variant(&mut self, variant: &'static str) -> Result<(), Fault> {
        self.open()?;
        self.leaf(variant)?;
        self.bytes.0 += 1;
        Ok(())
    }
}

/// Forwards what has no parts.
macro_rules! leaves {
    ($($method:ident: $leaf:ty),* $(,)?) => {
        $(fn $method(self, value: $leaf) -> Result<Shape, Fault> {
            self.leaf(&value)
        })*
    };
}

impl<'a> Serializer for &'a mut Walk {
    type Ok = Shape;
    type Error = Fault;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    leaves! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_char: char,
        serialize_str: &str,
    }

    fn serialize_f32(self, value: f32) -> Result<Shape, Fault> {
        match value.is_finite() {
            true => self.leaf(&value),
            false => Err(Fault::not_finite(value)),
        }
    }

    fn serialize_f64(self, value: f64) -> Result<Shape, Fault> {
        match value.is_finite() {
            true => self.leaf(&value),
            false => Err(Fault::not_finite(value)),
        }
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Shape, Fault> {
        self.open()?;
        self.depth -= 1;
        self.bytes.0 -= 1;
        serde_json::Serializer::new(&mut self.bytes)
            .serialize_bytes(value)
            .map_err(Fault::custom)?;
        Ok(Shape::Other)
    }

    fn serialize_none(self) -> Result<Shape, Fault> {
        self.null("None")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Shape, Fault> {
        match value.serialize(self)? {
            Shape::Null(written) => Err(Fault::lost(written)),
            Shape::Other => Ok(Shape::Other),
        }
    }

    fn serialize_unit(self) -> Result<Shape, Fault> {
        self.null("()")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Shape, Fault> {
        self.null(name)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Shape, Fault> {
        self.leaf(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Shape, Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Shape, Fault> {
        self.open_variant(variant)?;
        let inner = value.serialize(&mut *self);
        inner.map_err(|fault| fault.inside(Segment::field(variant)))?;
        self.close();
        Ok(Shape::Other)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Fault> {
        Items::open(self, None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Fault> {
        Items::open(self, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, Fault> {
        Items::open(self, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Fault> {
        Items::open(self, Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a>, Fault> {
        Items::open(self, None)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Items<'a>, Fault> {
        match items::is_verbatim(name) {
            true => Ok(Items::verbatim(self)),
            false => Items::open(self, None),
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Fault> {
        Items::open(self, Some(variant))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<Shape, Fault> {
        serde_json::Serializer::new(&mut self.bytes)
            .collect_str(value)
            .map_err(Fault::custom)?;
        Ok(Shape::Other)
    }
}

/// Counts what is written to it.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts text that is JSON already.
struct Verbatim<'a> {
    bytes: &'a mut Counter,
    is_null: bool,
}

impl fmt::Write for Verbatim<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.is_null = text == "null";
        self.bytes
            .write_all(text.as_bytes())
            .map_err(|_| fmt::Error)
    }
}
