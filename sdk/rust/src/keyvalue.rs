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
//!
//! What takes a [`Store`] in place of a [`Bucket`] is tested without a host, with [`Memory`]:
//!
//! ```
//! use autodevops_sdk::{Result, keyvalue::{Memory, Store}};
//!
//! fn count(seen: &impl Store, key: &str) -> Result<usize> {
//!     let mut value = seen.get(key)?.unwrap_or_default();
//!     value.push(b'x');
//!     seen.set(key, &value)?;
//!     Ok(value.len())
//! }
//!
//! let seen = Memory::default();
//! assert_eq!((count(&seen, "a").unwrap(), count(&seen, "a").unwrap()), (1, 2));
//! ```

use std::{cell::RefCell, collections::BTreeMap};

use crate::{Error, Result, bindings::keyvalue::wasi::keyvalue::store};

/// Keys and values that last: a [`Bucket`], or a [`Memory`].
pub trait Store {
    /// The value of a key.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Sets the value of a key, in place of the one before.
    ///
    /// # Errors
    /// When the store cannot be written, or is full.
    fn set(&self, key: &str, value: &[u8]) -> Result<()>;

    /// Removes a key; one that is not there is no error.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn delete(&self, key: &str) -> Result<()>;

    /// All keys, in no order that counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys(&self) -> Result<Vec<String>>;
}

impl Store for Bucket {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Self::get(self, key)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Self::set(self, key, value)
    }

    fn delete(&self, key: &str) -> Result<()> {
        Self::delete(self, key)
    }

    fn keys(&self) -> Result<Vec<String>> {
        Self::keys(self)
    }
}

/// Keys and values that last as long as it does, for tests; they are in the order of the keys.
#[derive(Debug, Default)]
pub struct Memory {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    written: RefCell<usize>,
}

impl Memory {
    /// Bytes of all values that were ever set: a host lets one call write so many and no more.
    pub fn written(&self) -> usize {
        *self.written.borrow()
    }
}

impl Store for Memory {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.values.borrow().get(key).cloned())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        *self.written.borrow_mut() += value.len();
        self.values.borrow_mut().insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.values.borrow_mut().remove(key);
        Ok(())
    }

    fn keys(&self) -> Result<Vec<String>> {
        Ok(self.values.borrow().keys().cloned().collect())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_keeps_what_is_set_and_counts_what_was_written() {
        let memory = Memory::default();
        for (key, value) in [("b", &b"12"[..]), ("a", b"1"), ("b", b"123")] {
            memory.set(key, value).unwrap();
        }
        assert_eq!(memory.get("b").unwrap().as_deref(), Some(&b"123"[..]));
        assert_eq!((memory.keys().unwrap(), memory.written()), (vec!["a".to_owned(), "b".to_owned()], 6));
        memory.delete("a").unwrap();
        memory.delete("a").unwrap();
        assert_eq!((memory.get("a").unwrap(), memory.keys().unwrap().len()), (None, 1));
    }
}
