//! Worlds in which everything fails: in none of them a rule is broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use autodevops_pipeline::Outcome;
use autodevops_simulation::check;

/// Worlds that are tried; the benchmark tries more.
const SEEDS: u64 = 2000;

#[test]
fn in_no_world_a_rule_is_broken() {
    let (mut outcomes, mut hosts) = (BTreeMap::new(), 0);
    for seed in 0..SEEDS {
        let summary = check(seed).unwrap_or_else(|broken| panic!("{broken}"));
        hosts += summary.hosts;
        let name = match summary.outcome {
            Outcome::Healed => "healed",
            Outcome::RolledBack { .. } => "rolled back",
            Outcome::Aborted { .. } => "aborted",
            Outcome::HandedOver { .. } => "handed over",
        };
        *outcomes.entry(name).or_insert(0_u64) += 1;
    }
    eprintln!("{outcomes:?} over {hosts} hosts");
    // Where no run came far, nothing was tried.
    assert!(["healed", "rolled back", "aborted", "handed over"].iter().all(|name| outcomes[name] > SEEDS / 50));
    assert!(hosts > SEEDS * 2, "hosts die: {hosts}");
}
