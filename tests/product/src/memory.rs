//! Keys and values that are kept in memory.

use std::{collections::BTreeMap, sync::Mutex};

use autodevops_sandbox::{Kept, KeyValueStore, NotKept, Write};

type Values = BTreeMap<(String, String), Vec<u8>>;

/// A store of one plugin.
#[derive(Default)]
pub struct Memory(Mutex<Values>);

impl KeyValueStore for Memory {
    fn get(&self, _: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.lock().unwrap().get(&(bucket.into(), key.into())).cloned())
    }

    fn keys(&self, _: &str, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, String> {
        let kept = self.0.lock().unwrap();
        let keys = kept.keys().filter(|(of, key)| of == bucket && after.is_none_or(|after| key.as_str() > after));
        Ok(keys.map(|(_, key)| key.clone()).take(limit).collect())
    }

    fn commit(&self, _: &str, writes: &[Write], _: Kept) -> Result<(), NotKept> {
        let mut kept = self.0.lock().unwrap();
        for (key, value) in writes {
            match value {
                Some(value) => kept.insert(key.clone(), value.clone()),
                None => kept.remove(key),
            };
        }
        Ok(())
    }
}
