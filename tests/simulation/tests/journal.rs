//! Runs of simulated worlds in a journal as the product writes it: whatever their events are, they come back as they were.
//!
//! With `WRITE_JOURNAL=FILE` the journal is kept in that file, which must not be there yet: so the one of each version of events is made
//! that is committed for the builds to come (`host/driver/tests/journals`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use autodevops_driver::{ledger::JournalLedger, log::RunLog, parts::Ledger};
use autodevops_journal::Journal;
use autodevops_pipeline::{Environment, Event, EventKind, Gate, Outcome, Run};
use autodevops_simulation::{Options, Tape, simulate};

/// Worlds that runs are taken from; more, where a journal is kept, which is to be a short one.
const SEEDS: u64 = 200;
const SEEDS_OF_KEPT: u64 = 1500;

fn seeds() -> u64 {
    if std::env::var_os(KEPT).is_some() { SEEDS_OF_KEPT } else { SEEDS }
}

/// The variable that names the file in which the journal is kept.
const KEPT: &str = "WRITE_JOURNAL";

/// The whole run of a world.
fn run_of(seed: u64, number: u64) -> Vec<Event> {
    let options = Options { told: false, fenced: true, run: number };
    simulate(Tape::of(seed), options).unwrap_or_else(|broken| panic!("{}", broken.rule)).events
}

fn kinds(events: &[Event]) -> BTreeSet<&'static str> {
    events.iter().map(|event| event.event.name()).collect()
}

/// Seeds whose runs have every kind of event between them that any has, few and short: each next one has the most kinds that are missing,
/// for its length.
fn chosen() -> Vec<u64> {
    let all: BTreeMap<u64, (BTreeSet<&str>, usize)> = (0..seeds())
        .filter_map(|seed| {
            let events = run_of(seed, seed);
            let length = events.iter().map(|event| serde_json::to_string(event).unwrap().len()).sum();
            // One that waits for people is not over.
            let over = matches!(events.last().unwrap().event, EventKind::Finished { .. });
            over.then(|| (seed, (kinds(&events), length)))
        })
        .collect();
    let mut missing: BTreeSet<&str> = all.values().flat_map(|(kinds, _)| kinds.iter().copied()).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let worth = |(kinds, length): &(BTreeSet<&str>, usize)| (kinds.intersection(&missing).count() << 32) / length;
        let (seed, (kinds, _)) = all.iter().max_by_key(|(_, run)| worth(run)).unwrap();
        missing.retain(|kind| !kinds.contains(kind));
        chosen.push(*seed);
    }
    chosen
}

/// The first run that comes to such an event, up to it: a run that is not over.
fn until(number: u64, wanted: impl Fn(&EventKind) -> bool) -> Vec<Event> {
    (0..SEEDS_OF_KEPT)
        .find_map(|seed| {
            let mut events = run_of(seed, number);
            let at = events.iter().position(|event| wanted(&event.event))?;
            events.truncate(at + 1);
            Some(events)
        })
        .expect("some run comes to it")
}

fn shared(event: &EventKind) -> bool {
    matches!(event, EventKind::TrafficSet { environment: Environment::Production, splits, .. } if splits.len() > 1)
}

/// Writes a run as its hosts would: the events of a moment together, with what they make live.
fn write(ledger: &JournalLedger, events: &[Event]) {
    let mut run = Run::start(&events[0]).unwrap();
    let mut version = ledger.append(&run, 0, &events[..1]).unwrap();
    for decided in events[1..].chunk_by(|one, next| one.at == next.at) {
        version = ledger.append(&run, version, decided).unwrap();
        decided.iter().for_each(|event| run.apply(event));
    }
}

#[test]
fn every_kind_of_event_of_a_simulated_run_comes_back_from_the_journal() {
    let mut runs: Vec<Vec<Event>> = chosen().into_iter().map(|seed| run_of(seed, seed)).collect();
    let over = runs.len();
    runs.extend([
        until(5001, |event| matches!(event, EventKind::ApprovalAsked { gate: Gate::Production, .. })),
        until(5002, shared),
        until(5003, |event| matches!(event, EventKind::TurnedBack { outcome: Outcome::RolledBack { .. } })),
        until(5004, |event| matches!(event, EventKind::ApprovalAsked { gate: Gate::Data, .. })),
        until(5005, |event| matches!(event, EventKind::CountReached { .. })),
        until(5006, |event| matches!(event, EventKind::StableBroken { .. })),
        until(5007, |event| matches!(event, EventKind::RollForwardRequested { .. })),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os(KEPT).map_or_else(|| folder.path().join("journal.db"), PathBuf::from);
    assert!(!path.exists(), "{} is there already; a committed journal is never changed", path.display());
    let journal = Journal::open(&path).unwrap();
    let ledger = JournalLedger::new(journal.clone());
    let fences = runs.iter().map(|events| Run::replay(events).unwrap().fence()).max().unwrap();
    for _ in 0..fences {
        ledger.next_fence().unwrap();
    }
    runs.iter().for_each(|events| write(&ledger, events));
    let log = RunLog::new(journal);
    let all = log.all().unwrap();
    assert_eq!(all.len(), runs.len());
    for (logged, events) in all.iter().zip(&runs) {
        assert_eq!(&logged.events, events, "{}", logged.run.id());
        assert_eq!(logged.run, Run::replay(events).unwrap());
    }
    let unfinished: Vec<String> = log.unfinished().unwrap().iter().map(|logged| logged.run.id().to_owned()).collect();
    assert_eq!(unfinished, ["r5001", "r5002", "r5003", "r5004", "r5005", "r5006", "r5007"]);
    assert!(all[..over].iter().all(|logged| logged.run.outcome().is_some()));
    let seen: BTreeSet<&str> = runs.iter().flat_map(|events| kinds(events)).collect();
    eprintln!(
        "{} runs, {} events, {} kinds: {seen:?}",
        runs.len(),
        runs.iter().map(Vec::len).sum::<usize>(),
        seen.len()
    );
    assert!(seen.len() >= 50, "{seen:?}");
}
