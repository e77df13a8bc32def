//! The parts of arrays and objects.

use std::fmt::{self, Display, Write};

use serde::ser::{self, Error as _, Serialize};

use super::fault::{Fault, Segment};
use super::key::Key;
use super::{Shape, Verbatim, Walk};

/// The names by which serde_json knows its numbers of any precision and its raw JSON: their one
/// field's text is written as it is. Both have been stable since they exist, since serde_json's
/// parts meet through them; a test would notice.
const VERBATIM: [&str; 2] = [
    "$serde_json::private::Number",
    "$serde_json::private::RawValue",
];

pub(super) fn is_verbatim(name: &str) -> bool {
    // Nearly all names are told by their first byte.
    name.starts_with('$') && VERBATIM.contains(&name)
}

/// An array or object that is being walked through.
pub(super) struct Items<'a> {
    walk: &'a mut Walk,
    counted: usize,
    /// The variant that holds it: one more object around it.
    variant: Option<&'static str>,
    /// A key whose value is to come, where they come one by one.
    key: Option<Segment>,
    /// What it is if its text is JSON already.
    verbatim: Option<Shape>,
}

impl<'a> Items<'a> {
    pub(super) fn open(walk: &'a mut Walk, variant: Option<&'static str>) -> Result<Self, Fault> {
        if let Some(variant) = variant {
            walk.open_variant(variant)?;
        }
        walk.open()?;
        Ok(Self {
            walk,
            counted: 0,
            variant,
            key: None,
            verbatim: None,
        })
    }

    pub(super) fn verbatim(walk: &'a mut Walk) -> Self {
        Self {
            walk,
            counted: 0,
            variant: None,
            key: None,
            verbatim: Some(Shape::Other),
        }
    }

    /// Counts the comma before all but the first.
    fn begin(&mut self) {
        self.walk.bytes.0 += u64::from(self.counted > 0);
        self.counted += 1;
    }

    fn within(&self, fault: Fault, segment: Segment) -> Fault {
        let fault = fault.inside(segment);
        match self.variant {
            Some(variant) => fault.inside(Segment::field(variant)),
            None => fault,
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.begin();
        match value.serialize(&mut *self.walk) {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.within(fault, Segment::Index(self.counted - 1))),
        }
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Fault> {
        if self.verbatim.is_some() {
            return self.text(value);
        }
        self.begin();
        self.walk.leaf(name)?;
        self.walk.bytes.0 += 1;
        match value.serialize(&mut *self.walk) {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.within(fault, Segment::field(name))),
        }
    }

    /// Counts text that is JSON already.
    fn text<T: Serialize + ?Sized>(&mut self, text: &T) -> Result<(), Fault> {
        let mut verbatim = Verbatim {
            bytes: &mut self.walk.bytes,
            is_null: false,
        };
        write!(verbatim, "{}", Text(text)).map_err(Fault::custom)?;
        if verbatim.is_null {
            self.verbatim = Some(Shape::Null("null"));
        }
        Ok(())
    }

    fn close(self) -> Shape {
        if let Some(shape) = self.verbatim {
            return shape;
        }
        self.walk.close();
        if self.variant.is_some() {
            self.walk.close();
        }
        Shape::Other
    }
}

/// Serialisable text, displayed.
struct Text<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Display for Text<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = Shape;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    fn end(self) -> Result<Shape, Fault> {
        Ok(self.close())
    }
}

impl ser::SerializeTuple for Items<'_> {
    type Ok = Shape;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    fn end(self) -> Result<Shape, Fault> {
        Ok(self.close())
    }
}

impl ser::SerializeTupleStruct for Items<'_> {
    type Ok = Shape;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    fn end(self) -> Result<Shape, Fault> {
        Ok(self.close())
    }
}

impl ser::SerializeTupleVariant for Items<'_> {
    type Ok = Shape;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    fn end(self) -> Result<Shape, Fault> {
        Ok(self.close())
    }
}

impl ser::SerializeStruct for Items<'_> {
    type Ok = Shape;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.field(name, value)
    }

    fn end(self) -> Result<Shape, Fault> {
        Ok(self.close())
    }
}

impl ser::SerializeStructVariant for Items<'_> {
    type Ok = Shape;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.field(name, value)
    }

    fn end(self) -> Result<Shape, Fault> {
        Ok(self.close())
    }
}

impl ser::SerializeMap for Items<'_> {
    type Ok = Shape;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.begin();
        key.serialize(Key(self.walk))?;
        self.walk.bytes.0 += 1;
        self.key = Some(Segment::key(key));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        match value.serialize(&mut *self.walk) {
            Ok(_) => Ok(()),
            Err(fault) => {
                let key = self.key.take();
                Err(self.within(fault, key.unwrap_or(Segment::Index(self.counted - 1))))
            }
        }
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Fault> {
        self.begin();
        key.serialize(Key(self.walk))?;
        self.walk.bytes.0 += 1;
        match value.serialize(&mut *self.walk) {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.within(fault, Segment::key(key))),
        }
    }

    fn end(self) -> Result<Shape, Fault> {
        Ok(self.close())
    }
}
