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
        empty,
        // A backup into a new file has the pages of the database and counters of its own: it is the same, byte for byte, whenever it
        // is taken.
        dated: |_| 0..0,
        fault,
        passes,
    };
}

/// A path that is misspelt is a database without a table: `sqlite3` makes it, unless it is told `-readonly`. The schema's table begins on the
/// first page, after the file's header of 100 bytes: a 13 for a leaf, and from its fourth byte on how many rows it has
/// (https://www.sqlite.org/fileformat.html, 1.6).
fn empty(head: &[u8]) -> Option<&'static str> {
    let [13, _, _, 0, 0, ..] = head.get(100..)? else { return None };
    Some(
        "no table is in it; the path in [commands.sqlite-snapshot] may be another than the service's, in whose place sqlite3 makes an empty \
         database: it makes none with `-readonly`",
    )
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
    fn a_database_without_a_table_is_empty_and_no_other_is() {
        // The header of 100 bytes, and what the first page has after it: a leaf with so many rows, or an inner page.
        let page = |kind: u8, rows: u8| [&[0; 100][..], &[kind, 0, 0, 0, rows, 0x10, 0]].concat();
        assert!(empty(&page(13, 0)).unwrap().contains("`-readonly`"));
        for head in [page(13, 1), page(5, 1), page(5, 0), b"SQLite format 3\0".to_vec(), Vec::new()] {
            assert_eq!(empty(&head), None, "{head:?}");
        }
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
