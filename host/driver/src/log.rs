//! Runs in the journal: written as events, read as runs; what is too large for a record lies beside it as evidence.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use autodevops_journal::{AppendError, Journal, MAX_RECORD_BYTES, Recorded, RunSummary};
use autodevops_pipeline::{Event, Run, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// The key of a record that only names the evidence that holds the event.
const EVIDENCE: &str = "evidence";

/// The kind of a run's last event. Every version writes it so.
const LAST: &str = "finished";

/// A run as the journal has it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The run.
    pub run: Run,
    /// Its events, in order.
    pub events: Vec<Event>,
    /// How many records it has: what a writer expects.
    pub version: u64,
}

impl Logged {
    /// The run as it was at a moment; none where it had not begun.
    pub fn at(&self, moment: Timestamp) -> Option<Self> {
        let before = self.events.iter().take_while(|event| event.at <= moment);
        let events: Vec<Event> = before.cloned().collect();
        // The beginning of a run is a run.
        let run = Run::replay(&events).ok()?;
        Some(Self { run, version: events.len() as u64, events })
    }
}

/// The runs of a journal. Clones share what they know of them.
#[derive(Clone, Debug)]
pub struct RunLog {
    journal: Journal,
    known: Arc<Mutex<Known>>,
}

/// What is known of runs, by their names: the sequence numbers of their first and their last event, of which no two runs have the same
/// at any time, and the run as these events make it. Of one that is over there is no more than that.
type Known = BTreeMap<String, ((u64, u64), Option<Logged>)>;

impl RunLog {
    /// In this journal.
    pub fn new(journal: Journal) -> Self {
        Self { journal, known: Arc::default() }
    }

    /// Appends the events of one decision together with these facts, all or none; gives the new version.
    ///
    /// # Errors
    /// When another writer was first, an event is no JSON, or the journal cannot be written; nothing was written then.
    pub fn append(
        &self,
        run: &str,
        expected: u64,
        events: &[Event],
        facts: &[(String, Vec<u8>)],
    ) -> Result<u64, AppendError> {
        let records = self.records(run, events)?;
        let at = events.first().map_or(0, |event| nanoseconds(event.at));
        self.journal.append_with(run, expected, &records, facts, at)
    }

    /// The events as they are recorded: what is too large lies beside as evidence from here on. What is no JSON is refused: whatever was
    /// recorded instead of it, the run could be read no more.
    fn records(&self, run: &str, events: &[impl Serialize]) -> Result<Vec<Value>, AppendError> {
        let mut records = Vec::new();
        for event in events {
            let value =
                serde_json::to_value(event).map_err(|source| AppendError::NoJson { run: run.to_owned(), source })?;
            let text = value.to_string();
            if text.len() > MAX_RECORD_BYTES {
                let digest = self.journal.put_blob(text.as_bytes())?;
                records.push(json!({ EVIDENCE: digest }));
            } else {
                records.push(value);
            }
        }
        Ok(records)
    }

    /// A run with its events; none when there is no such run.
    ///
    /// # Errors
    /// When it cannot be read, or its events are not a run's.
    pub fn read(&self, run: &str) -> Result<Option<Logged>> {
        let records = self.journal.events(run)?;
        let version = records.len() as u64;
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            let version = record.version;
            let event = event_of(&self.journal, record.event).with_context(|| format!("run {run}: event {version}"))?;
            events.push(event);
        }
        if events.is_empty() {
            return Ok(None);
        }
        let run = Run::replay(&events).with_context(|| format!("run {run} cannot be followed"))?;
        Ok(Some(Logged { run, events, version }))
    }

    /// Every run, oldest first. One that cannot be read, such as one of a newer version, is left out with a warning: it must not
    /// hide the others. All events of all runs are read.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn all(&self) -> Result<Vec<Logged>> {
        self.those(|_| true)
    }

    /// The runs whose last event is not older than a moment, oldest first; others are not read. As [`Self::all`] otherwise.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn since(&self, moment: Timestamp) -> Result<Vec<Logged>> {
        let moment = nanoseconds(moment);
        self.those(|summary| summary.last_ns >= moment)
    }

    fn those(&self, wanted: impl Fn(&RunSummary) -> bool) -> Result<Vec<Logged>> {
        let mut those = Vec::new();
        for summary in self.journal.runs()?.iter().filter(|summary| wanted(summary)) {
            match self.read(&summary.run) {
                Ok(logged) => those.extend(logged),
                Err(error) => tracing::warn!("a run is left out: {error:#}"),
            }
        }
        Ok(those)
    }

    /// When each run began, also of those that cannot be read; oldest first. None is read for it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn begun(&self) -> Result<Vec<Timestamp>> {
        let at = |summary: RunSummary| Timestamp(i64::try_from(summary.began_ns).unwrap_or(i64::MAX));
        Ok(self.journal.runs()?.into_iter().map(at).collect())
    }

    /// The runs that are not over, oldest first. Whoever looks again has only those read that were written to meanwhile, by whichever
    /// process.
    ///
    /// # Errors
    /// When the journal cannot be read, or a run that cannot be read is not over: it may hold traffic, so that nothing may be begun
    /// beside it.
    pub fn unfinished(&self) -> Result<Vec<Logged>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        let mut unfinished = Vec::new();
        for RunSummary { run, first, last, .. } in self.journal.runs()? {
            let as_it_is = before.remove(&run).filter(|(events, _)| *events == (first, last));
            let logged = match as_it_is {
                Some((_, logged)) => logged,
                // It has more events by now, perhaps: then it is read once more the next time.
                None => self.read_unfinished(&run)?,
            };
            unfinished.extend(logged.clone());
            known.insert(run, ((first, last), logged));
        }
        Ok(unfinished)
    }

    /// A run that is not over; none where it is.
    fn read_unfinished(&self, run: &str) -> Result<Option<Logged>> {
        // Of most there is no more to be read than this.
        if self.journal.last_event(run)?.is_none_or(|last| ends(&last)) {
            return Ok(None);
        }
        match self.read(run) {
            Ok(logged) => Ok(logged.filter(|logged| logged.run.outcome().is_none())),
            Err(error) if self.is_over(run)? => {
                tracing::warn!("a run is left out: {error:#}");
                Ok(None)
            }
            Err(error) => bail!(error.context("a run that is not over cannot be read, so that none is driven")),
        }
    }

    /// Whether a run is over, by the names of its events alone; whatever somebody put after its end does not make it go on.
    fn is_over(&self, run: &str) -> Result<bool> {
        Ok(self.journal.events(run)?.iter().any(ends))
    }

    /// The journal.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }
}

/// Whether a record is a run's end, in whichever version it was written.
fn ends(record: &Recorded) -> bool {
    record.event.pointer("/event/type").and_then(Value::as_str) == Some(LAST)
}

/// A moment as the journal has it: nanoseconds since 1970.
fn nanoseconds(moment: Timestamp) -> u64 {
    u64::try_from(moment.0).unwrap_or(0)
}

/// The event of a record, which may lie beside it as evidence.
///
/// # Errors
/// When the evidence is missing, or it is no event that this version reads.
pub fn event_of(journal: &Journal, record: Value) -> Result<Event> {
    let value = match record.get(EVIDENCE).and_then(Value::as_str) {
        Some(digest) => {
            let bytes = journal.blob(digest)?.with_context(|| format!("{digest} is missing"))?;
            serde_json::from_slice(&bytes)?
        }
        None => record,
    };
    Ok(Event::read(value)?)
}
