//! A third generator of systems that go wrong: work that comes through queues, done by workers, beside jobs at set times, a database
//! and a virtual machine that says when it cleans up. It shares nothing with the others but chance and the scoring. It was written
//! when the analyzer was done; what its first 400 seeds showed was mended by rules, and no confidence is fitted to it.
//!
//! Its hours have a dip at noon and quiet weekends, or none; how busy it is wanders, and customers hand in much at once. Partners are
//! away for a while again and again, so that known faults come in clumps; somebody turns on debugging for half an hour; versions
//! change what is written.
//!
//! ```text
//! mill ── trouble ──> work ──> logs
//!              └────> truth
//! ```

mod hand;
mod hours;
mod trouble;
mod words;
mod work;

use hand::{Hand, Style};
use hours::{HOUR, Hours};
use trouble::Trouble;
use words::{DOMAINS, Domain};
use work::Work;

use crate::{Scenario, random::Random};

/// How often nothing goes wrong.
const SOUND: f64 = 0.25;
/// A partner is away for so much of the log at the most, and as often at the least, or never.
const MOST_AWAY: f64 = 0.02;
const LEAST_VISITS: usize = 5;

/// Work of one sort that comes through a queue.
struct Task {
    /// Which of its domain's.
    words: usize,
    /// Its share of all.
    share: f64,
    /// Milliseconds that it takes, and their spread.
    takes: f64,
    spread: f64,
    /// How often it fails while its partner is there.
    fails: f64,
    /// Whether to fail is no more than a warning, since it is tried again.
    warns: bool,
    /// When its partner is away, from and to, in seconds of the log.
    away: Vec<(f64, f64)>,
}

/// What runs at set times.
struct Timer {
    words: usize,
    every: f64,
    phase: f64,
    /// Lines of one run besides the one that says it is done.
    rows: usize,
}

/// What is measured at even times.
struct Meter {
    words: usize,
    every: f64,
    limit: f64,
    /// The share of the limit, usually, and how much it varies.
    usual: f64,
    varies: f64,
}

/// A system of workers.
struct Mill {
    domain: &'static Domain,
    start: f64,
    length: f64,
    hours: Hours,
    /// Tasks handed in a second at the busiest, in lots of so many on average.
    rate: f64,
    lot: f64,
    tasks: Vec<Task>,
    timers: Vec<Timer>,
    meters: Vec<Meter>,
    /// How the workers, the scheduler and the database write; a database is not always there.
    hands: [Hand; 3],
    has_database: bool,
    /// Whether the workers run in a virtual machine that tells what it cleans up.
    cleans: bool,
    /// When a version was deployed, and seconds until it was there.
    deploys: Vec<(f64, f64)>,
    /// When debugging was on.
    chatty: Vec<(f64, f64)>,
    /// The task whose beginning is written until, or since, the first deploy.
    wordy: Option<(usize, bool)>,
}

impl Mill {
    fn any(random: &mut Random) -> Self {
        let domain = random.one_of(&DOMAINS);
        let length = random.scale(2.0 * HOUR, 9.0 * 24.0 * HOUR);
        let hours = Hours::any(random, length);
        let start = 1_796_000_000.0 + random.between(0.0, 14.0 * 24.0 * HOUR);
        let mut tasks: Vec<Task> = (0..3 + random.below(4)).map(|index| Task::any(random, index)).collect();
        let sum: f64 = tasks.iter().map(|task| task.share).sum();
        tasks.iter_mut().for_each(|task| task.share /= sum);
        let deploys: Vec<(f64, f64)> =
            (0..random.below(3)).map(|_| (random.between(0.05, 0.95) * length, random.between(4.0, 60.0))).collect();
        let chatty = (0..random.below(3)).map(|_| {
            let from = random.between(0.05, 0.9) * length;
            (from, from + random.between(0.005, 0.03) * length)
        });
        let chatty = chatty.collect();
        let number = random.scale(1500.0, 12_000.0);
        let busy = hours.mean(start, start + length);
        let rate = number / length / busy;
        let mut mill = Self {
            domain,
            start,
            length,
            rate,
            lot: random.scale(1.0, 9.0),
            timers: (0..2 + random.below(3)).map(|index| Timer::any(random, index, length)).collect(),
            meters: (0..1 + random.below(3)).map(|index| Meter::any(random, index, length)).collect(),
            hands: Hand::any(random, domain),
            has_database: random.happens(0.7),
            cleans: random.happens(0.5),
            chatty,
            wordy: (!deploys.is_empty() && random.happens(0.3))
                .then(|| (random.below(tasks.len()), random.happens(0.5))),
            hours,
            tasks,
            deploys,
        };
        for index in 0..mill.tasks.len() {
            if random.happens(0.5) {
                mill.tasks[index].away = mill.absences(random, index);
            }
        }
        mill
    }

    /// When the partner of a task is away: several times, each while about as much of it comes, so that one time more is as usual as
    /// the others.
    fn absences(&self, random: &mut Random, task: usize) -> Vec<(f64, f64)> {
        let visits = 5 + random.below(8);
        let (work, length) = (self.lot.max(2.0) * random.between(3.0, 8.0), self.length);
        let mut away: Vec<(f64, f64)> = Vec::new();
        for visit in 0..visits {
            let at = (visit as f64 + random.between(0.1, 0.9)) / visits as f64 * length;
            let rate = self.rate * self.tasks[task].share * self.hours.mean(self.start + at, self.start + at + HOUR);
            let lasts = work * random.between(0.7, 1.3) / rate;
            if lasts < MOST_AWAY * length {
                away.push((at, at + lasts));
            }
        }
        if away.len() < LEAST_VISITS { Vec::new() } else { away }
    }

    /// Tasks of a sort that are to be expected between two times.
    fn expected(&self, task: usize, from: f64, to: f64) -> f64 {
        let busy = self.hours.mean(self.start + from, self.start + to);
        self.rate * busy * (to - from) * self.tasks[task].share
    }
}

impl Task {
    fn any(random: &mut Random, words: usize) -> Self {
        Self {
            words,
            share: random.scale(0.08, 1.0),
            takes: random.scale(15.0, 4000.0),
            spread: random.between(0.2, 0.9),
            fails: random.scale(0.0005, 0.01),
            warns: random.happens(0.25),
            away: Vec::new(),
        }
    }
}

impl Timer {
    fn any(random: &mut Random, words: usize, length: f64) -> Self {
        // Every minute to every few hours, in round numbers, so that it runs often enough in the log to be known.
        let fits = [60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 4.0 * HOUR, 24.0 * HOUR];
        let known: Vec<f64> = fits.into_iter().filter(|every| (25.0..2500.0).contains(&(length / every))).collect();
        let every = *random.one_of(&known);
        Self { words, every, phase: random.between(0.0, every), rows: random.below(4) }
    }
}

impl Meter {
    fn any(random: &mut Random, words: usize, length: f64) -> Self {
        Self {
            words,
            every: (length / random.scale(120.0, 700.0)).max(10.0),
            limit: *random.one_of(&[64.0, 100.0, 250.0, 512.0, 2000.0, 16_384.0]),
            usual: random.between(0.15, 0.5),
            varies: random.between(0.01, 0.06),
        }
    }
}

/// The scenario of a seed.
pub fn scenario(seed: u64, random: &mut Random) -> Scenario {
    let mut mill = Mill::any(random);
    let trouble = (!random.happens(SOUND)).then(|| Trouble::any(random, &mut mill));
    let truths = trouble.iter().map(|trouble| trouble.truth(&mill)).collect();
    let faults = mill.domain.faults();
    Scenario { seed, sources: Work::new(random, &mill, trouble.as_ref()).logs(), truths, faults }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{trouble::Sort, *};

    #[test]
    fn a_seed_makes_one_log_and_what_is_wrong_is_in_it() {
        let mut names = BTreeSet::new();
        let mut sound = 0;
        for seed in 0..70 {
            let made = scenario(seed, &mut Random::apart(seed));
            let again = scenario(seed, &mut Random::apart(seed));
            assert_eq!((&made.sources, &made.truths), (&again.sources, &again.truths));
            let lines: usize = made.sources.iter().map(|(_, log)| log.lines().count()).sum();
            assert!((1500..90_000).contains(&lines), "{seed}: {lines} lines");
            sound += usize::from(made.truths.is_empty());
            for truth in made.truths {
                let is_there = |mark: &String| made.sources.iter().any(|(_, log)| log.contains(mark.as_str()));
                assert!(truth.marks.iter().all(is_there), "{seed}: {truth:?}");
                names.insert(truth.what);
            }
        }
        assert_eq!(names.len(), Sort::ALL.len(), "{names:?}");
        assert!((6..35).contains(&sound), "{sound}");
    }
}
