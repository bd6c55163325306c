//! The file's format: how it is opened, recognized, and brought up to date.
//!
//! A format is changed by a further entry of [`MIGRATIONS`] alone; those before are never touched. A file of an older format is
//! copied beside itself ([`backup`]), then brought up to date in one transaction: a process that ends meanwhile leaves the file as it
//! was. One of a newer format is refused before anything is written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::JournalError;

/// Marks the file as a journal of ours (`ADvO` in ASCII).
pub(crate) const APPLICATION: i64 = 0x4144_764F;
/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);
/// What each format adds to the one before; the file's `user_version` counts those it has.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL,
        version INTEGER NOT NULL,
        at_ns INTEGER NOT NULL,
        event TEXT NOT NULL,
        UNIQUE (run, version)
    ) STRICT;
    CREATE TABLE fences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE blobs (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE entries (
        plugin TEXT NOT NULL,
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (plugin, bucket, key)
    ) STRICT;
",
    "
    CREATE TABLE seals (
        sequence INTEGER PRIMARY KEY,
        run TEXT NOT NULL,
        stage TEXT NOT NULL,
        version INTEGER NOT NULL,
        at_ns INTEGER NOT NULL,
        records INTEGER NOT NULL,
        entries BLOB NOT NULL,
        previous BLOB NOT NULL,
        hash BLOB NOT NULL,
        mac BLOB NOT NULL
    ) STRICT;
    CREATE INDEX seals_of_run ON seals (run, version);
",
];

pub(crate) fn open(path: &Path) -> Result<Connection, JournalError> {
    make_private(path)?;
    let fault = |error| JournalError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(BUSY).map_err(fault)?;
    // Recognized before anything is written: a foreign file stays as it was. In one transaction, so that a journal that another
    // process is making now is seen as nothing or as a whole.
    let seen = connection.transaction().map_err(fault)?;
    recognize(&seen, path)?;
    seen.finish().map_err(fault)?;
    write_ahead(&connection).map_err(fault)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Switches to write-ahead mode. SQLite does not wait for others here by itself.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && begun.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// The file holds what plugins and logs said: only its owner reads it. SQLite gives its side files the same mode.
fn make_private(path: &Path) -> Result<(), JournalError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(JournalError::Open { path: path.to_path_buf(), reason: error.to_string() }),
    }
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
}

fn recognize(connection: &Connection, path: &Path) -> Result<i64, JournalError> {
    let fault = |error| JournalError::of(path, error);
    let application = number(connection, "application_id").map_err(fault)?;
    let version = number(connection, "user_version").map_err(fault)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fault)?;
    let fresh = application == 0 && version == 0 && tables == 0;
    if !fresh && application != APPLICATION {
        return Err(JournalError::NotAJournal { path: path.to_path_buf() });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(JournalError::Newer { path: path.to_path_buf(), found: version, known });
    }
    Ok(version)
}

/// Brings the file up to date. No other process writes meanwhile, so that the copy is what the migration starts from.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let fault = |error| JournalError::of(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    // Read again under the lock: another process may have migrated meanwhile.
    let version = recognize(&transaction, path)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > 0 && version < known {
        back_up(path, version)?;
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(migration).map_err(fault)?;
        transaction.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX)).map_err(fault)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(fault)?;
    }
    transaction.commit().map_err(fault)
}

/// Where the copy of a journal of an older format lies.
pub(crate) fn backup(path: &Path, format: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".format-{format}"));
    PathBuf::from(name)
}

/// Copies the file as it is. A copy that is whole takes the place of one before; a copy that was interrupted never does.
fn back_up(path: &Path, format: i64) -> Result<(), JournalError> {
    let copy = backup(path, format);
    let mut part = copy.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed = |reason: String| JournalError::Backup { path: path.to_path_buf(), copy: copy.clone(), reason };
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.to_string())),
        _ => {}
    }
    // SQLite fills an empty file and keeps its mode.
    make_private(&part)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let whole = Connection::open_with_flags(path, flags)
        .and_then(|reader| reader.execute("VACUUM INTO ?1", [part.to_string_lossy()]).map(drop))
        .map_err(|error| error.to_string())
        .and_then(|()| settle(&part, &copy).map_err(|error| error.to_string()));
    if whole.is_err() {
        // What is left of it only takes room.
        drop(std::fs::remove_file(&part));
    }
    whole.map_err(failed)
}

/// Gives a copy its name once it is on the disk.
fn settle(part: &Path, copy: &Path) -> std::io::Result<()> {
    std::fs::File::open(part)?.sync_all()?;
    std::fs::rename(part, copy)
}
