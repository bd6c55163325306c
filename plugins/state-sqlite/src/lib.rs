//! Keeps an SQLite database safe across a rollback, by SQLite's own backup.

use autodevops_sdk::command::Completed;
use snapshots::{Database, GuardOf, Kind, said};

/// The database.
pub struct Sqlite;

impl Database for Sqlite {
    const KIND: Kind = Kind {
        prefix: "sqlite",
        suffix: ".db",
        // https://www.sqlite.org/fileformat.html, 1.3.1: the magic header string.
        magic: b"SQLite format 3\0",
        // A backup into a new file has the pages of the database and counters of its own: it is the same, byte for byte, whenever it
        // is taken.
        dated: |_| 0..0,
        fault,
        passes,
    };
}

/// `PRAGMA integrity_check` gives one row that says `ok`, or what it found.
fn fault(completed: &Completed) -> Option<String> {
    (completed.stdout.trim() != "ok").then(|| format!("its integrity check says: {}", said(completed)))
}

/// Another connection holds the database for longer than was waited.
fn passes(stderr: &str) -> bool {
    ["database is locked", "database is busy", "source database is busy"].iter().any(|words| stderr.contains(words))
}

autodevops_sdk::export!(state_guard: GuardOf<Sqlite>);

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(stdout: &str) -> Completed {
        Completed { status: 0, stdout: stdout.into(), stderr: String::new() }
    }

    #[test]
    fn only_ok_is_whole() {
        assert_eq!(fault(&completed("ok\n")), None);
        for output in ["", "*** in database main ***\nPage 3: btreeInitPage() returns error code 11", "ok\nok"] {
            assert!(fault(&completed(output)).unwrap().starts_with("its integrity check says: "), "{output}");
        }
    }

    #[test]
    fn a_lock_passes_and_nothing_else() {
        assert!(passes("Error: database is locked\n"));
        assert!(!passes("Error: file is not a database"));
    }
}
