//! What can go wrong with the journal, with the remedy.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the journal could not do it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened or made.
    #[error("the journal {path} cannot be opened: {reason}; check that its folder exists and is writable")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is something else.
    #[error("{path} is not a journal of autodevops; move it away, or name another state folder")]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// A newer version wrote the file.
    #[error(
        "the journal {path} has format {found}, this autodevops knows formats up to {known}; use the newer one that wrote it: nothing \
         was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// An older journal cannot be copied before it is brought up to date; it was left as it is.
    #[error(
        "the journal {path} is of an older version and cannot be copied to {copy} before it is brought up to date: {reason}; make \
         room there and let its folder be written: nothing was changed"
    )]
    Backup {
        /// The file.
        path: PathBuf,
        /// Where the copy was to be.
        copy: PathBuf,
        /// Why not.
        reason: String,
    },
    /// No space is left; nothing of the call was written.
    #[error("no space is left for the journal {path}; free some on its disk, then go on: nothing was lost")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another process held the write lock for too long.
    #[error("the journal {path} was locked by another process for too long; see what holds it and try again")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// What was to be stored as evidence is too large.
    #[error("evidence of {bytes} bytes is too large; at most {max} are kept")]
    BlobTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// What was read is not what was written.
    #[error("the journal {path} is damaged: {what}; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Anything else that SQLite says.
    #[error("the journal {path} failed: {source}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl JournalError {
    pub(crate) fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::NotADatabase) => Self::NotAJournal { path },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::Open { path, reason: error.to_string() }
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: error.to_string() },
            _ => Self::Storage { path, source: error },
        }
    }
}

/// Why events were not appended; none of them was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another writer was first.
    #[error(
        "run '{run}' is at version {actual}, the writer expected {expected}; read its events again and decide anew"
    )]
    Conflict {
        /// The run.
        run: String,
        /// What the writer had read.
        expected: u64,
        /// What is there.
        actual: u64,
    },
    /// A record is too large.
    #[error(
        "an event of run '{run}' has {bytes} bytes, at most {max} are taken; store its evidence as a blob and name the digest"
    )]
    TooLarge {
        /// The run.
        run: String,
        /// Its size as JSON.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// An event is no JSON.
    #[error("an event of run '{run}' cannot be written as JSON; nothing was written, report this as a bug")]
    NoJson {
        /// The run.
        run: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// No space is left.
    #[error("no space is left for the journal {path}; free some on its disk, then go on: nothing was lost")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The journal failed otherwise.
    #[error(transparent)]
    Journal(JournalError),
}

impl From<JournalError> for AppendError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full { path } => Self::Full { path },
            other => Self::Journal(other),
        }
    }
}
