//! The plugin's configuration and its checkpoints.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

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

/// Values that are JSON are taken as such, all others as text.
fn from_pairs<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Result<T> {
    let object: Map<String, Value> = pairs
        .into_iter()
        .map(|(key, text)| {
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            (key, value)
        })
        .collect();
    serde_json::from_value(Value::Object(object))
        .map_err(|error| Error::wrong_input(format!("the plugin's configuration is wrong: {error}")))
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
