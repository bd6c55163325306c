//! The durable journal: the event log of every run, and the small durable things beside it.
//!
//! One SQLite file in write-ahead mode with full synchronization, so that what was acknowledged survives a killed process and
//! a lost power supply. A run is a fold over its events; the journal does not know what they mean. Beside the log it keeps fence
//! counters, named facts, evidence by digest, the plugins' key-value store, and the [`audit`] of what runs did.
//!
//! Calls block for as long as a disk write takes. Several processes may open one file.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod audit;
mod blobs;
mod error;
mod facts;
mod keyvalue;
mod log;
mod reserve;
mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use blobs::MAX_BLOB_BYTES;
pub use error::{AppendError, JournalError};
pub use keyvalue::{KeyValue, KeyValueError, Quota, Write};
pub use log::{MAX_RECORD_BYTES, Recorded, RunSummary};
pub use reserve::RESERVE_BYTES;

/// An open journal; clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Journal {
    /// Opens the journal, makes it if there is none, and brings an older one up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is no journal, or was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref().to_path_buf();
        let connection = schema::open(&path)?;
        Ok(Self { inner: Arc::new(Inner { path, connection: Mutex::new(connection) }) })
    }

    /// The journal's file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic of another caller leaves no half-made state: its transaction was rolled back when it was dropped.
        self.inner.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, error: rusqlite::Error) -> JournalError {
        JournalError::of(&self.inner.path, error)
    }

    fn read<T>(&self, body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        body(&self.connection()).map_err(|error| self.fault(error))
    }

    /// One transaction that takes the write lock first, so that what it reads is what it writes over.
    fn write<T, E>(&self, body: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<JournalError>,
    {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| E::from(self.fault(error)))?;
        let made = body(&transaction)?;
        transaction.commit().map_err(|error| E::from(self.fault(error)))?;
        Ok(made)
    }
}

/// SQLite's integers are signed; no counter here comes near the limit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
