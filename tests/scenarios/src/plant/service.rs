//! A service of the second generator: what it answers, whom it asks, what it does by itself, and how it is run.

use super::{
    forms::Hand,
    traffic::{DAY, HOUR, Season, Visits},
    words::{self, CLINIC, RAIL, Words},
};
use crate::random::Random;

/// Seconds that people set for work that repeats.
const INTERVALS: [f64; 12] = [5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, HOUR, 2.0 * HOUR];
/// Lines of a log: those that requests make are so many.
const LINES: (f64, f64) = (5000.0, 40_000.0);
/// Its length in seconds.
const LENGTH: (f64, f64) = (2.0 * HOUR, 11.0 * DAY);

/// What a request is for.
#[derive(Clone, Debug)]
pub struct Route {
    pub words: &'static words::Route,
    /// Of all requests.
    pub share: f64,
    pub peer: Option<usize>,
    /// Milliseconds that its own work takes, and the spread of their logarithm.
    pub own: (f64, f64),
    pub tells_start: bool,
    pub details: [Detail; 2],
}

/// A line that is told on the way.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Of the requests.
    pub share: f64,
    /// Since when, until when it is told, and since when in other words, all in seconds of the log.
    pub since: f64,
    pub until: f64,
    pub renamed: f64,
}

/// Another service that is asked.
#[derive(Clone, Debug)]
pub struct Peer {
    pub words: &'static words::Peer,
    /// Milliseconds of an answer, and the spread of their logarithm.
    pub answer: (f64, f64),
    /// Milliseconds that an answer is waited for.
    pub limit: f64,
    /// The share of answers that are of no use.
    pub refuses: f64,
}

/// A line that comes at even times.
#[derive(Clone, Debug)]
pub struct Worker {
    pub text: &'static str,
    pub interval: f64,
    pub phase: f64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    Pool,
    Disk,
    Heap,
    Queue,
}

/// A line that tells a value.
#[derive(Clone, Debug)]
pub struct Gauge {
    pub measured: Measured,
    pub text: &'static str,
    pub interval: f64,
    pub phase: f64,
    /// Its usual value as a share of the limit.
    pub usual: f64,
    pub limit: f64,
    /// Seconds after which it is back where it was: between cleanups, between collections.
    pub turn: f64,
    /// Whether the disk tells gigabytes, and not a share.
    pub tells_sizes: bool,
}

/// Work at set times.
#[derive(Clone, Debug)]
pub struct Batch {
    pub words: &'static words::Batch,
    pub every: f64,
    /// Seconds after the hour or the day.
    pub at: f64,
    pub rows: usize,
    pub gap: f64,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    pub words: &'static Words,
    pub hand: Hand,
    pub has_access_log: bool,
    /// When its log begins, in seconds since 1970, and its length in seconds.
    pub start: f64,
    pub length: f64,
    pub season: Season,
    pub visits: Visits,
    /// Visits a second in the busiest hour.
    pub rate: f64,
    pub routes: Vec<Route>,
    pub peers: Vec<Peer>,
    pub workers: Vec<Worker>,
    pub gauges: Vec<Gauge>,
    /// Jobs a second in the busiest hour, and how long one waits, in milliseconds: where there is a queue.
    pub jobs: Option<(f64, f64)>,
    pub batches: Vec<Batch>,
    /// Faults that it lives with, and how many clusters of them there are over the log.
    pub quirks: Vec<(&'static str, f64)>,
    /// Faults that come once, in seconds of the log.
    pub strays: Vec<(&'static str, f64)>,
    /// When it was deployed, and how long it was away then; a deploy that goes wrong is the last of these.
    pub deploys: Vec<(f64, f64)>,
    /// Times of which all lines are lost.
    pub lost: Vec<(f64, f64)>,
}

impl Service {
    pub fn any(random: &mut Random) -> Self {
        let words = if random.happens(0.5) { &RAIL } else { &CLINIC };
        let length = random.scale(LENGTH.0, LENGTH.1);
        let start = 1_790_000_000.0 + random.between(0.0, 30.0 * DAY);
        let deploys: Vec<(f64, f64)> =
            (0..random.below(4)).map(|_| (random.between(0.05, 0.95) * length, random.between(2.0, 25.0))).collect();
        let (season, visits) = (Season::any(random), Visits::any(random));
        let peers = peers(random, words);
        let routes = routes(random, words, length, &deploys);
        let has_access_log = random.happens(0.4);
        let each = 2.2 + f64::from(u8::from(has_access_log));
        let requests = random.scale(LINES.0, LINES.1) / each;
        let rate = requests / visits.mean() / length / season.mean(start, start + length);
        let mut service = Self {
            words,
            hand: Hand::any(random, words.service),
            has_access_log,
            start,
            length,
            season,
            visits,
            rate,
            routes,
            peers,
            workers: Vec::new(),
            gauges: Vec::new(),
            jobs: None,
            batches: Vec::new(),
            quirks: Vec::new(),
            strays: Vec::new(),
            deploys,
            lost: Vec::new(),
        };
        service.add_own_work(random);
        service.add_faults(random);
        service
    }

    fn add_own_work(&mut self, random: &mut Random) {
        let length = self.length;
        let first = random.below(4);
        for index in 0..1 + random.below(3) {
            let interval = interval(random, length);
            let text = self.words.workers[(first + index) % 4];
            self.workers.push(Worker { text, interval, phase: random.share() * interval });
        }
        use Measured::{Disk, Heap, Pool, Queue};
        for measured in [Pool, Disk, Heap, Queue] {
            if random.happens(0.4) {
                self.measure(random, measured);
            }
        }
        for batch in &self.words.batches {
            let fit: Vec<f64> =
                [HOUR / 4.0, HOUR, 6.0 * HOUR, DAY].into_iter().filter(|every| every * 5.0 <= length).collect();
            if let Some(every) = fit.last().filter(|_| random.happens(0.5)) {
                let every = if random.happens(0.5) { *every } else { *random.one_of(&fit) };
                let rows = (random.scale(300.0, 3000.0) / (length / every)).clamp(2.0, 120.0) as usize;
                let gap = random.scale(0.05, (every * 0.1 / rows as f64).max(0.06));
                self.batches.push(Batch { words: batch, every, at: random.between(0.0, every), rows, gap });
            }
        }
    }

    fn add_faults(&mut self, random: &mut Random) {
        let length = self.length;
        let first = random.below(5);
        for index in 0..random.below(4) {
            self.quirks.push((self.words.quirks[(first + index) % 5], random.scale(6.0, 80.0)));
        }
        if random.happens(0.15) {
            self.strays.push((*random.one_of(&self.words.strays), random.share() * length));
        }
        for _ in 0..random.below(4) {
            let from = random.share() * length;
            self.lost.push((from, from + random.between(60.0, 480.0_f64.min(0.015 * length).max(90.0))));
        }
    }

    /// Has the service measure this, where it does not yet.
    pub fn measure(&mut self, random: &mut Random, measured: Measured) {
        if self.gauges.iter().any(|gauge| gauge.measured == measured) {
            return;
        }
        let (words, length) = (self.words, self.length);
        let interval = interval(random, length);
        let turns = interval * random.scale(8.0, 60.0);
        let (text, usual, limit, turn) = match measured {
            Measured::Pool => (words.pool, (0.1, 0.4), *random.one_of(&[20.0, 50.0, 100.0]), turns),
            Measured::Disk => (words.disk, (0.3, 0.65), *random.one_of(&[100.0, 500.0]), DAY),
            Measured::Heap => (words.heap, (0.2, 0.5), *random.one_of(&[1024.0, 4096.0]), turns),
            Measured::Queue => (words.queue, (0.005, 0.03), *random.one_of(&[2000.0, 10_000.0]), turns),
        };
        if measured == Measured::Queue {
            let jobs = random.scale(400.0, 4000.0) / length / self.usual();
            self.jobs = Some((jobs, random.scale(20.0, 2000.0)));
        }
        self.gauges.push(Gauge {
            measured,
            text,
            interval,
            phase: random.share() * interval,
            usual: random.between(usual.0, usual.1),
            limit,
            turn: turn.min(length / 6.0),
            tells_sizes: random.happens(0.5),
        });
    }

    /// How busy it is on average, of the most.
    pub fn usual(&self) -> f64 {
        self.season.mean(self.start, self.start + self.length)
    }

    /// About how many requests there are between two seconds of the log.
    pub fn requests(&self, from: f64, to: f64) -> f64 {
        self.rate * self.visits.mean() * self.season.mean(self.start + from, self.start + to) * (to - from)
    }

    /// How busy it is so many seconds from its beginning, of the most.
    pub fn busy(&self, at: f64) -> f64 {
        self.season.at(self.start + at)
    }
}

/// An interval at which there are enough lines to know it, and not too many.
fn interval(random: &mut Random, length: f64) -> f64 {
    let fit: Vec<f64> =
        INTERVALS.into_iter().filter(|interval| (80.0..=2500.0).contains(&(length / interval))).collect();
    *random.one_of(&fit)
}

fn peers(random: &mut Random, words: &'static Words) -> Vec<Peer> {
    let peer = |words: &'static words::Peer| {
        let (median, spread) = (random.scale(3.0, 300.0), random.between(0.25, 0.7));
        Peer {
            words,
            answer: (median, spread),
            limit: (median * random.scale(8.0, 40.0)).round(),
            refuses: if random.happens(0.6) { random.scale(0.002, 0.02) } else { 0.0 },
        }
    };
    words.peers.iter().map(peer).collect()
}

fn routes(random: &mut Random, words: &'static Words, length: f64, deploys: &[(f64, f64)]) -> Vec<Route> {
    let number = 3 + random.below(4);
    let first = random.below(6);
    let mut routes: Vec<Route> = (0..number)
        .map(|index| Route {
            words: &words.routes[(first + index) % 6],
            share: random.scale(0.1, 1.0),
            // Each of the first two has one, so that one is often asked.
            peer: (index < 2 || random.happens(0.6)).then_some(index % 3),
            own: (random.scale(2.0, 120.0), random.between(0.2, 0.8)),
            tells_start: random.happens(0.4),
            details: [detail(random, length, deploys), detail(random, length, deploys)],
        })
        .collect();
    let all: f64 = routes.iter().map(|route| route.share).sum();
    routes.iter_mut().for_each(|route| route.share /= all);
    routes
}

/// A line that some deploys bring, others take away, and others put in other words.
fn detail(random: &mut Random, length: f64, deploys: &[(f64, f64)]) -> Detail {
    let share = if random.happens(0.6) { random.between(0.2, 1.0) } else { 0.0 };
    let mut detail = Detail { share, since: 0.0, until: length, renamed: length };
    if let Some((deploy, _)) = deploys.first() {
        match random.below(10) {
            0 => detail.since = *deploy,
            1 => detail.until = *deploy,
            2 | 3 => detail.renamed = *deploy,
            _ => {}
        }
    }
    detail
}
