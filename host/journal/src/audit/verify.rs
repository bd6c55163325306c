//! Reading the whole chain again: is all of it there, as it was made?

use std::{collections::BTreeMap, fmt};

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    AuditError, AuditLog, Entry, EventRecord, FINISHED, HEAD_LOST,
    chain::{self, Head, Row, event_digest, number},
    entries,
    key::{self, HEAD_FILE, KEY_FILE},
    prune::forgotten_runs,
};
use crate::signed;

/// What an unbroken chain holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Seals.
    pub seals: u64,
    /// Records in them.
    pub records: u64,
    /// Runs that have any.
    pub runs: u64,
    /// The chain's end; none where nothing was sealed.
    pub head: Option<Head>,
    /// Events that no seal points to: of stages under way, or from before there was an audit.
    pub unsealed: Vec<Unsealed>,
    /// Runs whose events were forgotten on purpose: they cannot be verified any more, and that they went is.
    pub forgotten: Vec<Gone>,
}

/// A run whose events were forgotten on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The run.
    pub run: String,
    /// How many.
    pub events: u64,
    /// The seal that says so.
    pub seal: u64,
}

/// Events of a run that no seal points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// The run.
    pub run: String,
    /// How many.
    pub events: u64,
}

/// Where the chain is broken first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The seal; none where what is beside them is wrong.
    pub seal: Option<u64>,
    /// Its run, as far as the row can be believed.
    pub run: Option<String>,
    /// Its stage.
    pub stage: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seal) = self.seal {
            write!(f, "seal {seal}")?;
            if let (Some(run), Some(stage)) = (&self.run, &self.stage) {
                write!(f, " (run {run}, stage {stage})")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

/// An error of the journal, or a break.
enum Stop {
    Failed(AuditError),
    Broken(Break),
}

impl From<Break> for Stop {
    fn from(broken: Break) -> Self {
        Self::Broken(broken)
    }
}

impl AuditLog {
    /// Verifies every seal, and every event that one points to; the chain must also have been at `expect`, where that is given. The
    /// inner error is the first break.
    ///
    /// # Errors
    /// When the journal or the key cannot be read.
    pub fn verify(&self, expect: Option<Head>) -> Result<Result<Verified, Break>, AuditError> {
        let key = key::read_key(&self.folder)?;
        // Read before the journal: it may grow meanwhile, but never shrinks.
        let noted = key.map(|key| key::head(&self.folder, &key)).transpose()?.flatten();
        let mut connection = self.journal.connection();
        let fault = |error| Stop::Failed(AuditError::from(self.journal.fault(error)));
        let verified = (|| {
            // One view of the journal, whoever writes meanwhile.
            let snapshot = connection.transaction().map_err(fault)?;
            let head = Head { seals: 0, hash: chain::START };
            let mut walk = Walk {
                connection: &snapshot,
                fault: &fault,
                key,
                expect,
                noted,
                head,
                records: 0,
                versions: BTreeMap::new(),
                finished: BTreeMap::new(),
                forgotten: BTreeMap::new(),
            };
            walk.forgotten()?;
            walk.seals()?;
            walk.end()
        })();
        match verified {
            Ok(verified) => Ok(Ok(verified)),
            Err(Stop::Broken(broken)) => Ok(Err(broken)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// The way along the chain.
struct Walk<'a> {
    connection: &'a Connection,
    fault: &'a dyn Fn(rusqlite::Error) -> Stop,
    key: Option<[u8; 32]>,
    expect: Option<Head>,
    noted: Option<Head>,
    head: Head,
    records: u64,
    /// Up to which version events are pointed to, by run.
    versions: BTreeMap<String, u64>,
    /// Runs that have ended, by the seal that points to their end.
    finished: BTreeMap<String, u64>,
    /// Runs whose events were forgotten, up to which version, and the seal that says so.
    forgotten: BTreeMap<String, (u64, u64)>,
}

impl Walk<'_> {
    /// Looks for what was forgotten on purpose, by the word of seals that this host made. That they stand in the chain is seen when that
    /// is walked along.
    fn forgotten(&mut self) -> Result<(), Stop> {
        let Some(key) = &self.key else { return Ok(()) };
        for (run, row) in forgotten_runs(self.connection).map_err(self.fault)? {
            let head = Head { seals: row.sequence, hash: row.digest() };
            if row.mac == head.mac(key).as_bytes() {
                self.forgotten.insert(run, (row.version, row.sequence));
            }
        }
        Ok(())
    }

    fn seals(&mut self) -> Result<(), Stop> {
        let fault = self.fault;
        let mut statement = self.connection.prepare(&chain::select("TRUE")).map_err(fault)?;
        let mut rows = statement.query([]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let row = Row::of(row).map_err(fault)?;
            self.seal(&row)?;
        }
        Ok(())
    }

    fn seal(&mut self, row: &Row) -> Result<(), Stop> {
        let wanted = self.head.seals + 1;
        let broken = |what: String| Break {
            seal: Some(row.sequence),
            run: Some(row.run.clone()),
            stage: Some(row.stage.clone()),
            what,
        };
        if row.sequence < wanted || row.sequence == u64::MAX {
            return Err(broken("it is none of the host's: its number is not".to_owned()).into());
        }
        if row.sequence != wanted {
            return Err(missing(wanted, row.sequence.saturating_sub(1), "").into());
        }
        let hash = row.digest();
        if row.hash != hash {
            return Err(broken("it was changed: it is not what was sealed".to_owned()).into());
        }
        if row.previous != self.head.hash {
            return Err(broken("it does not follow the seal before it: one of them was replaced".to_owned()).into());
        }
        self.head = Head { seals: row.sequence, hash };
        let Some(key) = &self.key else {
            let what = format!("the key {KEY_FILE} that it was sealed with is missing; put it back from a backup");
            return Err(broken(what).into());
        };
        if row.mac != self.head.mac(key).as_bytes() {
            let what = format!("it was not sealed with this host's key {KEY_FILE}: someone else made it");
            return Err(broken(what).into());
        }
        for (head, whose) in [(self.noted, "this host noted"), (self.expect, "was expected")] {
            if head.is_some_and(|head| head.seals == row.sequence && head.hash != hash) {
                return Err(broken(format!("it is another than {whose}: the chain was made anew")).into());
            }
        }
        let entries = entries::unpack(&row.entries).map_err(|reason| broken(format!("it cannot be read: {reason}")))?;
        let records: u64 = entries.iter().map(Entry::records).sum();
        if records != row.records {
            return Err(broken(format!("it has {records} records, and says that it has {}", row.records)).into());
        }
        self.records += records;
        self.versions.entry(row.run.clone()).or_default();
        for entry in &entries {
            match entry {
                Entry::Event(event) => self.event(row, event).map_err(|stop| match stop {
                    Wrong::Broken(what) => Stop::Broken(broken(what)),
                    Wrong::Failed(error) => (self.fault)(error),
                })?,
                Entry::Note(note) if note.what == HEAD_LOST => return Err(broken(note.summary.clone()).into()),
                Entry::Call(_) | Entry::Note(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the event is there as it was.
    fn event(&mut self, row: &Row, event: &EventRecord) -> Result<(), Wrong> {
        let name = format!("event {} ({}, version {} of the run)", event.sequence, event.event, event.version);
        let seen = self.versions.entry(row.run.clone()).or_default();
        if event.version != *seen + 1 {
            return Err(Wrong::Broken(format!("{name} is not the run's next one")));
        }
        *seen = event.version;
        if self.finished.contains_key(&row.run) {
            return Err(Wrong::Broken(format!("{name} comes after the run's end")));
        }
        if event.event == FINISHED {
            self.finished.insert(row.run.clone(), row.sequence);
        }
        let sql = "SELECT run, version, at_ns, event FROM events WHERE sequence = ?1";
        let stored: Option<(String, i64, i64, String)> = self
            .connection
            .prepare_cached(sql)?
            .query_row([signed(event.sequence)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((run, version, at_ns, text)) = stored else {
            if self.forgotten.get(&row.run).is_some_and(|(through, _)| event.version <= *through) {
                return Ok(());
            }
            return Err(Wrong::Broken(format!("{name} was removed from the journal")));
        };
        if run != row.run || event_digest(event.sequence, &run, number(version), number(at_ns), &text) != event.digest {
            return Err(Wrong::Broken(format!("{name} was changed in the journal")));
        }
        self.evidence(&name, &text)
    }

    /// An event that is too large lies beside the others, by digest.
    fn evidence(&self, name: &str, text: &str) -> Result<(), Wrong> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let Some(digest) = value.get("evidence").and_then(Value::as_str) else { return Ok(()) };
        let sql = "SELECT bytes FROM blobs WHERE digest = ?1";
        let bytes: Option<Vec<u8>> =
            self.connection.prepare_cached(sql)?.query_row([digest], |row| row.get(0)).optional()?;
        match bytes {
            None => Err(Wrong::Broken(format!("the evidence {digest} of {name} was removed from the journal"))),
            Some(bytes) if format!("sha256:{:x}", Sha256::digest(&bytes)) != digest => {
                Err(Wrong::Broken(format!("the evidence {digest} of {name} was changed in the journal")))
            }
            Some(_) => Ok(()),
        }
    }

    fn end(self) -> Result<Verified, Stop> {
        let seals = self.head.seals;
        for (head, whose) in [(self.noted, "this host made"), (self.expect, "were expected")] {
            if let Some(head) = head.filter(|head| head.seals > seals) {
                return Err(missing(seals + 1, head.seals, &format!(" of {} that {whose}", head.seals)).into());
            }
        }
        if self.noted.is_none() && seals > 0 {
            let what = format!(
                "the file {HEAD_FILE}, which names the last seal, is missing or not this host's: seals after {seals} may have been \
                 removed"
            );
            return Err(Break { seal: None, run: None, stage: None, what }.into());
        }
        for (run, version) in &self.versions {
            let sql = "SELECT count(*) FROM events WHERE run = ?1 AND version <= ?2";
            let count: i64 =
                self.connection.query_row(sql, params![run, signed(*version)], |row| row.get(0)).map_err(self.fault)?;
            // All of them go at once, or none.
            let gone = self.forgotten.get(run).is_some_and(|(through, _)| version <= through) && count == 0;
            if number(count) != *version && !gone {
                let what = format!("run {run} has events that were put between those that were sealed");
                return Err(Break { seal: None, run: Some(run.clone()), stage: None, what }.into());
            }
        }
        let unsealed = unsealed(self.connection).map_err(self.fault)?;
        if let Some(added) = unsealed.iter().find(|unsealed| self.finished.contains_key(&unsealed.run)) {
            let Unsealed { run, events } = added;
            let seal = self.finished.get(run).copied().unwrap_or_default();
            let what = format!(
                "run {run} has {events} events that were put after its end, which seal {seal} has: no host did that"
            );
            return Err(Break { seal: None, run: Some(run.clone()), stage: None, what }.into());
        }
        let runs = self.versions.len() as u64;
        let gone = self.forgotten.into_iter().map(|(run, (events, seal))| Gone { run, events, seal });
        let head = (seals > 0).then_some(self.head);
        Ok(Verified { seals, records: self.records, runs, head, unsealed, forgotten: gone.collect() })
    }
}

pub fn unsealed(connection: &Connection) -> rusqlite::Result<Vec<Unsealed>> {
    let sql = "SELECT run, count(*) FROM events WHERE version >
            coalesce((SELECT max(seals.version) FROM seals WHERE seals.run = events.run), 0)
        GROUP BY run ORDER BY min(sequence)";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok(Unsealed { run: row.get(0)?, events: number(row.get(1)?) }))?;
    rows.collect()
}

/// What is wrong with an event, or why that cannot be said.
enum Wrong {
    Broken(String),
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

fn missing(first: u64, last: u64, of: &str) -> Break {
    let what = if first >= last {
        format!("it is missing{of}: it was removed")
    } else {
        format!("it and those up to {last} are missing{of}: they were removed")
    };
    Break { seal: Some(first), run: None, stage: None, what }
}
