//! The plugins' key-value store, kept in the journal.

use autodevops_journal::{Journal, KeyValue, Quota};
use autodevops_sandbox::{KeyValueStore, Write};

/// What one plugin may keep.
const QUOTA: Quota = Quota { entries: 10_000, bytes: 16 << 20 };

/// Gives every plugin a store of its own in the journal.
pub struct JournalStore(Journal);

impl JournalStore {
    /// In this journal.
    pub const fn new(journal: Journal) -> Self {
        Self(journal)
    }

    fn of(&self, plugin: &str) -> KeyValue {
        KeyValue::new(self.0.clone(), plugin, QUOTA)
    }
}

impl KeyValueStore for JournalStore {
    fn get(&self, plugin: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.of(plugin).get(bucket, key).map_err(|error| error.to_string())
    }

    fn keys(&self, plugin: &str, bucket: &str) -> Result<Vec<String>, String> {
        let store = self.of(plugin);
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.list_keys(bucket, cursor.as_deref()).map_err(|error| error.to_string())?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    fn commit(&self, plugin: &str, writes: Vec<Write>) -> Result<(), String> {
        let mut batch = self.of(plugin).batch();
        for ((bucket, key), value) in writes {
            match value {
                Some(value) => batch.set(&bucket, &key, &value).map_err(|error| error.to_string())?,
                None => batch.delete(&bucket, &key),
            }
        }
        batch.commit().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_finds_its_own_values_again_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = JournalStore::new(Journal::open(folder.path().join("journal.db")).unwrap());
        let place = |key: &str| ("b".to_owned(), key.to_owned());
        let writes = (0..600).map(|n| (place(&format!("{n:03}")), Some(vec![1]))).collect();
        store.commit("a", writes).unwrap();
        assert_eq!(store.keys("a", "b").unwrap().len(), 600);
        assert_eq!(store.keys("z", "b").unwrap().len(), 0);
        store.commit("a", vec![(place("000"), None), (place("001"), Some(vec![2]))]).unwrap();
        assert_eq!(store.get("a", "b", "000").unwrap(), None);
        assert_eq!(store.get("a", "b", "001").unwrap(), Some(vec![2]));
        let much = vec![(place("large"), Some(vec![0; 17 << 20]))];
        assert!(store.commit("a", much).unwrap_err().contains("its quota is"));
    }
}
