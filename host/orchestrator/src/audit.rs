//! The account of what plugins did and what was decided: gathered while a stage lasts, sealed into the journal when it ends.
//!
//! A host that is killed loses at most what was gathered since: the run's next driver says so on record. What cannot be sealed, on
//! a full disk say, is kept and tried again with what comes next; no run waits for it.

mod decisions;
mod parts;
mod pieces;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod together;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use autodevops_driver::parts::Account;
use autodevops_journal::{
    Journal,
    audit::{AuditError, AuditLog, Call, Entry, EventRecord, Note, Seal},
};
use autodevops_pipeline::{Event, Run, Timestamp};
use autodevops_sandbox::{CallReport, Observer};

use self::pieces::{Piece, call};
use crate::{clock::now, log};

/// What the host that drove a run before did not put on record.
pub const HOST_ENDED: &str = "host-ended";

/// A host lets go of a run that is not over: it waits for a person, or the host stops.
pub const LET_GO: &str = "let-go";

/// A run was to begin and did not.
pub const NOT_STARTED: &str = "not-started";

/// A person made a release live without a run.
pub const BY_HAND: &str = "by-hand";

/// The name under which the analyzer's calls are on record that read the watched logs, for no run yet.
pub const WATCH: &str = "watch";

/// The name under which it is on record who kept runs from starting, and who let them.
pub const LOOP: &str = "loop";

/// Records that could not be kept until they were sealed.
pub const LOST: &str = "records-lost";

/// So many operations of one run are sealed before its stage ends.
const MANY_OPERATIONS: usize = 10_000;

/// So many records of one run are kept in memory while they cannot be sealed; further ones are counted. Each run has this room for
/// itself, so that no plugin's flood takes another run's.
const MOST_OPERATIONS: usize = 200_000;

/// Longest words of a call's failure that are kept, in bytes.
const MAX_FAILURE_BYTES: usize = 1000;

/// Gathers and seals.
pub struct Audit {
    log: AuditLog,
    journal: Journal,
    state: Mutex<State>,
    /// Held while it is sealed, so that calls that end meanwhile need not wait for the disk.
    unsealed: Mutex<Unsealed>,
}

#[derive(Default)]
struct State {
    runs: BTreeMap<String, Gathered>,
    /// Operations of each run that are in memory, whether gathered still or waiting to be sealed.
    kept: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Unsealed {
    /// Oldest first.
    batches: VecDeque<Batch>,
    /// Whether it was said that sealing fails.
    told: bool,
}

/// What was gathered of a run since its last seal.
#[derive(Default)]
struct Gathered {
    /// Whether this process drives the run, so that nothing of another one can be missing.
    held: bool,
    /// The stage it was in when that was told last.
    stage: String,
    pieces: Vec<Piece>,
    operations: usize,
    /// Calls that there was no room for.
    lost: u64,
}

/// What is to be sealed, but for the events, which are read when it is.
struct Batch {
    run: String,
    stage: String,
    version: u64,
    at_ns: u64,
    entries: Vec<Entry>,
    operations: usize,
    last: Option<Entry>,
}

impl Audit {
    /// Seals into this journal. The caller holds the state's lock when it does.
    pub fn new(journal: Journal) -> Self {
        Self { log: AuditLog::new(journal.clone()), journal, state: Mutex::default(), unsealed: Mutex::default() }
    }

    /// The chain of seals.
    pub const fn log(&self) -> &AuditLog {
        &self.log
    }

    /// A run, or what else is done under a name, begins in this process.
    pub fn begin(&self, run: &str) {
        self.lock().runs.entry(run.to_owned()).or_default().held = true;
    }

    /// A run is taken over. Where the process before did not let go of it, that is put on record.
    pub fn take_over(&self, run: &str, stage: &str) {
        if self.lock().runs.get(run).is_some_and(|gathered| gathered.held) {
            return;
        }
        let summary = match self.log.last_of(run) {
            Ok(Some(last)) => match last.seal.entries.last() {
                Some(Entry::Note(note)) if note.what == LET_GO => None,
                _ => Some(format!(
                    "the host ended during stage {stage}; calls that it made since the seal before this one are not on record"
                )),
            },
            Ok(None) => Some(format!(
                "nothing of the run was sealed before stage {stage}: the host ended in its first stage, or an older one began it"
            )),
            Err(error) => Some(format!("what was on record of the run cannot be read: {error}")),
        };
        if let Some(summary) = summary {
            self.note(run, HOST_ENDED, None, &summary);
        }
        self.begin(run);
    }

    /// Puts something on record that is in no run's events.
    pub fn note(&self, run: &str, what: &str, by: Option<&str>, summary: &str) {
        self.note_at(now(), run, what, by, summary);
    }

    /// Puts something on record that happened before.
    pub fn note_at(&self, at: Timestamp, run: &str, what: &str, by: Option<&str>, summary: &str) {
        let note = note(at, what, by, &decisions::short(summary));
        // The host's own words are few: there is always room for them.
        self.lock().runs.entry(run.to_owned()).or_default().pieces.push(Piece::Entry(note));
    }

    /// Seals what was gathered of a run, and its events up to a version, as those of a stage that ended.
    pub fn seal(&self, run: &str, stage: &str, version: u64) {
        self.close(run, stage, version, None);
    }

    /// A run goes on with a stage.
    fn goes_on(&self, run: &str, stage: &str) {
        let mut state = self.lock();
        let gathered = state.runs.entry(run.to_owned()).or_default();
        if gathered.stage != stage {
            stage.clone_into(&mut gathered.stage);
        }
    }

    /// Seals where much was gathered, in the midst of a stage. Its events wait for the stage's end.
    fn seal_much(&self, run: &str) {
        let stage = self.lock().runs.get(run).map_or_else(String::new, |gathered| gathered.stage.clone());
        let stage = if stage.is_empty() { run } else { &stage };
        match self.log.version_of(run) {
            Ok(version) => self.close(run, stage, version, None),
            Err(error) => tracing::warn!("the audit cannot be read, and is sealed later: {error}"),
        }
    }

    /// Seals what is left of a run that this process drives no more. One that is not over is marked as let go.
    pub fn let_go(&self, run: &str, stage: &str, version: u64, over: bool) {
        let last = (!over).then(|| note(now(), LET_GO, None, "the host let go of the run; it is driven on from here"));
        self.close(run, stage, version, last);
        self.lock().runs.remove(run);
    }

    /// Seals the events of runs that nobody drives any more: those that ended just before their host did, and those of hosts that
    /// kept no account.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn seal_finished<'a>(&self, finished: impl Iterator<Item = (&'a str, u64)>) -> Result<(), AuditError> {
        let behind: BTreeMap<String, u64> = self.log.behind()?.into_iter().map(|run| (run.run, run.events)).collect();
        for (run, version) in finished.filter(|(run, _)| behind.contains_key(*run)) {
            self.take_over(run, "finished");
            self.let_go(run, "finished", version, true);
        }
        Ok(())
    }

    /// Forgets the events of a run that is over, and puts that on record before.
    ///
    /// # Errors
    /// When the journal or the key cannot be used.
    pub fn forget(&self, run: &str, why: &str) -> Result<(), AuditError> {
        // Nothing else is sealed meanwhile.
        let _sealing = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner);
        self.log.forget(run, nanoseconds(), why).map(drop)
    }

    /// Keeps what was gathered of a run; whether there is much of it by now.
    fn add(&self, run: &str, piece: Piece, operations: usize) -> bool {
        let State { runs, kept } = &mut *self.lock();
        let (Some(gathered), Some(kept)) = (of(runs, run), of(kept, run)) else { return false };
        if *kept + operations > MOST_OPERATIONS {
            gathered.lost += 1;
        } else {
            *kept += operations;
            gathered.operations += operations;
            gathered.pieces.push(piece);
        }
        gathered.operations >= MANY_OPERATIONS
    }

    /// Takes a call of the watch together with those before it that did the same; whether there is much by now.
    fn add_up(&self, call: Call) -> bool {
        let mut state = self.lock();
        let State { runs, kept } = &mut *state;
        let gathered = runs.entry(WATCH.to_owned()).or_default();
        let same = gathered.pieces.iter_mut().find_map(|piece| match piece {
            Piece::Entry(Entry::Call(before)) => together::same(before, &call).then_some(before),
            Piece::Report(_) | Piece::Entry(Entry::Event(_) | Entry::Note(_)) => None,
        });
        if let Some(before) = same {
            let more = together::add(before, call);
            gathered.operations += more;
            *kept.entry(WATCH.to_owned()).or_default() += more;
            return gathered.operations >= MANY_OPERATIONS;
        }
        drop(state);
        let operations = call.operations.len() + 1;
        self.add(WATCH, Piece::Entry(Entry::Call(call)), operations)
    }

    fn close(&self, run: &str, stage: &str, version: u64, last: Option<Entry>) {
        let mut unsealed = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner);
        unsealed.batches.push_back(self.gathered(run, stage, version, last));
        while let Some(mut batch) = unsealed.batches.pop_front() {
            if let Err(error) = self.write(&mut batch) {
                unsealed.batches.push_front(batch);
                if !std::mem::replace(&mut unsealed.told, true) {
                    tracing::warn!(
                        "the audit cannot be sealed now; its records are kept, and it is tried again: {error}"
                    );
                }
                return;
            }
            let mut state = self.lock();
            let kept = state.kept.get(&batch.run).map_or(0, |kept| kept.saturating_sub(batch.operations));
            if kept == 0 {
                state.kept.remove(&batch.run)
            } else {
                state.kept.insert(batch.run, kept)
            };
        }
        if std::mem::take(&mut unsealed.told) {
            tracing::warn!("the audit is sealed again");
        }
    }

    /// What was gathered of a run, to be sealed; gathered anew from here.
    fn gathered(&self, run: &str, stage: &str, version: u64, last: Option<Entry>) -> Batch {
        let Gathered { pieces, operations, lost, .. } = self.take(run);
        let mut entries: Vec<Entry> = pieces.into_iter().map(Piece::into_entry).collect();
        if lost > 0 {
            let summary = format!("{lost} calls could not be kept: the journal had no room for too long");
            entries.push(note(now(), LOST, None, &summary));
        }
        let (run, stage, at_ns) = (run.to_owned(), stage.to_owned(), nanoseconds());
        Batch { run, stage, version, at_ns, entries, operations, last }
    }

    /// Takes what was gathered of a run; that it is this process's, and its stage, go on.
    fn take(&self, run: &str) -> Gathered {
        let mut state = self.lock();
        let gathered = state.runs.entry(run.to_owned()).or_default();
        let anew = Gathered { held: gathered.held, stage: gathered.stage.clone(), ..Gathered::default() };
        std::mem::replace(gathered, anew)
    }

    fn write(&self, batch: &mut Batch) -> Result<(), AuditError> {
        let events = self.log.unsealed(&batch.run, batch.version)?;
        if events.is_empty() && batch.entries.is_empty() && batch.last.is_none() {
            return Ok(());
        }
        let mut sealed = self.log.version_of(&batch.run)?;
        let events = events.into_iter().map(|(recorded, digest)| {
            let event: Option<Event> = log::event_of(&self.journal, recorded.event).ok();
            let told = event.as_ref().map(|event| decisions::tell(&event.event)).unwrap_or_default();
            Entry::Event(EventRecord {
                sequence: recorded.sequence,
                version: recorded.version,
                at_ns: recorded.at_ns,
                event: event.map_or("unknown", |event| event.event.name()).to_owned(),
                digest,
                decision: told.decision.map(str::to_owned),
                by: told.by,
                summary: told.summary,
            })
        });
        let mut entries = merge(std::mem::take(&mut batch.entries), events);
        entries.extend(batch.last.clone());
        let mut left = vec![entries];
        while let Some(entries) = left.pop() {
            let (run, stage) = (batch.run.clone(), batch.stage.clone());
            let seal =
                Seal { run, stage, version: last_version(&entries).unwrap_or(sealed), at_ns: batch.at_ns, entries };
            match self.log.seal(&seal) {
                Ok(made) => {
                    sealed = seal.version;
                    if let Some(error) = made.unnoted {
                        tracing::warn!("the audit's last seal is not noted beside the journal: {error}");
                    }
                }
                // Tried again as it is it would fail for ever, and all runs' seals wait behind it.
                Err(AuditError::TooLarge { bytes }) => match parts::halves(seal.entries) {
                    Ok((first, rest)) => left.extend([rest, first]),
                    Err(record) => left.extend(record.first().map(|record| vec![too_large(record, bytes)])),
                },
                Err(error) => {
                    left.push(seal.entries);
                    let again = |entry: &Entry| !matches!(entry, Entry::Event(_)) && Some(entry) != batch.last.as_ref();
                    batch.entries = left.into_iter().rev().flatten().filter(again).collect();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        let left = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner).batches.len();
        if left > 0 {
            tracing::warn!(seals = left, "records of the audit could not be sealed, and are lost");
        }
    }
}

impl Account for Audit {
    fn take_over(&self, run: &Run) {
        Self::take_over(self, run.id(), run.stage().name());
    }

    fn recorded(&self, run: &Run, version: u64, ended: Option<&'static str>) {
        if let Some(stage) = ended {
            self.seal(run.id(), stage, version);
        }
        self.goes_on(run.id(), run.stage().name());
    }

    fn let_go(&self, run: &Run, version: u64) {
        Self::let_go(self, run.id(), run.stage().name(), version, run.outcome().is_some());
    }
}

impl Observer for Audit {
    fn finished(&self, mut report: CallReport) {
        if let Some(text) = &mut report.failure {
            text.truncate(text.floor_char_boundary(MAX_FAILURE_BYTES));
        }
        let (run, operations) = (Arc::clone(&report.run), report.records.len() + 1);
        let much = if *run == *WATCH && report.failure.is_none() {
            self.add_up(call(report))
        } else {
            self.add(&run, Piece::Report(report), operations)
        };
        if much {
            self.seal_much(&run);
        }
    }
}

/// What there is of a run, made where there is nothing: mostly there is, and no name to be copied.
fn of<'a, T: Default>(runs: &'a mut BTreeMap<String, T>, run: &str) -> Option<&'a mut T> {
    if !runs.contains_key(run) {
        runs.insert(run.to_owned(), T::default());
    }
    runs.get_mut(run)
}

/// Calls and events as they happened; neither is put before another of its kind.
fn merge(calls: Vec<Entry>, events: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut calls = calls.into_iter().peekable();
    let mut merged = Vec::new();
    for event in events {
        while let Some(call) = calls.next_if(|call| at(call) <= at(&event)) {
            merged.push(call);
        }
        merged.push(event);
    }
    merged.extend(calls);
    merged
}

/// When it began.
const fn at(entry: &Entry) -> u64 {
    match entry {
        Entry::Call(call) => call.at_ns,
        Entry::Event(event) => event.at_ns,
        Entry::Note(note) => note.at_ns,
    }
}

/// Up to which of the run's events these point.
fn last_version(entries: &[Entry]) -> Option<u64> {
    entries.iter().rev().find_map(|entry| match entry {
        Entry::Event(event) => Some(event.version),
        Entry::Call(_) | Entry::Note(_) => None,
    })
}

/// What stands for a record that no seal takes. An event that it was about is pointed to by no seal then, and `audit --verify` says
/// so: better than to say that there was none.
fn too_large(record: &Entry, bytes: usize) -> Entry {
    let what = match record {
        Entry::Call(call) => format!("a call of {} {}", call.plugin, call.function),
        Entry::Event(event) => format!("event {} ({})", event.sequence, event.event),
        Entry::Note(note) => format!("a note ({})", note.what),
    };
    note(now(), LOST, None, &decisions::short(&format!("a record of {bytes} bytes is too large to be kept: {what}")))
}

fn note(at: Timestamp, what: &str, by: Option<&str>, summary: &str) -> Entry {
    Entry::Note(Note {
        at_ns: u64::try_from(at.0).unwrap_or(0),
        what: what.to_owned(),
        by: by.map(str::to_owned),
        summary: summary.to_owned(),
    })
}

fn nanoseconds() -> u64 {
    u64::try_from(now().0).unwrap_or(0)
}
