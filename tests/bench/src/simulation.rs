//! Whole runs in simulated worlds, many of them: in how many a rule is broken, and how fast they go.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread::{available_parallelism, scope},
    time::Instant,
};

use anyhow::Result;
use autodevops_simulation::check;

use crate::report::{Report, Target};

/// Worlds, by their seeds from 0 on.
const SEEDS: u64 = 100_000;

/// Simulates them all; tells the shortest story of the first that breaks a rule, and of the others which they are.
pub fn measure(report: &mut Report) -> Result<()> {
    if !report.wants("simulation") {
        return Ok(());
    }
    let (next, broken, hosts, events) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return;
            }
            match check(seed) {
                Ok(summary) => {
                    hosts.fetch_add(summary.hosts, Ordering::Relaxed);
                    events.fetch_add(summary.events.len() as u64, Ordering::Relaxed);
                }
                Err(story) => {
                    if broken.fetch_add(1, Ordering::Relaxed) == 0 {
                        eprintln!("{story}");
                    } else {
                        eprintln!("seed {} breaks a rule: {}", story.seed, story.rule);
                    }
                }
            }
        }
    };
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let of = |count: AtomicU64| count.into_inner() as f64 / SEEDS as f64;
    report.add(
        "simulation: worlds that break a rule, of 100,000",
        broken.into_inner() as f64,
        "worlds",
        Some(Target::AtMost(0.0)),
    );
    report.add("simulation: hosts that a run takes", of(hosts), "hosts", None);
    report.add("simulation: events of a run", of(events), "events", None);
    report.add("simulation: worlds in a second", SEEDS as f64 / seconds, "1/s", None);
    Ok(())
}
