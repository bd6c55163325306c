//! Lists of a source map, bounded while they are read: a map of thirty megabytes may have eleven million empty names.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor},
};

/// Bytes of a text that are kept.
const MAX_TEXT_BYTES: usize = 1 << 10;

/// Texts one behind the other, so that an empty one takes four bytes.
#[derive(Debug, Default)]
pub struct Texts {
    all: String,
    ends: Vec<u32>,
}

impl Texts {
    /// How many.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The one with this index.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        self.all.get(start as usize..end as usize)
    }

    /// Bytes that they take.
    pub const fn bytes(&self) -> usize {
        self.all.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    fn push<E: Error>(&mut self, text: &str) -> Result<(), E> {
        self.all.push_str(shorten(text));
        let end = u32::try_from(self.all.len()).map_err(|_| E::custom("more than 4 GiB of texts"))?;
        self.ends.push(end);
        Ok(())
    }
}

/// As much of a text as is kept.
pub fn shorten(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default()
}

/// A list of texts, of which some may be `null`: at most so many.
///
/// # Errors
/// When there are more, or when it is no such list.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D, most: usize, of: &'static str) -> Result<Texts, D::Error> {
    struct List(usize, &'static str);

    impl<'de> Visitor<'de> for List {
        type Value = Texts;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of {}", self.1)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
            let mut texts = Texts::default();
            while seq.next_element_seed(Push(&mut texts))?.is_some() {
                check(texts.len(), self.0, self.1)?;
            }
            texts.all.shrink_to_fit();
            texts.ends.shrink_to_fit();
            Ok(texts)
        }
    }

    deserializer.deserialize_seq(List(most, of))
}

/// A list: at most so many.
///
/// # Errors
/// When there are more, or when it is no such list.
pub fn list<'de, D, T>(deserializer: D, most: usize, of: &'static str) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T>(usize, &'static str, PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of {}", self.1)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(next) = seq.next_element()? {
                all.push(next);
                check(all.len(), self.0, self.1)?;
            }
            Ok(all)
        }
    }

    deserializer.deserialize_seq(List(most, of, PhantomData))
}

fn check<E: Error>(number: usize, most: usize, of: &str) -> Result<(), E> {
    if number > most { Err(E::custom(format_args!("there are more than {most} {of}"))) } else { Ok(()) }
}

/// Takes a text of a list.
struct Push<'a>(&'a mut Texts);

impl<'de> DeserializeSeed<'de> for Push<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Push<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push(text)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Texts, String> {
        texts(&mut serde_json::Deserializer::from_str(json), 3, "names").map_err(|error| error.to_string())
    }

    #[test]
    fn texts_are_kept_in_order_and_cut() {
        let read = read(&format!(r#"["a", null, "{}ä"]"#, "x".repeat(MAX_TEXT_BYTES - 1))).unwrap();
        let long = "x".repeat(MAX_TEXT_BYTES - 1);
        assert_eq!([0, 1, 2, 3].map(|at| read.get(at)), [Some("a"), Some(""), Some(long.as_str()), None]);
    }

    #[test]
    fn what_is_too_many_or_no_text_is_told_of() {
        for (json, told) in [
            (r#"["", "", "", ""]"#, "there are more than 3 names"),
            (r#"["a", 7]"#, "expected a text or null"),
            (r#"{}"#, "expected a list of names"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(told), "{json}: {error}");
        }
        let error = list::<_, u32>(&mut serde_json::Deserializer::from_str("[1,2,3]"), 2, "entries").unwrap_err();
        assert!(error.to_string().contains("there are more than 2 entries"), "{error}");
    }
}
