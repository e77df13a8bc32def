//! The parts of arrays and objects.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{Part, Way};
use crate::name::shortened;

/// The name by which serde_json knows its raw JSON. It has been stable since it exists, since
/// serde_json's parts meet through it; a test would notice.
const RAW: &str = "$serde_json::private::RawValue";

/// An array or an object that is being written.
pub(super) struct Parts<'a, C> {
    inner: C,
    way: &'a Way,
    written: usize,
    /// Whether it is raw JSON that is a null.
    is_null: bool,
    /// The variant that it belongs to, which JSON writes as an object around it.
    variant: Option<&'static str>,
}

impl<'a, C> Parts<'a, C> {
    pub(super) fn new(inner: C, way: &'a Way) -> Self {
        Self {
            inner,
            way,
            written: 0,
            is_null: false,
            variant: None,
        }
    }

    pub(super) fn of_variant(mut self, variant: &'static str) -> Self {
        self.variant = Some(variant);
        self
    }

    fn part<T: ?Sized, E>(
        &mut self,
        value: &T,
        name: impl FnOnce(usize) -> String,
        write: impl FnOnce(&mut C, &Part<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (way, index) = (self.way, self.written);
        self.written += 1;
        let variant = self.variant;
        write(&mut self.inner, &Part { value, way }).inspect_err(|_| {
            way.inside(|| match variant {
                Some(variant) => format!(".{variant}{}", name(index)),
                None => name(index),
            });
        })
    }

    fn item<T: ?Sized, E>(
        &mut self,
        value: &T,
        write: impl FnOnce(&mut C, &Part<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.part(value, |index| format!("[{index}]"), write)
    }

    fn close<T>(self, end: impl FnOnce(C) -> T) -> T {
        self.way.leave(self.is_null);
        if self.variant.is_some() {
            self.way.leave(false);
        }
        end(self.inner)
    }
}

impl<C: SerializeSeq> SerializeSeq for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.item(value, |inner, part| inner.serialize_element(part))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.close(C::end)
    }
}

impl<C: SerializeTuple> SerializeTuple for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.item(value, |inner, part| inner.serialize_element(part))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.close(C::end)
    }
}

impl<C: SerializeTupleStruct> SerializeTupleStruct for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.item(value, |inner, part| inner.serialize_field(part))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.close(C::end)
    }
}

impl<C: SerializeTupleVariant> SerializeTupleVariant for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.item(value, |inner, part| inner.serialize_field(part))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.close(C::end)
    }
}

impl<C: SerializeStruct> SerializeStruct for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), C::Error> {
        if name == RAW {
            self.is_null = serde_json::to_value(value).is_ok_and(|json| json == "null");
        }
        self.part(
            value,
            |_| format!(".{name}"),
            |inner, part| inner.serialize_field(name, part),
        )
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.close(C::end)
    }
}

impl<C: SerializeStructVariant> SerializeStructVariant for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), C::Error> {
        self.part(
            value,
            |_| format!(".{name}"),
            |inner, part| inner.serialize_field(name, part),
        )
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.close(C::end)
    }
}

impl<C: SerializeMap> SerializeMap for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.item(value, |inner, part| inner.serialize_value(part))
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), C::Error> {
        let name = |_| {
            let key = serde_json::to_string(key).unwrap_or_default();
            format!("[{}]", shortened(&key))
        };
        self.part(value, name, |inner, part| inner.serialize_entry(key, part))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.close(C::end)
    }
}
