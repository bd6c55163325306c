//! The plugins' key-value store: buckets of a plugin's own, with a quota, written only when a call succeeds.
//!
//! A call works on a [`Batch`]: it reads what is stored under what it wrote itself, and nothing is kept until
//! [`Batch::commit`]. No database transaction is held while a plugin runs.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use crate::{Journal, JournalError, unsigned};

/// The longest key or bucket name, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Keys that one listing gives at most.
const PAGE: usize = 256;

/// What a plugin may keep, over all its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Entries.
    pub entries: u64,
    /// Bytes of keys and values together.
    pub bytes: u64,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KeyValueError {
    /// There would be too many entries.
    #[error("plugin '{plugin}' would keep {would} entries, its quota is {max}; delete some, or raise the quota")]
    TooManyEntries {
        /// The plugin.
        plugin: String,
        /// How many there would be.
        would: u64,
        /// The quota.
        max: u64,
    },
    /// There would be too many bytes.
    #[error("plugin '{plugin}' would keep {would} bytes, its quota is {max}; delete some, or raise the quota")]
    TooManyBytes {
        /// The plugin.
        plugin: String,
        /// How many there would be.
        would: u64,
        /// The quota.
        max: u64,
    },
    /// A key or bucket name is too long.
    #[error("plugin '{plugin}' used a key or bucket name of {bytes} bytes; at most {MAX_KEY_BYTES} are taken")]
    KeyTooLong {
        /// The plugin.
        plugin: String,
        /// Its length.
        bytes: usize,
    },
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A page of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// In order.
    pub keys: Vec<String>,
    /// Where the next page starts; absent on the last one.
    pub cursor: Option<String>,
}

/// One plugin's store.
#[derive(Clone, Debug)]
pub struct KeyValue {
    journal: Journal,
    plugin: String,
    quota: Quota,
}

impl KeyValue {
    /// The store of a plugin in a journal.
    pub fn new(journal: Journal, plugin: impl Into<String>, quota: Quota) -> Self {
        Self { journal, plugin: plugin.into(), quota }
    }

    /// Begins a call's writes.
    pub fn batch(&self) -> Batch {
        Batch { store: self.clone(), writes: BTreeMap::new() }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        Ok(self.journal.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM entries WHERE plugin = ?1 AND bucket = ?2 AND key = ?3")?
                .query_row(params![self.plugin, bucket, key], |row| row.get(0))
                .optional()
        })?)
    }

    /// Sets a key at once.
    ///
    /// # Errors
    /// When that is more than the quota, or cannot be written.
    pub fn set(&self, bucket: &str, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
        let mut batch = self.batch();
        batch.set(bucket, key, value)?;
        batch.commit()
    }

    /// Deletes a key at once; nothing happens if there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn delete(&self, bucket: &str, key: &str) -> Result<(), KeyValueError> {
        let mut batch = self.batch();
        batch.delete(bucket, key);
        batch.commit()
    }

    /// Whether there is such a key.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn exists(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        Ok(self.get(bucket, key)?.is_some())
    }

    /// A page of the bucket's keys, from the cursor of the page before.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn list_keys(&self, bucket: &str, cursor: Option<&str>) -> Result<Keys, KeyValueError> {
        self.batch().list_keys(bucket, cursor)
    }

    fn keys_after(&self, bucket: &str, cursor: Option<&str>, limit: usize) -> Result<Vec<String>, JournalError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.journal.read(|connection| {
            let sql = "SELECT key FROM entries WHERE plugin = ?1 AND bucket = ?2 AND (?3 IS NULL OR key > ?3)
                ORDER BY key LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map(params![self.plugin, bucket, cursor, limit], |row| row.get(0))?.collect()
        })
    }
}

/// What one call reads and writes; dropped without a trace unless committed.
#[derive(Debug)]
pub struct Batch {
    store: KeyValue,
    /// By bucket and key; none is a deletion.
    writes: BTreeMap<(String, String), Option<Vec<u8>>>,
}

impl Batch {
    /// The value of a key as the call sees it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        match self.writes.get(&(bucket.into(), key.into())) {
            Some(written) => Ok(written.clone()),
            None => self.store.get(bucket, key),
        }
    }

    /// Sets a key.
    ///
    /// # Errors
    /// When what the call writes is more than the quota by itself; what is stored beside it counts at the commit.
    pub fn set(&mut self, bucket: &str, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
        if let Some(long) = [bucket, key].iter().find(|name| name.len() > MAX_KEY_BYTES) {
            return Err(KeyValueError::KeyTooLong { plugin: self.store.plugin.clone(), bytes: long.len() });
        }
        // Bounds the memory of a call before anything is copied.
        let place = (bucket.to_owned(), key.to_owned());
        let others = self.writes.iter().filter(|(at, _)| **at != place);
        let (mut entries, mut bytes) = (1, size(key, value));
        for ((_, key), value) in others.filter_map(|(at, value)| value.as_ref().map(|value| (at, value))) {
            entries += 1;
            bytes += size(key, value);
        }
        self.store.check(entries, bytes)?;
        self.writes.insert(place, Some(value.to_vec()));
        Ok(())
    }

    /// Deletes a key.
    pub fn delete(&mut self, bucket: &str, key: &str) {
        self.writes.insert((bucket.into(), key.into()), None);
    }

    /// Whether there is such a key, as the call sees it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn exists(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        Ok(self.get(bucket, key)?.is_some())
    }

    /// A page of the bucket's keys as the call sees them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn list_keys(&self, bucket: &str, cursor: Option<&str>) -> Result<Keys, KeyValueError> {
        let written =
            || self.writes.iter().filter(|((at, key), _)| at == bucket && cursor.is_none_or(|c| key.as_str() > c));
        let deleted = written().filter(|(_, value)| value.is_none()).count();
        // So many stored keys that a full page and one more are left when the deleted ones are taken out.
        let stored = self.store.keys_after(bucket, cursor, PAGE + 1 + deleted)?;
        let mut keys: BTreeSet<String> = stored.into_iter().collect();
        for ((_, key), value) in written() {
            if value.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        let more = keys.len() > PAGE;
        let keys: Vec<String> = keys.into_iter().take(PAGE).collect();
        let cursor = if more { keys.last().cloned() } else { None };
        Ok(Keys { keys, cursor })
    }

    /// Stores what the call wrote, all or nothing.
    ///
    /// # Errors
    /// When the plugin would keep more than its quota, or it cannot be written; nothing is kept then.
    pub fn commit(self) -> Result<(), KeyValueError> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let (store, journal) = (&self.store, &self.store.journal);
        journal.write(|transaction| -> Result<(), KeyValueError> {
            for ((bucket, key), value) in &self.writes {
                let done = match value {
                    Some(value) => transaction.execute(
                        "INSERT INTO entries (plugin, bucket, key, value) VALUES (?1, ?2, ?3, ?4)
                            ON CONFLICT (plugin, bucket, key) DO UPDATE SET value = excluded.value",
                        params![store.plugin, bucket, key, value],
                    ),
                    None => transaction.execute(
                        "DELETE FROM entries WHERE plugin = ?1 AND bucket = ?2 AND key = ?3",
                        params![store.plugin, bucket, key],
                    ),
                };
                done.map_err(|error| journal.fault(error))?;
            }
            if self.writes.values().any(Option::is_some) {
                let (entries, bytes) = usage(transaction, &store.plugin).map_err(|error| journal.fault(error))?;
                store.check(entries, bytes)?;
            }
            Ok(())
        })
    }
}

impl KeyValue {
    fn check(&self, entries: u64, bytes: u64) -> Result<(), KeyValueError> {
        if entries > self.quota.entries {
            let plugin = self.plugin.clone();
            return Err(KeyValueError::TooManyEntries { plugin, would: entries, max: self.quota.entries });
        }
        if bytes > self.quota.bytes {
            let plugin = self.plugin.clone();
            return Err(KeyValueError::TooManyBytes { plugin, would: bytes, max: self.quota.bytes });
        }
        Ok(())
    }
}

fn size(key: &str, value: &[u8]) -> u64 {
    u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX)
}

fn usage(connection: &Connection, plugin: &str) -> rusqlite::Result<(u64, u64)> {
    let sql = "SELECT count(*), coalesce(sum(octet_length(key) + length(value)), 0) FROM entries WHERE plugin = ?1";
    connection.prepare_cached(sql)?.query_row([plugin], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))
}
