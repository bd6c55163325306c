//! What the journal as a ledger writes beside the events, and what it keeps its reserve for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use autodevops_driver::{
    ledger::{JournalLedger, urgent},
    live::{Live, Origin, WasLive},
    log::{Logged, RunLog},
    parts::Ledger as _,
};
use autodevops_journal::{Journal, MAX_RECORD_BYTES, Recorded};
use autodevops_model::{ErrorInfo, ErrorKind, Outcome as CheckOutcome, Release, Split, StageError};
use autodevops_pipeline::{Environment, Event, EventKind, Outcome, Run, Timestamp, VERSION, Verdict};

const PRODUCTION: Environment = Environment::Production;
const STAGING: Environment = Environment::Staging;

struct Place {
    _folder: tempfile::TempDir,
    journal: Journal,
    ledger: JournalLedger,
    run: Run,
    events: Vec<Event>,
    version: u64,
}

impl Place {
    /// A run of the committed journal, in a copy of that.
    fn of(run: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/events-1.db"), &path).unwrap();
        let journal = Journal::open(path).unwrap();
        let Logged { run, events, version } = RunLog::new(journal.clone()).read(run).unwrap().unwrap();
        let ledger = JournalLedger::new(journal.clone());
        Self { _folder: folder, journal, ledger, run, events, version }
    }

    /// Writes what happened a nanosecond after the last event.
    fn write(&mut self, event: EventKind) {
        let event = self.event(event);
        let version = self.ledger.append(&self.run, self.version, std::slice::from_ref(&event)).unwrap();
        assert_eq!(version, self.version + 1);
        self.version = version;
        self.run.apply(&event);
        self.events.push(event);
    }

    fn event(&self, event: EventKind) -> Event {
        Event { v: VERSION, at: Timestamp(self.run.last_event_at().0 + 1), event }
    }

    fn history(&self, environment: Environment) -> Vec<WasLive> {
        let member = self.run.members().next().unwrap();
        Live::new(&self.journal).history(member.place(environment)).unwrap()
    }

    fn candidate(&self) -> Release {
        self.run.members().next().unwrap().release().unwrap().clone()
    }

    fn stable(&self) -> Release {
        self.run.members().next().unwrap().stable(PRODUCTION).unwrap().clone()
    }

    fn reserve(&self) -> u64 {
        let mut path = self.journal.path().as_os_str().to_owned();
        path.push(".reserve");
        std::fs::metadata(path).unwrap().len()
    }
}

fn all_to(environment: Environment, release: &str) -> EventKind {
    let splits = vec![Split { release: release.to_owned(), percent: 100 }];
    EventKind::TrafficSet { service: String::new(), environment, key: "moved".into(), splits }
}

fn back_to(release: &str) -> EventKind {
    let (service, reason) = (String::new(), "because".to_owned());
    EventKind::RolledBack { service, environment: PRODUCTION, to: release.to_owned(), reason }
}

fn judged(outcome: CheckOutcome) -> EventKind {
    let (rule, words) = ("error-rate".to_owned(), "so many".to_owned());
    let (service, numbers) = (String::new(), Vec::new());
    let verdict = Verdict { service, outcome, rule, words, numbers, window: None, method: None, dry_run: false };
    EventKind::Judged { verdict, others: Vec::new() }
}

fn held() -> EventKind {
    EventKind::Held { reason: "because".into() }
}

fn turned_back() -> EventKind {
    EventKind::TurnedBack { outcome: Outcome::RolledBack { reason: "because".into() } }
}

fn failed() -> EventKind {
    let info = ErrorInfo { message: "no answer".into(), details: Vec::new() };
    let error = StageError { kind: ErrorKind::Unavailable, info };
    EventKind::EffectFailed { key: "moved".into(), error, attempt: 1, retry: None }
}

#[test]
fn what_has_all_of_an_environments_traffic_is_live_there_and_what_it_goes_back_to_is_after_it() {
    let mut place = Place::of("rolling-out-1");
    let before = place.history(PRODUCTION);
    let (candidate, stable) = (place.candidate(), place.stable());
    place.write(all_to(PRODUCTION, &candidate.id));
    let now = place.history(PRODUCTION);
    let by = Origin::Run("rolling-out-1".into());
    assert_eq!(now[0], WasLive { release: candidate, since: place.run.last_event_at(), by: by.clone() });
    assert_eq!(now[1..], before);
    place.write(back_to(&stable.id));
    let back = place.history(PRODUCTION);
    assert_eq!(back[0], WasLive { release: stable, since: place.run.last_event_at(), by });
    assert_eq!(back[1..], now);
}

#[test]
fn environments_are_apart_and_a_share_makes_nothing_live_nor_does_a_release_that_is_not_the_runs() {
    let mut place = Place::of("rolling-out-1");
    let before = (place.history(STAGING), place.history(PRODUCTION));
    let (candidate, stable) = (place.candidate().id, place.stable().id);
    let split = |release: &str, percent| Split { release: release.to_owned(), percent };
    let splits = vec![split(&stable, 50), split(&candidate, 50)];
    let (service, key) = (String::new(), "moved".to_owned());
    place.write(EventKind::TrafficSet { service, environment: PRODUCTION, key, splits });
    place.write(all_to(PRODUCTION, "a-strangers"));
    place.write(held());
    assert_eq!((place.history(STAGING), place.history(PRODUCTION)), before);
    place.write(all_to(STAGING, &stable));
    place.write(all_to(STAGING, &candidate));
    assert_eq!(place.history(PRODUCTION), before.1);
    assert_eq!(place.history(STAGING)[0].release.id, candidate);
}

#[test]
fn what_serves_is_brought_up_to_date_with_the_last_that_a_run_did_in_each_environment() {
    let mut place = Place::of("rolling-out-1");
    let (candidate, stable) = (place.candidate().id, place.stable().id);
    let live =
        |place: &Place| [STAGING, PRODUCTION].map(|at| place.history(at).first().map(|was| was.release.id.clone()));
    let was = live(&place);
    // As a host wrote it that ended before it wrote what is live by that.
    let done =
        [all_to(STAGING, &stable), all_to(PRODUCTION, &candidate), back_to(&stable), all_to(STAGING, &candidate)];
    let events: Vec<Event> = done.into_iter().map(|event| place.event(event)).collect();
    RunLog::new(place.journal.clone()).append(place.run.id(), place.version, &events, &[]).unwrap();
    place.events.extend(events);
    assert_eq!(live(&place), was);
    place.ledger.catch_up(&place.run, &place.events).unwrap();
    assert_eq!(live(&place), [Some(candidate), Some(stable)]);
    // What a person put there since is not the run's to tell.
    let by_hand = WasLive {
        release: Release { id: "by-hand".into(), ..place.stable() },
        since: place.events.last().unwrap().at.after(std::time::Duration::from_secs(1)),
        by: Origin::Deploy("ada".into()),
    };
    let environment = place.run.members().next().unwrap().place(PRODUCTION).to_owned();
    Live::new(&place.journal).set(&environment, by_hand).unwrap();
    place.ledger.catch_up(&place.run, &place.events).unwrap();
    assert_eq!(live(&place)[1].as_deref(), Some("by-hand"));
}

#[test]
fn what_has_the_reserve_is_the_way_back_the_verdict_that_calls_for_it_and_what_came_of_a_move() {
    let goes_on = Place::of("rolling-out-1");
    let ends = Place::of("rolling-back-1");
    assert!(goes_on.run.ending().is_none() && ends.run.ending().is_some());
    for (event, urgently) in [
        (turned_back(), true),
        (EventKind::AbortRequested { by: "ada".into(), reason: "enough".into() }, true),
        (EventKind::RollbackRequested { by: "ada".into(), reason: "enough".into() }, true),
        (EventKind::HoldRequested { by: "ada".into(), reason: "enough".into() }, false),
        (judged(CheckOutcome::Failed), true),
        (judged(CheckOutcome::Inconclusive), false),
        (judged(CheckOutcome::Passed), false),
        (held(), false),
        (all_to(PRODUCTION, "new"), true),
        (all_to(STAGING, "new"), false),
    ] {
        let name = event.name();
        let events = [goes_on.event(held()), goes_on.event(event)];
        assert_eq!(urgent(&goes_on.run, &events), urgently, "{name}");
        assert!(urgent(&ends.run, &events), "on its way back everything is: {name}");
    }
    assert!(!urgent(&goes_on.run, &[]));
}

#[test]
fn a_piece_of_the_reserve_is_freed_for_the_target_that_takes_traffic_back_and_for_nothing_else() {
    let mut place = Place::of("rolling-out-1");
    place.ledger.keep_reserve().unwrap();
    let whole = place.reserve();
    assert!(whole > 0);
    place.write(held());
    place.write(failed());
    place.write(judged(CheckOutcome::Failed));
    assert_eq!(place.reserve(), whole);
    place.write(turned_back());
    let left = place.reserve();
    assert!(left < whole && left > whole / 2, "{left} of {whole}");
    place.write(held());
    assert_eq!(place.reserve(), left);
    place.write(failed());
    assert!(place.reserve() < left, "the way back failed and is tried again");
}

#[test]
fn each_fence_is_above_every_one_before() {
    let place = Place::of("rolling-out-1");
    let fences = [(); 3].map(|()| place.ledger.next_fence().unwrap());
    assert!(fences[0] > place.run.fence() && fences.is_sorted() && fences[0] < fences[1] && fences[1] < fences[2]);
}

#[test]
fn whoever_writes_at_a_version_that_was_passed_writes_nothing() {
    let mut place = Place::of("rolling-out-1");
    let candidate = place.candidate().id;
    let late = [place.event(all_to(PRODUCTION, &candidate))];
    place.write(held());
    let before = place.history(PRODUCTION);
    place.ledger.append(&place.run, place.version - 1, &late).unwrap_err();
    assert_eq!(place.history(PRODUCTION), before, "nor what it would have made live");
}

#[test]
fn an_event_that_is_too_large_for_a_record_lies_beside_it_and_is_read_as_any_other() {
    let mut place = Place::of("rolling-out-1");
    place.write(held());
    place.write(EventKind::Held { reason: "x".repeat(MAX_RECORD_BYTES) });
    place.write(held());
    let records = place.journal.events("rolling-out-1").unwrap();
    let beside = |record: &Recorded| record.event.get("evidence").is_some();
    let new = &records[records.len() - 3..];
    assert_eq!(new.iter().map(beside).collect::<Vec<_>>(), [false, true, false]);
    let read = RunLog::new(place.journal.clone()).read("rolling-out-1").unwrap().unwrap();
    assert_eq!((read.events, read.version), (place.events.clone(), place.version));
    assert_eq!(read.run, place.run);
}

#[test]
fn each_record_has_the_time_of_its_decision() {
    let mut place = Place::of("rolling-out-1");
    place.write(held());
    let records = place.journal.events("rolling-out-1").unwrap();
    assert_eq!(records.last().map(|record| record.at_ns), u64::try_from(place.run.last_event_at().0).ok());
}
