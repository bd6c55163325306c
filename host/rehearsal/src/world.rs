//! Simulated traffic, and what is seen of it.

use std::collections::BTreeMap;

use autodevops_model::{Bucket, Measurement, Observation, Rate, Window};
use autodevops_pipeline::{Plan, Rule, Sample};
use autodevops_statistics::upper_tail;
use rand::{SeedableRng, rngs::StdRng};
use rand_distr::{Binomial, Distribution as _, Poisson};

/// Upper bounds of the buckets that latencies are counted by, in seconds; the last has none.
const BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// Half of all simulated requests take at most so long, in seconds.
const MEDIAN: f64 = 0.08;

/// How the logarithms of latencies are spread: the slowest of a hundred take four times as long as the median.
const SPREAD: f64 = 0.6;

/// How a release behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// The true share of events of each rate, by its metric; 0 for what is not named.
    pub rates: BTreeMap<String, f64>,
    /// How many times as long as usual its requests take.
    pub slowness: f64,
}

impl Behaviour {
    /// A good release by a plan: of each rate at 0.4 of its threshold, and as quick as usual.
    pub fn good(plan: &Plan) -> Self {
        let mut rates = BTreeMap::new();
        for trigger in &plan.triggers {
            let share = match trigger.rule {
                Rule::RateAbove(limit) => 0.4 * limit,
                Rule::RateBelow(limit) => 1.0 - 0.4 * (1.0 - limit),
                _ => continue,
            };
            rates.insert(trigger.metric.clone(), share);
        }
        Self { rates, slowness: 1.0 }
    }

    /// The same with another share of one rate.
    #[must_use]
    pub fn with(mut self, metric: &str, share: f64) -> Self {
        self.rates.insert(metric.to_owned(), share);
        self
    }

    /// The chance that a request takes longer than so many seconds.
    fn longer(&self, seconds: f64) -> f64 {
        upper_tail((seconds / (MEDIAN * self.slowness)).ln() / SPREAD)
    }
}

/// What comes in, and how the releases behave.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Requests a second to all releases together.
    pub per_second: f64,
    /// The release that is rolled out.
    pub candidate: Behaviour,
    /// The one that serves.
    pub stable: Behaviour,
}

/// What was seen of a release since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Requests.
    pub requests: u64,
    /// Events by metric.
    pub events: BTreeMap<String, u64>,
    /// Requests by latency; not cumulative, the last count without a bound.
    pub latency: [u64; BOUNDS.len() + 1],
}

/// The world around a rollout, up to some moment.
pub struct World<'a> {
    traffic: &'a Traffic,
    metrics: Vec<(String, bool)>,
    random: StdRng,
    now: i64,
    candidate: Observed,
    stable: Observed,
    /// What was seen up to each moment that was looked at.
    past: Vec<(i64, Observed, Observed)>,
}

impl<'a> World<'a> {
    /// A world in which nothing came in yet.
    pub fn new(plan: &Plan, traffic: &'a Traffic, seed: u64) -> Self {
        let mut metrics: Vec<(String, bool)> = Vec::new();
        for trigger in &plan.triggers {
            let is_rate = match trigger.rule {
                Rule::RateAbove(_) | Rule::RateBelow(_) => true,
                Rule::QuantileAbove { .. } => false,
                Rule::WorseBy { .. } => trigger.metric != "latency",
            };
            if metrics.iter().all(|(metric, _)| *metric != trigger.metric) {
                metrics.push((trigger.metric.clone(), is_rate));
            }
        }
        let random = StdRng::seed_from_u64(seed);
        let (candidate, stable) = (Observed::default(), Observed::default());
        let past = vec![(0, candidate.clone(), stable.clone())];
        Self { traffic, metrics, random, now: 0, candidate, stable, past }
    }

    /// What was seen of the candidate so far.
    pub const fn candidate(&self) -> &Observed {
        &self.candidate
    }

    /// Lets time pass up to `now`, in nanoseconds, with so much of the traffic for the candidate.
    pub fn pass(&mut self, now: i64, percent: u8) {
        if now <= self.now {
            return;
        }
        let seconds = (now - self.now) as f64 / 1e9;
        let share = f64::from(percent.min(100)) / 100.0;
        let all = self.traffic.per_second * seconds;
        let traffic = self.traffic;
        serve(&mut self.random, &self.metrics, &traffic.candidate, all * share, &mut self.candidate);
        serve(&mut self.random, &self.metrics, &traffic.stable, all * (1.0 - share), &mut self.stable);
        self.now = now;
        self.past.push((now, self.candidate.clone(), self.stable.clone()));
    }

    /// What the front door tells of a window: of both releases, where both are asked for.
    pub fn sample(&self, window: &Window, candidate: &str, baseline: Option<&str>) -> Sample {
        let at = |moment: i64| {
            let index = self.past.partition_point(|(time, ..)| *time < moment).min(self.past.len().saturating_sub(1));
            self.past.get(index)
        };
        let mut measurements = Vec::new();
        if let Some(((_, c0, s0), (_, c1, s1))) = at(window.start).zip(at(window.end)) {
            self.measure(&mut measurements, candidate, c0, c1, window);
            if let Some(baseline) = baseline {
                self.measure(&mut measurements, baseline, s0, s1, window);
            }
        }
        Sample {
            service: String::new(),
            source: "edge".to_owned(),
            observed_by_host: true,
            window: window.clone(),
            measurements,
        }
    }

    fn measure(
        &self,
        measurements: &mut Vec<Measurement>,
        release: &str,
        from: &Observed,
        to: &Observed,
        window: &Window,
    ) {
        for (metric, is_rate) in &self.metrics {
            let observation = if *is_rate {
                let count = |seen: &Observed| seen.events.get(metric).copied().unwrap_or(0);
                Observation::Rate(Rate { events: count(to) - count(from), total: to.requests - from.requests })
            } else {
                let mut below = 0;
                let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
                let counts = to.latency.iter().zip(&from.latency).map(|(to, from)| to - from);
                let bucket = |(le, count): (f64, u64)| {
                    below += count;
                    Bucket { le, count: below }
                };
                Observation::Histogram(bounds.zip(counts).map(bucket).collect())
            };
            measurements.push(Measurement {
                metric: metric.clone(),
                unit: if *is_rate { "ratio" } else { "seconds" }.to_owned(),
                release: release.to_owned(),
                observation,
                window: window.clone(),
            });
        }
    }
}

/// Has a release serve about so many requests.
fn serve(random: &mut StdRng, metrics: &[(String, bool)], release: &Behaviour, about: f64, seen: &mut Observed) {
    let requests = match Poisson::new(about) {
        Ok(arrivals) => arrivals.sample(random) as u64,
        Err(_) => 0,
    };
    seen.requests += requests;
    for (metric, is_rate) in metrics {
        if *is_rate {
            let share = release.rates.get(metric).copied().unwrap_or(0.0);
            *seen.events.entry(metric.clone()).or_default() += some(random, requests, share);
        }
    }
    // Bucket by bucket, of those that are longer than the one before.
    let (mut left, mut longer) = (requests, 1.0);
    let bounds = BOUNDS.into_iter().map(Some).chain([None]);
    for (bound, count) in bounds.zip(&mut seen.latency) {
        let beyond = bound.map_or(0.0, |bound| release.longer(bound));
        let share = if longer > 0.0 { ((longer - beyond) / longer).clamp(0.0, 1.0) } else { 1.0 };
        let here = if bound.is_none() { left } else { some(random, left, share) };
        *count += here;
        left -= here;
        longer = beyond;
    }
}

/// How many of so many have a property that this share has.
fn some(random: &mut StdRng, of: u64, share: f64) -> u64 {
    match Binomial::new(of, share.clamp(0.0, 1.0)) {
        Ok(binomial) => binomial.sample(random),
        Err(_) => 0,
    }
}
