//! Keeps a PostgreSQL database safe across a rollback, by `pg_dump` and `pg_restore`.

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
        fault,
        passes,
    };
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
