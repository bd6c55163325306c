//! How large a value is that is passed to a plugin or comes back: its bytes, its longest list and its longest text. Read off by
//! way of `serde`, so that no type can be forgotten.

use std::fmt;

use serde::{Serialize, ser};

/// What was found in a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of all texts and numbers.
    pub bytes: u64,
    /// Entries of the longest list.
    pub longest_list: u64,
    /// Bytes of the longest text.
    pub longest_text: u64,
}

/// Measures a value.
pub fn measure(value: &impl Serialize) -> Size {
    let mut size = Size::default();
    // The serializer has no error of its own, and the model's types have none either.
    let _ = value.serialize(&mut Measure(&mut size));
    size
}

/// Measures several values that are passed together.
pub fn together(sizes: &[Size]) -> Size {
    sizes.iter().fold(Size::default(), |all, size| Size {
        bytes: all.bytes.saturating_add(size.bytes),
        longest_list: all.longest_list.max(size.longest_list),
        longest_text: all.longest_text.max(size.longest_text),
    })
}

struct Measure<'a>(&'a mut Size);

/// Counts a list's entries while they are measured.
struct List<'a> {
    size: &'a mut Size,
    entries: u64,
}

#[derive(Debug)]
struct Never(String);

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl Measure<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), Never> {
        self.0.bytes = self.0.bytes.saturating_add(bytes as u64);
        Ok(())
    }

    fn text(&mut self, bytes: usize) -> Result<(), Never> {
        self.0.longest_text = self.0.longest_text.max(bytes as u64);
        self.add(bytes)
    }
}

macro_rules! numbers {
    ($($name:ident: $type:ty,)+) => {
        $(fn $name(self, _: $type) -> Result<(), Never> {
            self.add(size_of::<$type>())
        })+
    };
}

impl<'a, 'b> ser::Serializer for &'a mut Measure<'b> {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = List<'a>;
    type SerializeStruct = List<'a>;
    type SerializeStructVariant = List<'a>;

    numbers! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32, serialize_f64: f64, serialize_char: char,
    }

    fn serialize_str(self, text: &str) -> Result<(), Never> {
        self.text(text.len())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Never> {
        self.add(bytes.len())
    }

    fn serialize_none(self) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Never> {
        self.add(1)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Never> {
        Ok(List { size: self.0, entries: 0 })
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Never> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, Never> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<List<'a>, Never> {
        self.serialize_seq(None)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<List<'a>, Never> {
        self.serialize_seq(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<List<'a>, Never> {
        self.serialize_seq(None)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<List<'a>, Never> {
        self.serialize_seq(None)
    }
}

impl List<'_> {
    fn entry<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.entries += 1;
        value.serialize(&mut Measure(self.size))
    }

    /// Fields of a record are no list.
    fn field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut Measure(self.size))
    }

    fn close(self) -> Result<(), Never> {
        self.size.longest_list = self.size.longest_list.max(self.entries);
        Ok(())
    }
}

macro_rules! lists {
    ($($trait:ident: $method:ident $by:ident,)+) => {
        $(impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                self.$by(value)
            }

            fn end(self) -> Result<(), Never> {
                self.close()
            }
        })+
    };
}

lists! {
    SerializeSeq: serialize_element entry,
    SerializeTuple: serialize_element field,
    SerializeTupleStruct: serialize_field field,
    SerializeTupleVariant: serialize_field field,
}

impl ser::SerializeMap for List<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.entry(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.field(value)
    }

    fn end(self) -> Result<(), Never> {
        self.close()
    }
}

macro_rules! records {
    ($($trait:ident),+) => {
        $(impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Never> {
                self.field(value)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })+
    };
}

records!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use autodevops_model::{Evidence, TestFile};

    use super::*;

    #[test]
    fn texts_lists_and_what_they_hold_are_measured() {
        let tests = vec![
            TestFile { path: "ab".into(), content: "xyz".into() },
            TestFile { path: String::new(), content: "0123456789".into() },
        ];
        assert_eq!(measure(&tests), Size { bytes: 15, longest_list: 2, longest_text: 10 });
        assert_eq!(measure(&vec![vec![1u8; 3], vec![1; 7]]), Size { bytes: 10, longest_list: 7, longest_text: 0 });
        let evidence = Evidence { source: "s".into(), line: 1, text: "t".into() };
        assert_eq!(measure(&Some(evidence)).bytes, 2 + 8);
    }

    #[test]
    fn what_is_passed_together_adds_up() {
        let one = Size { bytes: 5, longest_list: 1, longest_text: 5 };
        let other = Size { bytes: 6, longest_list: 3, longest_text: 2 };
        assert_eq!(together(&[one, other]), Size { bytes: 11, longest_list: 3, longest_text: 5 });
    }
}
