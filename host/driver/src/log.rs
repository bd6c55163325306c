//! Runs in the journal: written as events, read as runs; what is too large for a record lies beside it as evidence.

use anyhow::{Context, Result, bail};
use autodevops_journal::{AppendError, Journal, MAX_RECORD_BYTES, Recorded};
use autodevops_pipeline::{Event, Run, Timestamp};
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

/// The runs of a journal.
#[derive(Clone, Debug)]
pub struct RunLog(Journal);

impl RunLog {
    /// In this journal.
    pub const fn new(journal: Journal) -> Self {
        Self(journal)
    }

    /// Appends the events of one decision together with these facts, all or none; gives the new version.
    ///
    /// # Errors
    /// When another writer was first, or the journal cannot be written; nothing was written then.
    pub fn append(
        &self,
        run: &str,
        expected: u64,
        events: &[Event],
        facts: &[(String, Vec<u8>)],
    ) -> Result<u64, AppendError> {
        let mut records = Vec::new();
        for event in events {
            let value = serde_json::to_value(event).unwrap_or(Value::Null);
            let text = value.to_string();
            if text.len() > MAX_RECORD_BYTES {
                let digest = self.0.put_blob(text.as_bytes())?;
                records.push(json!({ EVIDENCE: digest }));
            } else {
                records.push(value);
            }
        }
        let at = events.first().map_or(0, |event| u64::try_from(event.at.0).unwrap_or(0));
        self.0.append_with(run, expected, &records, facts, at)
    }

    /// A run with its events; none when there is no such run.
    ///
    /// # Errors
    /// When it cannot be read, or its events are not a run's.
    pub fn read(&self, run: &str) -> Result<Option<Logged>> {
        let records = self.0.events(run)?;
        let version = records.len() as u64;
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            let version = record.version;
            let event = event_of(&self.0, record.event).with_context(|| format!("run {run}: event {version}"))?;
            events.push(event);
        }
        if events.is_empty() {
            return Ok(None);
        }
        let run = Run::replay(&events).with_context(|| format!("run {run} cannot be followed"))?;
        Ok(Some(Logged { run, events, version }))
    }

    /// Every run, oldest first. One that cannot be read, such as one of a newer version, is left out with a warning: it must not
    /// hide the others.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn all(&self) -> Result<Vec<Logged>> {
        let mut all = Vec::new();
        for summary in self.0.runs()? {
            match self.read(&summary.run) {
                Ok(logged) => all.extend(logged),
                Err(error) => tracing::warn!("a run is left out: {error:#}"),
            }
        }
        Ok(all)
    }

    /// The runs that are not over, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read, or a run that cannot be read is not over: it may hold traffic, so that nothing may be begun
    /// beside it.
    pub fn unfinished(&self) -> Result<Vec<Logged>> {
        let mut unfinished = Vec::new();
        for summary in self.0.runs()? {
            match self.read(&summary.run) {
                Ok(logged) => unfinished.extend(logged.filter(|logged| logged.run.outcome().is_none())),
                Err(error) if self.is_over(&summary.run)? => tracing::warn!("a run is left out: {error:#}"),
                Err(error) => bail!(error.context("a run that is not over cannot be read, so that none is driven")),
            }
        }
        Ok(unfinished)
    }

    /// Whether a run is over, by the names of its events alone; whatever somebody put after its end does not make it go on.
    fn is_over(&self, run: &str) -> Result<bool> {
        let ends = |record: &Recorded| record.event.pointer("/event/type").and_then(Value::as_str) == Some(LAST);
        Ok(self.0.events(run)?.iter().any(ends))
    }

    /// The journal.
    pub const fn journal(&self) -> &Journal {
        &self.0
    }
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
