//! What is read of runs, and when, and what is held of them.

use std::path::{Path, PathBuf};

use autodevops_pipeline::{EventKind, Input};

use super::*;

/// A copy of a committed journal: three of its ten runs are not over.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
    log: RunLog,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/events-1.db"), &path).unwrap();
        let log = RunLog::new(Journal::open(&path).unwrap());
        Self { _folder: folder, path, log }
    }

    /// Another host's.
    fn other(&self) -> RunLog {
        RunLog::new(Journal::open(&self.path).unwrap())
    }

    fn change(&self, sql: &str) -> usize {
        rusqlite::Connection::open(&self.path).unwrap().execute(sql, []).unwrap()
    }

    /// The names of the runs of which more is held than that they are over, and how many others are known.
    fn held(&self) -> (Vec<String>, usize) {
        let known = self.log.known.lock().unwrap();
        let held = known.iter().filter(|(_, (_, logged))| logged.is_some()).map(|(run, _)| run.clone()).collect();
        (held, known.values().filter(|(_, logged)| logged.is_none()).count())
    }
}

/// Names and versions.
fn seen(log: &RunLog) -> Vec<(String, u64)> {
    log.unfinished().unwrap().iter().map(|logged| (logged.run.id().to_owned(), logged.version)).collect()
}

/// Has the run decide on what a person says, and writes that.
fn say(log: &RunLog, run: &str, input: Input) -> u64 {
    let Logged { run, version, .. } = log.read(run).unwrap().unwrap();
    let events = run.decide(input, Timestamp(run.last_event_at().0 + 1)).unwrap();
    log.append(run.id(), version, &events, &[]).unwrap()
}

/// How a run of this name begins: as another one did.
fn beginning(log: &RunLog, of: &str, name: &str) -> Event {
    let mut begun = log.read(of).unwrap().unwrap().events.remove(0);
    if let EventKind::Started { run, .. } = &mut begun.event {
        *run = name.to_owned();
    }
    begun
}

fn approval() -> Input {
    Input::Approve { by: "bob".into(), reason: "looks right".into(), bypass: false, link: None }
}

#[test]
fn what_was_read_is_read_again_only_where_something_was_added() {
    let place = Place::new();
    let before = place.log.unfinished().unwrap();
    assert_eq!(before.len(), 3);
    // Whoever reads any of it fails from here on.
    assert!(place.change("UPDATE events SET event = 'no JSON'") > 100);
    let after = place.log.unfinished().unwrap();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&after.run, after.version), (&before.run, before.version));
        assert_eq!(after.events, before.events);
    }
    assert_eq!(after.len(), before.len());
    assert!(place.other().unfinished().is_err(), "whoever has not read it yet does");

    let Logged { run, version, .. } = &before[0];
    place.log.journal().append(run.id(), *version, &[json!({ "event": {} })], 1).unwrap();
    let error = format!("{:#}", place.log.unfinished().unwrap_err());
    assert!(error.contains("is not JSON"), "{error}");
}

#[test]
fn what_another_host_writes_is_seen_at_the_next_look() {
    let (place, waits) = (Place::new(), "waiting-1");
    let other = place.other();
    let version_of = |log: &RunLog| seen(log).into_iter().find(|(run, _)| run == waits).map(|(_, version)| version);
    let before = version_of(&place.log).unwrap();
    let after = say(&other, waits, approval());
    assert!(after > before);
    assert_eq!((version_of(&place.log), version_of(&other)), (Some(after), Some(after)));
    let read = place.other().read(waits).unwrap().unwrap();
    let looked = place.log.unfinished().unwrap().into_iter().find(|logged| logged.run.id() == waits).unwrap();
    assert_eq!((looked.run, looked.events), (read.run, read.events));

    // One begins, and one ends.
    other.append("fresh-1", 0, &[beginning(&other, waits, "fresh-1")], &[]).unwrap();
    let finished = other.read("healed-1").unwrap().unwrap().events.pop().unwrap();
    assert!(matches!(finished.event, EventKind::Finished { .. }));
    let version = other.append(waits, after, &[finished], &[]).unwrap();
    assert_eq!(version, after + 1);
    let now = seen(&place.log);
    let runs: Vec<&str> = now.iter().map(|(run, _)| run.as_str()).collect();
    assert_eq!(runs, ["rolling-out-1", "rolling-back-1", "fresh-1"]);
    assert_eq!(now, seen(&place.other()), "as for whoever looks for the first time");
}

#[test]
fn of_a_run_that_is_over_no_more_is_held_than_that_and_nothing_once_its_events_are_forgotten() {
    let place = Place::new();
    let under_way = ["rolling-back-1", "rolling-out-1", "waiting-1"].map(str::to_owned).to_vec();
    seen(&place.log);
    assert_eq!(place.held(), (under_way.clone(), 7));
    seen(&place.log.clone());
    place.change("DELETE FROM events WHERE run = 'healed-1'");
    seen(&place.log);
    assert_eq!(place.held(), (under_way.clone(), 6));
    // A name that is used again is of another run.
    place.log.append("healed-1", 0, &[beginning(&place.log, "waiting-1", "healed-1")], &[]).unwrap();
    assert_eq!(seen(&place.log).last(), Some(&("healed-1".to_owned(), 1)));
    assert_eq!(seen(&place.log).len(), 4);
    place.change("DELETE FROM events WHERE run <> 'waiting-1'");
    assert_eq!(seen(&place.log).len(), 1);
    assert_eq!(place.held(), (vec!["waiting-1".to_owned()], 0));
}

#[test]
fn an_error_is_not_held_against_a_run_that_can_be_read_again() {
    let place = Place::new();
    let last = "SELECT max(sequence) FROM events WHERE run = 'waiting-1'";
    place.change(&format!("UPDATE events SET event = '!' || event WHERE sequence = ({last})"));
    assert!(place.log.unfinished().is_err());
    assert!(place.log.unfinished().is_err(), "nor is it forgotten");
    place.change(&format!("UPDATE events SET event = substr(event, 2) WHERE sequence = ({last})"));
    assert_eq!(seen(&place.log).len(), 3);
}

#[test]
fn an_event_that_is_no_json_is_refused_and_nothing_stands_for_it() {
    let place = Place::new();
    // No name in JSON is a list.
    let events = [BTreeMap::from([(vec![0], 1)]), BTreeMap::new()];
    let error = place.log.records("waiting-1", &events).unwrap_err();
    assert!(matches!(&error, AppendError::NoJson { run, .. } if run == "waiting-1"), "{error}");
    assert_eq!(place.log.records("waiting-1", &events[1..]).unwrap(), [json!({})]);
}

#[test]
fn runs_are_read_from_a_moment_on_and_their_beginnings_are_told_without_reading() {
    let place = Place::new();
    let all = place.log.all().unwrap();
    let of = |runs: &[Logged]| runs.iter().map(|logged| logged.run.id().to_owned()).collect::<Vec<_>>();
    let begun: Vec<Timestamp> = all.iter().map(|logged| logged.run.started_at()).collect();
    assert_eq!(place.log.begun().unwrap(), begun);
    let mut lasts: Vec<Timestamp> = all.iter().map(|logged| logged.run.last_event_at()).collect();
    lasts.sort_unstable();
    for moment in [Timestamp(0), lasts[4], Timestamp(lasts[4].0 + 1), Timestamp(lasts[9].0 + 1)] {
        let wanted: Vec<Logged> = all.iter().filter(|logged| logged.run.last_event_at() >= moment).cloned().collect();
        assert_eq!(of(&place.log.since(moment).unwrap()), of(&wanted));
    }
    place.change("UPDATE events SET event = 'no JSON'");
    assert_eq!(place.log.begun().unwrap(), begun, "also of those that cannot be read");
    assert_eq!(place.log.since(Timestamp(lasts[9].0 + 1)).unwrap().len(), 0);
}
