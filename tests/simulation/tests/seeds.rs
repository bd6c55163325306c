//! Worlds in which everything fails: in none of them a rule is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use autodevops_driver::driver::End;
use autodevops_pipeline::Outcome;
use autodevops_simulation::{Options, Summary, Tape, check, simulate};

/// Worlds that are tried where nothing else is said; the benchmark tries more.
const SEEDS: u64 = 2000;

/// What is rare in a run, and must be in some.
const RARE: [&str; 5] = ["signalled", "count-reached", "stable-broken", "approval-expired", "diverged"];

/// What few worlds have, and some must.
const TROUBLE: [&str; 8] = [
    "a host left",
    "a release ended by itself",
    "a release was stopped",
    "a target deceived",
    "a target did nothing",
    "a target told of other shares",
    "a target was set right by hand",
    "an answer came twice",
];

/// `SIMULATION_SEEDS`: so many instead.
fn seeds() -> u64 {
    std::env::var("SIMULATION_SEEDS")
        .map_or(SEEDS, |text| text.parse().expect("SIMULATION_SEEDS is a number of worlds"))
}

/// A world's summary, or what broke in it. `SIMULATION_STORY=no`: its rule is enough, and no shorter story is looked for.
fn summary(seed: u64) -> Summary {
    if std::env::var("SIMULATION_STORY").is_ok_and(|story| story == "no") {
        let ended = simulate(Tape::of(seed), Options { told: false, fenced: true, run: 1 });
        return ended.unwrap_or_else(|broken| panic!("seed {seed} breaks a rule: {}", broken.rule));
    }
    check(seed).unwrap_or_else(|broken| panic!("{broken}"))
}

#[test]
fn in_no_world_a_rule_is_broken() {
    let (mut outcomes, mut happened, mut hosts, seeds) = (BTreeMap::new(), BTreeMap::new(), 0, seeds());
    for seed in 0..seeds {
        let summary = summary(seed);
        hosts += summary.hosts;
        let name = match &summary.end {
            End::Waiting { .. } => "waiting",
            End::Queued(of) => panic!("seed {seed} waits for {of} for ever"),
            End::Finished(Outcome::Healed) => "healed",
            End::Finished(Outcome::RolledBack { .. }) => "rolled back",
            End::Finished(Outcome::Aborted { .. }) => "aborted",
            End::Finished(Outcome::HandedOver { .. }) => "handed over",
        };
        let kinds = summary.events.iter().map(|event| event.event.name()).filter(|kind| RARE.contains(kind));
        for what in kinds.collect::<BTreeSet<_>>().into_iter().chain(summary.happened) {
            *happened.entry(what).or_insert(0_u64) += 1;
        }
        *outcomes.entry(name).or_insert(0_u64) += 1;
    }
    eprintln!("{outcomes:?} over {hosts} hosts, {happened:?}");
    // Where no run came far, nothing was tried.
    assert!(
        ["healed", "rolled back", "aborted", "handed over"]
            .iter()
            .all(|name| outcomes.get(name).is_some_and(|count| *count > seeds / 50))
    );
    assert!(hosts > seeds * 2, "hosts die: {hosts}");
    if seeds >= SEEDS {
        assert!(outcomes.contains_key("waiting"), "nobody answered, ever: {outcomes:?}");
        let missing: Vec<&str> = RARE.into_iter().chain(TROUBLE).filter(|what| !happened.contains_key(what)).collect();
        assert_eq!(missing, [""; 0], "what is to be tried was not");
    }
}
