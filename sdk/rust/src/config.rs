//! The plugin's configuration and its checkpoints.

use serde::{
    Serialize,
    de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor, value::MapDeserializer},
};
use serde_json::Value;

use crate::{Error, Result, bindings::config::wasi::config::store};

/// The plugin's configuration: the operator's `[plugins.NAME.config]`, deserialized.
///
/// # Errors
/// `invalid-input` that names the key when it is missing, unknown to `T` or of another type.
pub fn config<T: DeserializeOwned>() -> Result<T> {
    let pairs = store::get_all().map_err(|error| match error {
        store::Error::Upstream(text) | store::Error::Io(text) => Error::not_granted(text),
    })?;
    from_pairs(pairs)
}

/// Each value is what its field asks for: a text is a text, whatever it looks like, and all else is JSON.
fn from_pairs<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Result<T> {
    let pairs = pairs.into_iter().map(|(key, text)| (key, Text(text)));
    T::deserialize(MapDeserializer::new(pairs))
        .map_err(|error: serde_json::Error| Error::wrong_input(format!("the plugin's configuration is wrong: {error}")))
}

/// A value as the host gives it.
struct Text(String);

impl<'de> IntoDeserializer<'de, serde_json::Error> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! as_json {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> serde_json::Result<V::Value> {
            self.json().$method($($argument,)* visitor)
        })*
    };
}

macro_rules! as_text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
            visitor.visit_string(self.0)
        })*
    };
}

impl Text {
    /// What is no JSON is a text, and so the error that a number or a list was wanted says what was given.
    fn json(self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::String(self.0))
    }
}

impl<'de> Deserializer<'de> for Text {
    type Error = serde_json::Error;

    as_text! { deserialize_str deserialize_string deserialize_char deserialize_identifier }

    as_json! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64()
        deserialize_bytes() deserialize_byte_buf() deserialize_unit() deserialize_seq() deserialize_map() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str) deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        visitor.visit_enum(self.0.into_deserializer())
    }
}

/// Bytes for a checkpoint.
///
/// # Errors
/// `failed` when the value has no JSON form.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::failure(format!("the state cannot be written: {error}")))
}

/// The value that [`encode`] made bytes of.
///
/// # Errors
/// `invalid-input` when the bytes are no such value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::wrong_input(format!("the checkpoint cannot be read: {error}; start a new session")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        url: String,
        limit: u32,
        paths: Vec<String>,
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn values_are_read_as_json_and_else_as_text() {
        let settings: Settings =
            from_pairs(pairs(&[("url", "http://a.example"), ("limit", "3"), ("paths", r#"["a","b"]"#)])).unwrap();
        assert_eq!(
            settings,
            Settings { url: "http://a.example".into(), limit: 3, paths: vec!["a".into(), "b".into()] }
        );
    }

    #[test]
    fn a_text_is_a_text_whatever_it_looks_like() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Via {
            Http,
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Texts {
            template: String,
            port: String,
            via: Via,
            maybe: Option<String>,
            share: f64,
            on: bool,
        }
        let given = [
            ("template", r#"{"to":"{to}"}"#),
            ("port", "8080"),
            ("via", "http"),
            ("maybe", "true"),
            ("share", "0.5"),
            ("on", "true"),
        ];
        let texts: Texts = from_pairs(pairs(&given)).unwrap();
        assert_eq!((texts.template.as_str(), texts.port.as_str()), (r#"{"to":"{to}"}"#, "8080"));
        assert_eq!((texts.via, texts.maybe.as_deref(), texts.share, texts.on), (Via::Http, Some("true"), 0.5, true));
        let error = from_pairs::<Settings>(pairs(&[("url", "x"), ("limit", "many"), ("paths", "[]")])).unwrap_err();
        assert!(error.message().contains("invalid type: string \"many\", expected u32"), "{}", error.message());
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = from_pairs::<Settings>(pairs(&[("url", "x"), ("paths", "[]")])).unwrap_err();
        assert!(error.message().contains("missing field `limit`"), "{}", error.message());
    }

    #[test]
    fn a_checkpoint_cut_in_half_is_invalid_input() {
        let bytes = encode(&vec![1u32, 2, 3]).unwrap();
        assert_eq!(decode::<Vec<u32>>(&bytes), Ok(vec![1, 2, 3]));
        assert!(matches!(decode::<Vec<u32>>(&bytes[..3]), Err(Error::InvalidInput(_))));
    }
}
