//! Worlds in which everything fails: in none of them a rule is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use autodevops_driver::driver::End;
use autodevops_pipeline::Outcome;
use autodevops_simulation::{Options, Summary, Tape, check, simulate};

/// Worlds that are tried where nothing else is said; the benchmark tries more.
const SEEDS: u64 = 2000;

/// What is rare in a run, and must be in some.
const RARE: [&str; 5] = ["signalled", "count-reached", "stable-broken", "approval-expired", "diverged"];

/// What few worlds have, and some must.
const TROUBLE: [&str; 10] = [
    "a host left",
    "a release ended by itself",
    "a release was stopped",
    "a run waited for another",
    "a target deceived",
    "a target did nothing",
    "a target told of other shares",
    "a target was set right by hand",
    "an answer came twice",
    "two runs rolled out at the same time",
];

/// `SIMULATION_SEEDS`: so many instead, or from one to before another, as `20000..30000`.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SIMULATION_SEEDS") else { return 0..SEEDS };
    let number = |text: &str| text.parse().expect("SIMULATION_SEEDS is a number of worlds, or a range of seeds");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&text),
    }
}

/// The summaries of the worlds that break no rule. `SIMULATION_STORY=no`: of one that does its rule is enough, the others are tried as well,
/// and no shorter story is looked for.
fn summaries(seeds: Range<u64>) -> Vec<Summary> {
    if std::env::var("SIMULATION_STORY").is_ok_and(|story| story == "no") {
        let ended = |seed| {
            let ended = simulate(Tape::of(seed), Options { told: false, fenced: true, run: 1 });
            ended.map_err(|broken| eprintln!("seed {seed} breaks a rule: {}", broken.rule))
        };
        let ended: Vec<Result<Summary, ()>> = seeds.map(ended).collect();
        let broken = ended.iter().filter(|ended| ended.is_err()).count();
        assert_eq!(broken, 0, "worlds break a rule, of {}", ended.len());
        return ended.into_iter().flatten().collect();
    }
    seeds.map(|seed| check(seed).unwrap_or_else(|broken| panic!("{broken}"))).collect()
}

#[test]
fn in_no_world_a_rule_is_broken() {
    let (mut outcomes, mut happened, mut hosts, range) = (BTreeMap::new(), BTreeMap::new(), 0, seeds());
    let seeds = range.end - range.start;
    for summary in summaries(range) {
        hosts += summary.hosts;
        for (end, events) in std::iter::once((summary.end, summary.events)).chain(summary.beside) {
            let name = match &end {
                End::Waiting { .. } => "waiting",
                End::Queued(_) => "queued",
                End::Finished(Outcome::Healed) => "healed",
                End::Finished(Outcome::RolledBack { .. }) => "rolled back",
                End::Finished(Outcome::Aborted { .. }) => "aborted",
                End::Finished(Outcome::HandedOver { .. }) => "handed over",
            };
            let kinds = events.iter().map(|event| event.event.name()).filter(|kind| RARE.contains(kind));
            for what in kinds.collect::<BTreeSet<_>>() {
                *happened.entry(what).or_insert(0_u64) += 1;
            }
            *outcomes.entry(name).or_insert(0_u64) += 1;
        }
        for what in summary.happened {
            *happened.entry(what).or_insert(0_u64) += 1;
        }
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
