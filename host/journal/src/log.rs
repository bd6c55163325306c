//! The log: events of runs, in order, each run with its own version.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AppendError, Journal, JournalError, audit::event_digest, facts::put, signed, unsigned};

/// The largest event, as JSON, in bytes (256 KiB).
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// One event as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recorded {
    /// Its place among all events of the journal; grows, from 1.
    pub sequence: u64,
    /// The run it belongs to.
    pub run: String,
    /// Its place among the run's events, from 1.
    pub version: u64,
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// What happened.
    pub event: Value,
}

/// A run, as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunSummary {
    /// Its name.
    pub run: String,
    /// Sequence number of its first event.
    pub first: u64,
    /// Sequence number of its last event.
    pub last: u64,
    /// How many events it has.
    pub version: u64,
    /// When its first event was, in nanoseconds since 1970.
    pub began_ns: u64,
    /// When its last event was, in nanoseconds since 1970.
    pub last_ns: u64,
}

/// Every run by its first and its last event, each found in the index: what lies between them is not looked at, so that it takes no
/// longer where runs are long.
const RUNS: &str = "
    WITH RECURSIVE names (run) AS (
        SELECT min(run) FROM events
        UNION ALL
        SELECT (SELECT min(run) FROM events WHERE run > names.run) FROM names WHERE names.run IS NOT NULL
    )
    SELECT names.run, began.sequence, newest.sequence, newest.version, began.at_ns, newest.at_ns FROM names
    JOIN events AS began
        ON began.run = names.run AND began.version = (SELECT min(version) FROM events WHERE run = names.run)
    JOIN events AS newest
        ON newest.run = names.run AND newest.version = (SELECT max(version) FROM events WHERE run = names.run)
    ORDER BY 2";

impl Journal {
    /// Appends events to a run that is at the expected version, all or none; gives the new version. They are durable when this
    /// returns.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was written then.
    pub fn append(&self, run: &str, expected: u64, events: &[Value], at_ns: u64) -> Result<u64, AppendError> {
        self.append_with(run, expected, events, &[], at_ns)
    }

    /// Appends events as [`Self::append`] does and sets facts, all of both or none.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was written then.
    pub fn append_with(
        &self,
        run: &str,
        expected: u64,
        events: &[Value],
        facts: &[(String, Vec<u8>)],
        at_ns: u64,
    ) -> Result<u64, AppendError> {
        let texts: Vec<String> = events.iter().map(Value::to_string).collect();
        if let Some(large) = texts.iter().find(|text| text.len() > MAX_RECORD_BYTES) {
            return Err(AppendError::TooLarge { run: run.into(), bytes: large.len(), max: MAX_RECORD_BYTES });
        }
        self.write(|transaction| {
            let actual = version(transaction, run).map_err(|error| self.fault(error))?;
            if actual != expected {
                return Err(AppendError::Conflict { run: run.into(), expected, actual });
            }
            let mut version = actual;
            let mut insert = transaction
                .prepare_cached("INSERT INTO events (run, version, at_ns, event) VALUES (?1, ?2, ?3, ?4)")
                .map_err(|error| self.fault(error))?;
            for text in &texts {
                version += 1;
                insert
                    .execute(params![run, signed(version), signed(at_ns), text])
                    .map_err(|error| self.fault(error))?;
            }
            for (name, value) in facts {
                put(transaction, name, value).map_err(|error| self.fault(error))?;
            }
            Ok(version)
        })
    }

    /// The run's events in order; none if there is no such run.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn events(&self, run: &str) -> Result<Vec<Recorded>, JournalError> {
        self.select("WHERE run = ?1 ORDER BY version", params![run])
    }

    /// The run's last event; none if there is no such run.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_event(&self, run: &str) -> Result<Option<Recorded>, JournalError> {
        Ok(self.select("WHERE run = ?1 ORDER BY version DESC LIMIT 1", params![run])?.pop())
    }

    /// Every run, in the order of their first events.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn runs(&self) -> Result<Vec<RunSummary>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(RUNS)?;
            let rows = statement.query_map([], |row| {
                Ok(RunSummary {
                    run: row.get(0)?,
                    first: unsigned(row.get(1)?),
                    last: unsigned(row.get(2)?),
                    version: unsigned(row.get(3)?),
                    began_ns: unsigned(row.get(4)?),
                    last_ns: unsigned(row.get(5)?),
                })
            })?;
            rows.collect()
        })
    }

    /// Events of a run that no seal of the audit points to, up to a version, each with its digest.
    pub(crate) fn events_not_sealed(&self, run: &str, through: u64) -> Result<Vec<(Recorded, String)>, JournalError> {
        let rows: Vec<(Recorded, String)> = self.read(|connection| {
            let sql = "SELECT sequence, run, version, at_ns, event FROM events WHERE run = ?1 AND version <= ?2
                AND version > coalesce((SELECT max(version) FROM seals WHERE run = ?1), 0) ORDER BY version";
            connection.prepare_cached(sql)?.query_map(params![run, signed(through)], recorded)?.collect()
        })?;
        let digest = |(mut recorded, text): (Recorded, String)| {
            let Recorded { sequence, run, version, at_ns, .. } = &recorded;
            let digest = event_digest(*sequence, run, *version, *at_ns, &text);
            recorded.event = self.parse(recorded.sequence, &text)?;
            Ok((recorded, digest))
        };
        rows.into_iter().map(digest).collect()
    }

    fn parse(&self, sequence: u64, text: &str) -> Result<Value, JournalError> {
        serde_json::from_str(text).map_err(|error| JournalError::Damaged {
            path: self.path().to_path_buf(),
            what: format!("event {sequence} is not JSON: {error}"),
        })
    }

    fn select(&self, rest: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Recorded>, JournalError> {
        let rows: Vec<(Recorded, String)> = self.read(|connection| {
            let sql = format!("SELECT sequence, run, version, at_ns, event FROM events {rest}");
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(values, recorded)?.collect()
        })?;
        rows.into_iter()
            .map(|(mut recorded, text)| {
                recorded.event = self.parse(recorded.sequence, &text)?;
                Ok(recorded)
            })
            .collect()
    }
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<(Recorded, String)> {
    let recorded = Recorded {
        sequence: unsigned(row.get(0)?),
        run: row.get(1)?,
        version: unsigned(row.get(2)?),
        at_ns: unsigned(row.get(3)?),
        event: Value::Null,
    };
    Ok((recorded, row.get(4)?))
}

fn version(connection: &Connection, run: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(max(version), 0) FROM events WHERE run = ?1";
    connection.prepare_cached(sql)?.query_row([run], |row| row.get(0)).map(unsigned)
}
