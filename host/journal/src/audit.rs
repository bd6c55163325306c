//! The audit: what every run's plugins asked for and what was decided, as a chain in which nothing can be changed unseen.
//!
//! A [`Seal`] holds the records of a stage of a run that ended. Each names the hash of the one before it, and each is
//! authenticated with a key that lies beside the journal in a file of its own ([`KEY_FILE`]); a second file ([`HEAD_FILE`]) names the
//! last seal, so that one that was cut off at the end is missed too. Seals point to the events of their run by digest.
//!
//! What that promises: whoever can write the journal's file, but not the two files beside it, cannot change or remove a record, or
//! an event that a record points to, without [`AuditLog::verify`] finding it. Whoever can write all three, the user that the host
//! runs as above all, can make up another history; it is found by a [`Head`] that was noted elsewhere.

mod chain;
mod entries;
mod key;
mod prune;
#[cfg(test)]
mod tests;
mod verify;

use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, params};

pub use chain::{BadHead, Head, event_digest};
pub use entries::{Call, Entry, EventRecord, FINISHED, MAX_SEAL_BYTES, Note, Operation};
pub use key::{HEAD_FILE, KEY_FILE};
pub use prune::{EVENTS_FORGOTTEN, Forgotten};
pub use verify::{Break, Gone, Unsealed, Verified};

use crate::{Journal, JournalError, Recorded, unsigned};
use chain::Row;

/// A note of the log itself: the file that names the last seal was not there when the next one was made.
pub const HEAD_LOST: &str = "head-lost";

/// Why the audit could not do it.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The key cannot be read or made.
    #[error("the audit's key {path} cannot be used: {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The file that names the last seal cannot be read or written.
    #[error("the audit's head {path} cannot be used: {reason}")]
    Head {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// What is to be sealed at once is too large.
    #[error("{bytes} bytes of records are too many for one seal; at most {MAX_SEAL_BYTES} are taken")]
    TooLarge {
        /// Their size as JSON.
        bytes: usize,
    },
}

/// Records of a run that are sealed together.
#[derive(Clone, Debug, Default)]
pub struct Seal {
    /// The run.
    pub run: String,
    /// Its stage that ended, or what else was done.
    pub stage: String,
    /// The run's version up to which all of its events are pointed to, by this seal or one before.
    pub version: u64,
    /// When it is made, in nanoseconds since 1970.
    pub at_ns: u64,
    /// The records.
    pub entries: Vec<Entry>,
}

/// A seal as it was read back.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its place in the chain, from 1.
    pub sequence: u64,
    /// What was sealed.
    pub seal: Seal,
}

/// What came of sealing.
#[derive(Debug)]
pub struct Made {
    /// The chain's end now.
    pub head: Head,
    /// Why the end could not be noted beside the journal, where it could not: the seal itself is durable.
    pub unnoted: Option<AuditError>,
}

/// The audit of a journal. One process at a time seals; any may read.
#[derive(Clone, Debug)]
pub struct AuditLog {
    journal: Journal,
    folder: PathBuf,
}

impl AuditLog {
    /// Of this journal, with the key and the head in its folder.
    pub fn new(journal: Journal) -> Self {
        let folder = journal.path().parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
        Self { journal, folder }
    }

    /// A secret of this host for a purpose, the same at every call: derived from the audit's key, which it says nothing of.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub fn secret(&self, purpose: &str) -> Result<[u8; 32], AuditError> {
        let key = key::host_key(&self.folder)?;
        Ok(*blake3::keyed_hash(&key, format!("autodevops secret for {purpose}").as_bytes()).as_bytes())
    }

    /// Seals records. They are durable when this returns.
    ///
    /// # Errors
    /// When the key cannot be used, or the journal not be written; nothing was sealed then.
    pub fn seal(&self, seal: &Seal) -> Result<Made, AuditError> {
        let key = key::host_key(&self.folder)?;
        let noted = key::head(&self.folder, &key)?;
        let mut packed = entries::pack(&seal.entries)?;
        let mut records: u64 = seal.entries.iter().map(Entry::records).sum();
        let head = self.journal.write(|transaction| -> Result<Head, AuditError> {
            let fault = |error| AuditError::from(self.journal.fault(error));
            let sql = "SELECT sequence, hash FROM seals ORDER BY sequence DESC LIMIT 1";
            let last: Option<(i64, Vec<u8>)> =
                transaction.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(fault)?;
            let last = last.map(|(sequence, hash)| (unsigned(sequence), hash));
            // Where seals were cut off, their numbers stay free, so that the gap is found for ever.
            let (before, previous) = match (last, noted) {
                (Some((sequence, hash)), Some(noted)) if sequence > noted.seals => (sequence, hash),
                (_, Some(noted)) => (noted.seals, noted.hash.to_vec()),
                (Some((sequence, hash)), None) => {
                    let mut entries = seal.entries.clone();
                    entries.insert(0, head_lost(seal.at_ns, sequence));
                    packed = entries::pack(&entries)?;
                    records += 1;
                    (sequence, hash)
                }
                (None, None) => (0, chain::START.to_vec()),
            };
            let mut row = Row {
                sequence: before + 1,
                run: seal.run.clone(),
                stage: seal.stage.clone(),
                version: seal.version,
                at_ns: seal.at_ns,
                records,
                entries: std::mem::take(&mut packed),
                previous,
                hash: Vec::new(),
                mac: Vec::new(),
            };
            let head = Head { seals: row.sequence, hash: row.digest() };
            row.hash = head.hash.to_vec();
            row.mac = head.mac(&key).as_bytes().to_vec();
            row.insert(transaction).map_err(fault)?;
            Ok(head)
        })?;
        Ok(Made { head, unnoted: key::note(&self.folder, &key, head).err() })
    }

    /// The chain's end as the journal has it; none while nothing was sealed. It is for noting elsewhere.
    ///
    /// # Errors
    /// When the journal or the key cannot be read.
    pub fn head(&self) -> Result<Option<Head>, AuditError> {
        let sql = "SELECT sequence, hash FROM seals ORDER BY sequence DESC LIMIT 1";
        let last: Option<(i64, Vec<u8>)> = self
            .journal
            .read(|connection| connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional())?;
        let Some((sequence, hash)) = last else { return Ok(None) };
        let hash = hash.try_into().map_err(|_| self.damaged(format!("seal {sequence} has no hash")))?;
        Ok(Some(Head { seals: unsigned(sequence), hash }))
    }

    /// Reads every seal, or those of one run, in order. `each` must not use the journal.
    ///
    /// # Errors
    /// When the journal cannot be read, or a seal not be unpacked. Nothing is verified here.
    pub fn each(&self, run: Option<&str>, mut each: impl FnMut(Sealed)) -> Result<(), AuditError> {
        let mut damaged = None;
        self.journal.read(|connection| {
            let mut statement = connection.prepare_cached(&chain::select("?1 IS NULL OR run = ?1"))?;
            let mut rows = statement.query(params![run])?;
            while let Some(row) = rows.next()? {
                let row = Row::of(row)?;
                match entries::unpack(&row.entries) {
                    Ok(entries) => {
                        let Row { sequence, run, stage, version, at_ns, .. } = row;
                        each(Sealed { sequence, seal: Seal { run, stage, version, at_ns, entries } });
                    }
                    Err(reason) => {
                        damaged = Some(format!("seal {} cannot be read: {reason}", row.sequence));
                        break;
                    }
                }
            }
            Ok(())
        })?;
        damaged.map_or(Ok(()), |what| Err(self.damaged(what).into()))
    }

    /// The last seal of a run.
    ///
    /// # Errors
    /// As [`Self::each`].
    pub fn last_of(&self, run: &str) -> Result<Option<Sealed>, AuditError> {
        let sql = format!("{} DESC LIMIT 1", chain::select("run = ?1"));
        let row =
            self.journal.read(|connection| connection.prepare_cached(&sql)?.query_row([run], Row::of).optional())?;
        let Some(Row { sequence, run, stage, version, at_ns, entries, .. }) = row else { return Ok(None) };
        let entries = entries::unpack(&entries)
            .map_err(|reason| self.damaged(format!("seal {sequence} cannot be read: {reason}")))?;
        Ok(Some(Sealed { sequence, seal: Seal { run, stage, version, at_ns, entries } }))
    }

    /// The version of a run up to which seals point to its events; 0 where none does.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn version_of(&self, run: &str) -> Result<u64, JournalError> {
        let sql = "SELECT coalesce(max(version), 0) FROM seals WHERE run = ?1";
        self.journal.read(|connection| connection.prepare_cached(sql)?.query_row([run], |row| row.get(0)).map(unsigned))
    }

    /// Events of a run that no seal points to yet, up to a version, each with its digest.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn unsealed(&self, run: &str, through: u64) -> Result<Vec<(Recorded, String)>, JournalError> {
        self.journal.events_not_sealed(run, through)
    }

    /// Runs with events that no seal points to, in the order of these.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn behind(&self) -> Result<Vec<Unsealed>, JournalError> {
        self.journal.read(verify::unsealed)
    }

    fn damaged(&self, what: String) -> JournalError {
        JournalError::Damaged { path: self.journal.path().to_path_buf(), what }
    }
}

fn head_lost(at_ns: u64, sequence: u64) -> Entry {
    Entry::Note(Note {
        at_ns,
        what: HEAD_LOST.to_owned(),
        by: None,
        summary: format!(
            "the file {HEAD_FILE} was missing when this was sealed: seals after {sequence} may have been removed"
        ),
    })
}
