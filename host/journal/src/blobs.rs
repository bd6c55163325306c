//! Evidence that is too large for an event, by its digest.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::{Journal, JournalError};

/// The largest piece of evidence (64 MiB).
pub const MAX_BLOB_BYTES: usize = 64 * 1024 * 1024;

impl Journal {
    /// Stores evidence once; gives its digest, `sha256:` and 64 hex digits.
    ///
    /// # Errors
    /// When it is too large or cannot be written.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<String, JournalError> {
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(JournalError::BlobTooLarge { bytes: bytes.len(), max: MAX_BLOB_BYTES });
        }
        let digest = digest(bytes);
        self.write(|transaction| {
            let sql = "INSERT OR IGNORE INTO blobs (digest, bytes) VALUES (?1, ?2)";
            transaction.execute(sql, params![digest, bytes]).map_err(|error| self.fault(error))
        })?;
        Ok(digest)
    }

    /// The evidence with the digest, compared with it.
    ///
    /// # Errors
    /// When it cannot be read or is not what was stored.
    pub fn blob(&self, wanted: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let found: Option<Vec<u8>> = self.read(|connection| {
            connection
                .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")?
                .query_row([wanted], |row| row.get(0))
                .optional()
        })?;
        match found {
            Some(bytes) if digest(&bytes) != wanted => Err(JournalError::Damaged {
                path: self.path().to_path_buf(),
                what: format!("evidence {wanted} has other bytes"),
            }),
            found => Ok(found),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}
