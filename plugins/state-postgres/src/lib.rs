//! Keeps a PostgreSQL database safe across a rollback, by `pg_dump` and `pg_restore`.

use std::ops::Range;

use autodevops_sdk::command::Completed;
use snapshots::{Database, GuardOf, Kind};

/// The database.
pub struct Postgres;

impl Database for Postgres {
    const KIND: Kind = Kind {
        prefix: "postgres",
        suffix: ".dump",
        // pg_backup_archiver.c, WriteHead: archives of the custom format.
        magic: b"PGDMP",
        // The database must be there to be dumped; nothing at the beginning of an archive says what is in it.
        empty: |_| None,
        dated,
        fault,
        passes,
    };
}

/// When an archive was made, as `WriteHead` has it: after the magic, three bytes of the version, the sizes of an integer and an offset, the
/// format, and how it is compressed, come the fields of a `struct tm`, seconds to daylight saving: seven integers, each a byte for its
/// sign and its size. How it is compressed is an integer, and from version 1.15 of the archive on (PostgreSQL 16) one byte.
fn dated(head: &[u8]) -> Range<usize> {
    let [_, _, _, _, _, major, minor, _, size, ..] = head else { return 0..0 };
    let integer = 1 + usize::from(*size);
    let compression = if (*major, *minor) >= (1, 15) { 1 } else { integer };
    let from = 11 + compression;
    from..from + 7 * integer
}

/// `pg_restore` that came to its end well read all of it.
const fn fault(_: &Completed) -> Option<String> {
    None
}

/// The server is not there, or does not take connections now.
fn passes(stderr: &str) -> bool {
    let words =
        ["could not connect", "Connection refused", "the database system is starting up", "too many clients already"];
    let at_connecting = stderr.contains("connection to server");
    words.iter().any(|words| stderr.contains(words)) && (at_connecting || stderr.contains("could not connect"))
}

autodevops_sdk::export!(state_guard: GuardOf<Postgres>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_says_when_it_was_made_where_its_version_has_it() {
        // What `pg_dump --format=custom` of PostgreSQL 15 and 16 begins with.
        let until_15 = b"PGDMP\x01\x0e\x00\x04\x08\x01\x00\xff\xff\xff\xff";
        let since_16 = b"PGDMP\x01\x0f\x00\x04\x08\x01\x01";
        assert_eq!(dated(until_15), 16..51);
        assert_eq!(dated(since_16), 12..47);
        assert_eq!(dated(b"PGDMP"), 0..0);
    }

    #[test]
    fn a_server_that_is_away_may_come_back_and_a_wrong_name_does_not() {
        for stderr in [
            "pg_dump: error: connection to server on socket \"/x/.s.PGSQL.5432\" failed: Connection refused",
            "pg_dump: error: connection to server at \"127.0.0.1\", port 1 failed: FATAL:  the database system is starting up",
        ] {
            assert!(passes(stderr), "{stderr}");
        }
        for stderr in [
            "pg_dump: error: connection to server on socket \"/x\" failed: FATAL:  database \"sh\" does not exist",
            "pg_restore: error: could not execute query: ERROR:  cannot drop table a because other objects depend on it",
        ] {
            assert!(!passes(stderr), "{stderr}");
        }
    }
}
