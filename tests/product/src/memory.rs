//! Keys and values that are kept in memory.

use std::{collections::BTreeMap, sync::Mutex};

use autodevops_sandbox::{KeyValueStore, Write};

type Kept = BTreeMap<(String, String), Vec<u8>>;

/// A store of one plugin.
#[derive(Default)]
pub struct Memory(Mutex<Kept>);

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
