//! The plugin's durable store of keys and values, where it was granted. What a call wrote is kept only when it succeeds.
//!
//! ```no_run
//! use autodevops_sdk::{Result, keyvalue::Bucket};
//!
//! fn first_time(key: &str) -> Result<bool> {
//!     let told = Bucket::open("told")?;
//!     if told.get(key)?.is_some() {
//!         return Ok(false);
//!     }
//!     told.set(key, b"yes")?;
//!     Ok(true)
//! }
//! ```

use crate::{Error, Result, bindings::keyvalue::wasi::keyvalue::store};

/// Keys and values under a name; no other plugin sees them.
pub struct Bucket {
    name: String,
    inner: store::Bucket,
}

impl Bucket {
    /// The bucket with the name; it is made by its first value.
    ///
    /// # Errors
    /// `denied` when no store was granted.
    pub fn open(name: &str) -> Result<Self> {
        let inner = store::open(name).map_err(|error| wrong(name, error))?;
        Ok(Self { name: name.to_owned(), inner })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.inner.get(key).map_err(|error| wrong(&self.name, error))
    }

    /// Sets the value of a key, in place of the one before.
    ///
    /// # Errors
    /// When the store cannot be written, or is full.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        self.inner.set(key, value).map_err(|error| wrong(&self.name, error))
    }

    /// Removes a key; one that is not there is no error.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).map_err(|error| wrong(&self.name, error))
    }

    /// All keys, in no order that counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn keys(&self) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.inner.list_keys(cursor).map_err(|error| wrong(&self.name, error))?;
            keys.extend(page.keys);
            match page.cursor {
                None => return Ok(keys),
                next => cursor = next,
            }
        }
    }
}

fn wrong(bucket: &str, error: store::Error) -> Error {
    match error {
        store::Error::AccessDenied => Error::not_granted(format!(
            "the key-value bucket `{bucket}` is not granted; the manifest asks for `keyvalue`, and the operator grants \
             `keyvalue = true`"
        )),
        store::Error::NoSuchStore => Error::failure(format!("the host has no key-value bucket `{bucket}`")),
        store::Error::Other(text) => Error::failure(format!("the key-value bucket `{bucket}` cannot be used: {text}")),
    }
}
