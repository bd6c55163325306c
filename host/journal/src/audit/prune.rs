//! Forgetting the events of a run that is long over. That they are gone on purpose is a record in the chain, made before they go: an event
//! that is missing without one was removed by someone else.

use rusqlite::{Connection, params};

use super::{AuditError, AuditLog, Entry, Note, Seal, chain::Row, entries};
use crate::{JournalError, signed};

/// A note of the log itself: the run's events up to the seal's version were forgotten.
pub const EVENTS_FORGOTTEN: &str = "events-forgotten";

/// The stage under which that is on record.
const STAGE: &str = "retention";

/// What came of forgetting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Events that went.
    pub events: u64,
    /// Bytes of them, and of evidence that nothing else points to.
    pub bytes: u64,
}

impl AuditLog {
    /// How much there is to forget of a run, all of whose events are sealed; none where one is not, or there are none.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn forgettable(&self, run: &str) -> Result<Option<Forgotten>, JournalError> {
        let sealed = self.version_of(run)?;
        self.journal.read(|connection| {
            let of_run = "SELECT count(*), coalesce(sum(length(event)), 0), coalesce(max(version), 0) FROM events WHERE run = ?1";
            let (events, bytes, version): (i64, i64, i64) =
                connection.query_row(of_run, [run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let whole = events > 0 && version <= signed(sealed);
            let beside: i64 = connection.query_row(
                &format!("SELECT coalesce(sum(length(bytes)), 0) FROM blobs WHERE digest IN ({EVIDENCE_OF_RUN})"),
                [run],
                |row| row.get(0),
            )?;
            let number = |value: i64| u64::try_from(value).unwrap_or(0);
            Ok(whole.then(|| Forgotten { events: number(events), bytes: number(bytes) + number(beside) }))
        })
    }

    /// Forgets the events of a run, all of which are sealed, and what only they point to. That is on record first, with `why`: a host that
    /// ends meanwhile leaves the record, and the events go the next time.
    ///
    /// # Errors
    /// When an event is not sealed, or the journal or the key cannot be used.
    pub fn forget(&self, run: &str, at_ns: u64, why: &str) -> Result<Forgotten, AuditError> {
        let Some(forgotten) = self.forgettable(run)? else { return Ok(Forgotten::default()) };
        let version = self.version_of(run)?;
        if !self.journal.read(forgotten_runs)?.iter().any(|(name, _)| name == run) {
            let summary = format!("{} events of the run are forgotten: {why}", forgotten.events);
            let note = Note { at_ns, what: EVENTS_FORGOTTEN.to_owned(), by: None, summary };
            let (run, stage) = (run.to_owned(), STAGE.to_owned());
            self.seal(&Seal { run, stage, version, at_ns, entries: vec![Entry::Note(note)] })?;
        }
        self.journal.write(|transaction| -> Result<(), JournalError> {
            let fault = |error| self.journal.fault(error);
            let evidence = format!("DELETE FROM blobs WHERE digest IN ({EVIDENCE_OF_RUN})");
            transaction.execute(&evidence, [run]).map_err(fault)?;
            let events = "DELETE FROM events WHERE run = ?1 AND version <= ?2";
            transaction.execute(events, params![run, signed(version)]).map_err(fault)?;
            Ok(())
        })?;
        Ok(forgotten)
    }

    /// The names of all that is on record, in the order of their first records.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn names(&self) -> Result<Vec<String>, JournalError> {
        self.journal.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT run FROM seals GROUP BY run ORDER BY min(sequence)")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }
}

/// Digests of evidence that the run's events point to, and no other run's.
const EVIDENCE_OF_RUN: &str = "
    SELECT json_extract(own.event, '$.evidence') FROM events AS own
    WHERE own.run = ?1 AND json_extract(own.event, '$.evidence') IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM events AS other WHERE other.run <> ?1 AND other.event = own.event)";

/// The runs whose events are forgotten, as the notes have it, each with the version up to which. Whether a row is the host's own is
/// for whoever reads the chain to verify.
pub fn forgotten_runs(connection: &Connection) -> rusqlite::Result<Vec<(String, Row)>> {
    let sql = super::chain::select("stage = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([STAGE], Row::of)?;
    let mut found = Vec::new();
    for row in rows {
        let row = row?;
        let says_so = entries::unpack(&row.entries).is_ok_and(|entries| {
            entries.iter().any(|entry| matches!(entry, Entry::Note(note) if note.what == EVENTS_FORGOTTEN))
        });
        if says_so {
            found.push((row.run.clone(), row));
        }
    }
    Ok(found)
}
