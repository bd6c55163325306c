//! The plugins' key-value store, kept in the journal.

use autodevops_journal::{Journal, KeyValue, KeyValueError, Quota};
use autodevops_sandbox::{Kept, KeyValueStore, NotKept, Write};

/// Gives every plugin a store of its own in the journal.
pub struct JournalStore(Journal);

impl JournalStore {
    /// In this journal.
    pub const fn new(journal: Journal) -> Self {
        Self(journal)
    }

    fn of(&self, plugin: &str) -> KeyValue {
        KeyValue::new(self.0.clone(), plugin)
    }
}

impl KeyValueStore for JournalStore {
    fn get(&self, plugin: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.of(plugin).get(bucket, key).map_err(|error| error.to_string())
    }

    fn keys(&self, plugin: &str, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, String> {
        self.of(plugin).keys(bucket, after, limit).map_err(|error| error.to_string())
    }

    fn commit(&self, plugin: &str, writes: &[Write], most: Kept) -> Result<(), NotKept> {
        let quota = Quota { entries: most.entries, bytes: most.bytes };
        self.of(plugin).commit(writes, quota).map_err(|error| match error {
            KeyValueError::TooManyEntries { .. } => NotKept::TooManyEntries,
            KeyValueError::TooManyBytes { .. } => NotKept::TooManyBytes,
            KeyValueError::Journal(error) => NotKept::Failed(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Kept = Kept { entries: 600, bytes: 1 << 20 };

    #[test]
    fn a_plugin_finds_its_own_values_again_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = JournalStore::new(Journal::open(folder.path().join("journal.db")).unwrap());
        let place = |key: &str| ("b".to_owned(), key.to_owned());
        let writes: Vec<Write> = (0..600).map(|n| (place(&format!("{n:03}")), Some(vec![1]))).collect();
        store.commit("a", &writes, MOST).unwrap();
        assert_eq!(store.keys("a", "b", None, 1000).unwrap().len(), 600);
        assert_eq!(store.keys("a", "b", Some("589"), 3).unwrap(), ["590", "591", "592"]);
        assert_eq!(store.keys("z", "b", None, 1000).unwrap().len(), 0);
        store.commit("a", &[(place("000"), None), (place("001"), Some(vec![2]))], MOST).unwrap();
        assert_eq!(store.get("a", "b", "000").unwrap(), None);
        assert_eq!(store.get("a", "b", "001").unwrap(), Some(vec![2]));
    }

    #[test]
    fn which_of_the_limits_a_plugin_goes_over_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = JournalStore::new(Journal::open(folder.path().join("journal.db")).unwrap());
        let write = |key: &str, bytes| [(("b".to_owned(), key.to_owned()), Some(vec![0; bytes]))];
        let most = Kept { entries: 1, bytes: 10 };
        assert_eq!(store.commit("a", &write("k", 10), most), Err(NotKept::TooManyBytes));
        assert_eq!(store.commit("a", &write("k", 9), most), Ok(()));
        assert_eq!(store.commit("a", &write("l", 0), most), Err(NotKept::TooManyEntries));
        assert_eq!(store.commit("a", &write("l", 0), Kept { entries: 2, bytes: 11 }), Ok(()));
    }
}
