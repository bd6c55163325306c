//! The plugins' key-value store: buckets of a plugin's own, with a quota, written only when a call succeeds.
//!
//! A call keeps what it writes to itself until it has succeeded, and hands it over in one piece: no database transaction is held
//! while a plugin runs.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{Journal, JournalError, unsigned};

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
    #[error("plugin '{plugin}' would keep {would} entries, its quota is {max}")]
    TooManyEntries {
        /// The plugin.
        plugin: String,
        /// How many there would be.
        would: u64,
        /// The quota.
        max: u64,
    },
    /// There would be too many bytes.
    #[error("plugin '{plugin}' would keep {would} bytes, its quota is {max}")]
    TooManyBytes {
        /// The plugin.
        plugin: String,
        /// How many there would be.
        would: u64,
        /// The quota.
        max: u64,
    },
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A write: bucket and key, and the value, or none to delete the key.
pub type Write = ((String, String), Option<Vec<u8>>);

const SET: &str = "INSERT INTO entries (plugin, bucket, key, value) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (plugin, bucket, key) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM entries WHERE plugin = ?1 AND bucket = ?2 AND key = ?3";
const KEYS: &str = "SELECT key FROM entries WHERE plugin = ?1 AND bucket = ?2 ORDER BY key LIMIT ?3";
// Of its own: with `?3 IS NULL OR key > ?3` SQLite would look at each key that comes before.
const KEYS_AFTER: &str = "SELECT key FROM entries WHERE plugin = ?1 AND bucket = ?2 AND key > ?3 ORDER BY key LIMIT ?4";
const USAGE: &str =
    "SELECT count(*), coalesce(sum(octet_length(key) + length(value)), 0) FROM entries WHERE plugin = ?1";

/// One plugin's store.
#[derive(Clone, Debug)]
pub struct KeyValue {
    journal: Journal,
    plugin: String,
}

impl KeyValue {
    /// The store of a plugin in a journal.
    pub fn new(journal: Journal, plugin: impl Into<String>) -> Self {
        Self { journal, plugin: plugin.into() }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.journal.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM entries WHERE plugin = ?1 AND bucket = ?2 AND key = ?3")?
                .query_row(params![self.plugin, bucket, key], |row| row.get(0))
                .optional()
        })
    }

    /// The bucket's keys in the order of their bytes: those after this one, or from the first on, and so many at most.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, JournalError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.journal.read(|connection| match after {
            None => {
                let mut statement = connection.prepare_cached(KEYS)?;
                statement.query_map(params![self.plugin, bucket, limit], |row| row.get(0))?.collect()
            }
            Some(after) => {
                let mut statement = connection.prepare_cached(KEYS_AFTER)?;
                statement.query_map(params![self.plugin, bucket, after, limit], |row| row.get(0))?.collect()
            }
        })
    }

    /// Stores what a call wrote, all or nothing. What only deletes is taken whatever is kept, so that a plugin whose quota was
    /// lowered can make room.
    ///
    /// # Errors
    /// When the plugin would keep more than this, or it cannot be written; nothing is kept then.
    pub fn commit(&self, writes: &[Write], quota: Quota) -> Result<(), KeyValueError> {
        self.journal.write(|transaction| {
            let fault = |error| self.journal.fault(error);
            let mut set = transaction.prepare_cached(SET).map_err(fault)?;
            let mut delete = transaction.prepare_cached(DELETE).map_err(fault)?;
            for ((bucket, key), value) in writes {
                let done = match value {
                    Some(value) => set.execute(params![self.plugin, bucket, key, value]),
                    None => delete.execute(params![self.plugin, bucket, key]),
                };
                done.map_err(fault)?;
            }
            // Counted once, however much was written.
            if writes.iter().any(|(_, value)| value.is_some()) {
                let (entries, bytes) = usage(transaction, &self.plugin).map_err(fault)?;
                self.check(entries, bytes, quota)?;
            }
            Ok(())
        })
    }

    fn check(&self, entries: u64, bytes: u64, quota: Quota) -> Result<(), KeyValueError> {
        let plugin = || self.plugin.clone();
        if entries > quota.entries {
            return Err(KeyValueError::TooManyEntries { plugin: plugin(), would: entries, max: quota.entries });
        }
        if bytes > quota.bytes {
            return Err(KeyValueError::TooManyBytes { plugin: plugin(), would: bytes, max: quota.bytes });
        }
        Ok(())
    }
}

fn usage(connection: &Connection, plugin: &str) -> rusqlite::Result<(u64, u64)> {
    connection.prepare_cached(USAGE)?.query_row([plugin], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))
}

#[cfg(test)]
mod tests;
