//! `wasi:keyvalue/store`: a plugin's own durable store. Writes are kept aside during the call and committed only when it
//! succeeds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A write: the value, or none to remove the key.
pub type Write = ((String, String), Option<Vec<u8>>);

/// Where values are kept. Implemented above this room; every plugin sees its own only.
pub trait KeyValueStore: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn get(&self, plugin: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// All keys of a bucket.
    ///
    /// # Errors
    /// Why they cannot be read, in words.
    fn keys(&self, plugin: &str, bucket: &str) -> Result<Vec<String>, String>;

    /// Writes all or nothing.
    ///
    /// # Errors
    /// Why nothing was written, in words: a full quota, a full disk.
    fn commit(&self, plugin: &str, writes: Vec<Write>) -> Result<(), String>;
}

/// The store as one call sees it: what is kept, and over it what the call wrote.
pub struct Overlay {
    store: Option<Arc<dyn KeyValueStore>>,
    plugin: Arc<str>,
    pending: BTreeMap<(String, String), Option<Vec<u8>>>,
}

impl Overlay {
    pub fn new(store: Option<Arc<dyn KeyValueStore>>, plugin: Arc<str>) -> Self {
        Self { store, plugin, pending: BTreeMap::new() }
    }

    fn store(&self) -> Result<&dyn KeyValueStore, String> {
        self.store.as_deref().ok_or_else(|| "there is no key-value store here".to_owned())
    }

    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        match self.pending.get(&(bucket.to_owned(), key.to_owned())) {
            Some(value) => Ok(value.clone()),
            None => self.store()?.get(&self.plugin, bucket, key),
        }
    }

    pub fn set(&mut self, bucket: &str, key: String, value: Option<Vec<u8>>) -> Result<(), String> {
        self.store()?;
        self.pending.insert((bucket.to_owned(), key), value);
        Ok(())
    }

    pub fn keys(&self, bucket: &str) -> Result<Vec<String>, String> {
        let mut keys: BTreeSet<String> = self.store()?.keys(&self.plugin, bucket)?.into_iter().collect();
        for ((pending_bucket, key), value) in &self.pending {
            if pending_bucket != bucket {
                continue;
            }
            if value.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        Ok(keys.into_iter().collect())
    }

    /// Makes the call's writes durable.
    pub fn commit(&mut self) -> Result<(), String> {
        let writes = std::mem::take(&mut self.pending);
        if writes.is_empty() {
            return Ok(());
        }
        self.store()?.commit(&self.plugin, writes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Memory(Mutex<BTreeMap<(String, String), Vec<u8>>>);

    impl KeyValueStore for Memory {
        fn get(&self, _: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
            Ok(self.0.lock().unwrap().get(&(bucket.into(), key.into())).cloned())
        }

        fn keys(&self, _: &str, bucket: &str) -> Result<Vec<String>, String> {
            Ok(self.0.lock().unwrap().keys().filter(|(name, _)| name == bucket).map(|(_, key)| key.clone()).collect())
        }

        fn commit(&self, _: &str, writes: Vec<Write>) -> Result<(), String> {
            let mut kept = self.0.lock().unwrap();
            for (key, value) in writes {
                match value {
                    Some(value) => kept.insert(key, value),
                    None => kept.remove(&key),
                };
            }
            Ok(())
        }
    }

    #[test]
    fn writes_are_seen_at_once_and_kept_only_by_a_commit() {
        let store = Arc::new(Memory::default());
        let overlay = || Overlay::new(Some(store.clone()), "p".into());
        let mut first = overlay();
        first.set("b", "k".into(), Some(vec![1])).unwrap();
        assert_eq!(first.get("b", "k"), Ok(Some(vec![1])));
        assert_eq!(first.keys("b"), Ok(vec!["k".to_owned()]));
        assert_eq!(overlay().get("b", "k"), Ok(None));
        first.commit().unwrap();
        assert_eq!(overlay().get("b", "k"), Ok(Some(vec![1])));
        let mut second = overlay();
        second.set("b", "k".into(), None).unwrap();
        assert_eq!(second.keys("b"), Ok(vec![]));
    }
}
