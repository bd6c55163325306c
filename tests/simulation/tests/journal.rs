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
use autodevops_model::{Observation, Rate};
use autodevops_pipeline::{Counted, Environment, Event, EventKind, Gate, Input, Outcome, Run, Signal, Timestamp};
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
        .map(|seed| {
            let events = run_of(seed, seed);
            let length = events.iter().map(|event| serde_json::to_string(event).unwrap().len()).sum();
            (seed, (kinds(&events), length))
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
    (0..seeds())
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

/// Has people complain of what serves, one after the other: nobody does so in the simulated world.
fn complain(events: &mut Vec<Event>) {
    for person in ["eve", "mallory", "trent"] {
        let mut run = Run::replay(events).unwrap();
        let at = Timestamp(run.last_event_at().0 + 1);
        let (id, by, text) = (person.to_owned(), Some(person.to_owned()), "the cart is empty".to_owned());
        let signal = Signal { counted: Counted::Complaints, id, by, service: None, release: None, at, text };
        let follows = run.decide(Input::Signal(signal), at).unwrap();
        follows.iter().for_each(|event| run.apply(event));
        events.extend(follows);
    }
}

/// A run of which people complain until it turns back.
fn complained_of(number: u64) -> Vec<Event> {
    let mut events =
        until(number, |event| matches!(event, EventKind::StepEntered { environment: Environment::Production, .. }));
    complain(&mut events);
    events
}

/// A run of which people complain while the release that it would turn back to fails beside it: it stays, and they are asked.
fn broken_with_stable(number: u64) -> Vec<Event> {
    let beside = |event: &EventKind| match event {
        EventKind::Measured { samples, .. } => samples.iter().any(|sample| {
            let releases: BTreeSet<&str> = sample.measurements.iter().map(|seen| seen.release.as_str()).collect();
            sample.observed_by_host && releases.len() > 1
        }),
        _ => false,
    };
    let mut events = until(number, beside);
    let Some(Event { at, event: EventKind::Measured { mut samples, error }, .. }) = events.pop() else {
        panic!("it ends with what was looked for")
    };
    for seen in samples.iter_mut().flat_map(|sample| &mut sample.measurements) {
        if let Observation::Rate(rate) = &mut seen.observation {
            *rate = Rate { events: 1000, total: 1000 };
        }
    }
    let run = Run::replay(&events).unwrap();
    events.extend(run.decide(Input::Measured { samples, error }, at).unwrap());
    complain(&mut events);
    assert!(events.iter().any(|event| matches!(event.event, EventKind::StableBroken { .. })), "{:?}", kinds(&events));
    events
}

/// A run whose candidate a person gives all of production's traffic at once.
fn given_everything(number: u64) -> Vec<Event> {
    let mut events = until(number, shared);
    let run = Run::replay(&events).unwrap();
    let by = run.plan().approval.approvers.first().map_or("ada", String::as_str).to_owned();
    let word = Input::RollForward { by, reason: "what serves is worse".to_owned() };
    events.extend(run.decide(word, run.last_event_at()).unwrap());
    events
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
        complained_of(5005),
        broken_with_stable(5006),
        given_everything(5007),
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
