//! A serializer around another one that refuses what JSON can't bring back.

mod parts;

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use serde::ser::{Error as _, Serialize, Serializer};

use parts::Parts;

/// How deep a value may be nested: as deep as JSON text is read back.
const DEPTH_MAX: usize = 128;

/// Writes the value by this serializer, or says what JSON can't bring back of it, and where.
pub(super) fn write<T, S>(value: &T, serializer: S) -> Result<S::Ok, String>
where
    T: Serialize + ?Sized,
    S: Serializer,
{
    let way = Way::default();
    let written = value.serialize(Checked {
        inner: serializer,
        way: &way,
    });
    written.map_err(|error| match &*way.place.take() {
        "" => error.to_string(),
        place => format!("{error}, at `{}`", place.trim_start_matches('.')),
    })
}

/// Where in the value the serializer is.
#[derive(Default)]
struct Way {
    depth: Cell<usize>,
    /// Whether what was written last is a null.
    is_null: Cell<bool>,
    /// The place of what is at fault, written from the inside out.
    place: RefCell<String>,
}

impl Way {
    /// Enters an array or an object.
    fn enter<E: serde::ser::Error>(&self) -> Result<(), E> {
        self.depth.set(self.depth.get() + 1);
        match self.depth.get() > DEPTH_MAX {
            true => Err(E::custom(format!(
                "it is nested deeper than {DEPTH_MAX} levels"
            ))),
            false => Ok(()),
        }
    }

    /// Leaves an array or an object, or raw JSON that is a null.
    fn leave(&self, is_null: bool) {
        self.depth.set(self.depth.get() - 1);
        self.is_null.set(is_null);
    }

    /// Names the part that holds what is at fault. A fault that lies too deep isn't placed.
    fn inside(&self, part: impl FnOnce() -> String) {
        if self.depth.get() <= DEPTH_MAX {
            self.place.borrow_mut().insert_str(0, &part());
        }
    }
}

/// A serializer that looks at what it hands on.
struct Checked<'a, S> {
    inner: S,
    way: &'a Way,
}

/// A part of a value, written by a checked serializer.
struct Part<'a, T: ?Sized> {
    value: &'a T,
    way: &'a Way,
}

impl<T: Serialize + ?Sized> Serialize for Part<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        let way = self.way;
        self.value.serialize(Checked { inner, way })
    }
}

fn finite<E: serde::ser::Error>(number: f64) -> Result<(), E> {
    match number.is_finite() {
        true => Ok(()),
        false => Err(E::custom(format!("JSON can't hold {number}"))),
    }
}

impl<'a, S: Serializer> Checked<'a, S> {
    fn null<T>(self, write: impl FnOnce(S) -> T) -> T {
        self.way.is_null.set(true);
        write(self.inner)
    }

    fn open<C>(
        self,
        open: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Parts<'a, C>, S::Error> {
        self.way.enter()?;
        Ok(Parts::new(open(self.inner)?, self.way))
    }
}

/// Hands on what has no parts.
macro_rules! leaves {
    ($($method:ident: $leaf:ty),* $(,)?) => {
        $(fn $method(self, value: $leaf) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        })*
    };
}

impl<'a, S: Serializer> Serializer for Checked<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'a, S::SerializeSeq>;
    type SerializeTuple = Parts<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'a, S::SerializeTupleVariant>;
    type SerializeMap = Parts<'a, S::SerializeMap>;
    type SerializeStruct = Parts<'a, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'a, S::SerializeStructVariant>;

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

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        finite(value.into())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        finite(value)?;
        self.inner.serialize_f64(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        self.way.enter()?;
        self.way.leave(false);
        self.inner.serialize_bytes(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.null(S::serialize_none)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let way = self.way;
        way.is_null.set(false);
        let written = self.inner.serialize_some(&Part { value, way })?;
        match way.is_null.get() {
            true => Err(S::Error::custom(
                "a `Some` of what JSON writes as null is read back as `None`",
            )),
            false => Ok(written),
        }
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.null(S::serialize_unit)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.null(|inner| inner.serialize_unit_struct(name))
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let way = self.way;
        self.inner
            .serialize_newtype_struct(name, &Part { value, way })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let way = self.way;
        way.enter()?;
        let part = Part { value, way };
        let written = self
            .inner
            .serialize_newtype_variant(name, index, variant, &part)
            .inspect_err(|_| way.inside(|| format!(".{variant}")))?;
        way.leave(false);
        Ok(written)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.open(|inner| inner.serialize_seq(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.open(|inner| inner.serialize_tuple(len))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.open(|inner| inner.serialize_tuple_struct(name, len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.way.enter()?;
        let parts = self.open(|inner| inner.serialize_tuple_variant(name, index, variant, len));
        parts.map(|it| it.of_variant(variant))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.open(|inner| inner.serialize_map(len))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.open(|inner| inner.serialize_struct(name, len))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.way.enter()?;
        let parts = self.open(|inner| inner.serialize_struct_variant(name, index, variant, len));
        parts.map(|it| it.of_variant(variant))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }
}
