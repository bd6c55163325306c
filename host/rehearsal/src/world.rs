//! Simulated traffic, and what is seen of it.

use std::collections::BTreeMap;

use autodevops_edge::LATENCY_BOUNDS_SECONDS as BOUNDS;
use autodevops_model::{Bucket, Measurement, Observation, Rate, Window};
use autodevops_pipeline::{DESIGN_EFFECT, ERROR_RATE, LATENCY, LATENCY_EFFECTS, Plan, Rule, Sample};
use autodevops_statistics::upper_tail;
use rand::{SeedableRng, rngs::StdRng};
use rand_distr::{Binomial, Distribution as _, Poisson};

use crate::crowd::{Asking, Clients, Crowd, OfClients};

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

    /// Whether its requests are no slower than a plan's triggers that decide allow, of which a comparison is with a release as quick as usual.
    pub fn is_quick_enough(&self, plan: &Plan) -> bool {
        let deciding = plan.triggers.iter().filter(|trigger| !trigger.dry_run);
        let mut allowed = deciding.map(|trigger| match trigger.rule {
            Rule::WorseBy { ratio, .. } if trigger.metric == LATENCY => self.slowness <= 1.0 + ratio,
            Rule::QuantileAbove { quantile, seconds } => self.longer(seconds) <= 1.0 - quantile,
            _ => true,
        });
        allowed.all(|allowed| allowed)
    }

    /// The chance that a request takes longer than so many seconds.
    pub(crate) fn longer(&self, seconds: f64) -> f64 {
        upper_tail((seconds / (MEDIAN * self.slowness)).ln() / SPREAD)
    }
}

/// What comes in to a service, and how its releases behave.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Requests a second to all releases of a service together.
    pub per_second: f64,
    /// The release that is rolled out.
    pub candidate: Behaviour,
    /// The one that serves.
    pub stable: Behaviour,
    /// Whose requests they are; without, each request is of a client of its own.
    pub clients: Option<Clients>,
}

/// Shares of the traffic, in per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// The candidate's.
    pub candidate: u8,
    /// That of what it is compared with: the stable release, or a fresh baseline.
    pub baseline: u8,
}

impl Shares {
    /// So much for the candidate, and the rest for the stable release.
    pub const fn beside_stable(candidate: u8) -> Self {
        Self { candidate, baseline: 100_u8.saturating_sub(candidate) }
    }
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
    /// The same by client, where there are clients.
    pub of_clients: OfClients,
}

/// A metric, and what of it is bad.
struct Metric {
    name: String,
    bad: Bad,
}

/// What of a metric speaks against a release.
#[derive(Clone, Copy, PartialEq)]
enum Bad {
    /// Its events.
    Events,
    /// Requests without them.
    Rest,
    /// Requests that take longer than this, in seconds.
    Slower(f64),
}

impl Metric {
    fn of(trigger: &autodevops_pipeline::Trigger) -> Self {
        let bad = match trigger.rule {
            Rule::RateAbove(_) => Bad::Events,
            Rule::RateBelow(_) => Bad::Rest,
            Rule::QuantileAbove { seconds, .. } => Bad::Slower(seconds),
            Rule::WorseBy { .. } if trigger.metric == LATENCY => Bad::Slower(f64::INFINITY),
            Rule::WorseBy { .. } => Bad::Events,
        };
        Self { name: trigger.metric.clone(), bad }
    }

    const fn is_rate(&self) -> bool {
        !matches!(self.bad, Bad::Slower(_))
    }

    /// Whether the host's front door measures it; any other is a health check's to tell.
    fn is_hosts(&self) -> bool {
        [ERROR_RATE, LATENCY].contains(&self.name.as_str())
    }

    /// How many requests speak against the release.
    fn bad(&self, seen: &Observed) -> u64 {
        let events = seen.events.get(&self.name).copied().unwrap_or(0);
        match self.bad {
            Bad::Events => events,
            Bad::Rest => seen.requests - events,
            Bad::Slower(limit) => {
                let from = BOUNDS.iter().take_while(|bound| **bound <= limit).count();
                seen.latency.iter().skip(from).sum()
            }
        }
    }
}

/// The world around a rollout of one service, up to some moment.
pub struct World<'a> {
    traffic: &'a Traffic,
    crowd: Option<Crowd>,
    /// The shares that were last.
    shares: Shares,
    metrics: Vec<Metric>,
    random: StdRng,
    /// Up to when the candidate was seen, and up to when the baseline.
    now: i64,
    baseline_now: i64,
    candidate: Observed,
    baseline: Observed,
    /// What was seen up to each moment that was looked at.
    past: Vec<(i64, Observed, Observed)>,
}

impl<'a> World<'a> {
    /// A world in which nothing came in yet.
    pub fn new(plan: &Plan, traffic: &'a Traffic, seed: u64) -> Self {
        let mut metrics: Vec<Metric> = Vec::new();
        for metric in plan.triggers.iter().map(Metric::of) {
            match metrics.iter_mut().find(|other| other.name == metric.name) {
                // Of what is slow the least decides.
                Some(Metric { bad: Bad::Slower(before), .. }) => {
                    if let Bad::Slower(limit) = metric.bad {
                        *before = before.min(limit);
                    }
                }
                Some(_) => {}
                None => metrics.push(metric),
            }
        }
        let mut random = StdRng::seed_from_u64(seed);
        let crowd = traffic.clients.map(|clients| Crowd::new(clients, &mut random));
        let of_clients = traffic.clients.map(OfClients::none).unwrap_or_default();
        let nothing = Observed { of_clients, ..Observed::default() };
        let (candidate, baseline) = (nothing.clone(), nothing);
        let past = vec![(0, candidate.clone(), baseline.clone())];
        let shares = Shares::default();
        Self { traffic, crowd, shares, metrics, random, now: 0, baseline_now: 0, candidate, baseline, past }
    }

    /// What was seen of the candidate so far.
    pub const fn candidate(&self) -> &Observed {
        &self.candidate
    }

    /// Lets time pass up to `now`, in nanoseconds, with so much of the traffic for the candidate, and so much for what it is compared with.
    pub fn pass(&mut self, now: i64, shares: Shares) {
        if self.past.last().is_some_and(|(last, ..)| *last >= now) {
            return;
        }
        self.tick(now, shares);
        self.see_baseline(now, shares);
        self.past.push((now, self.candidate.clone(), self.baseline.clone()));
    }

    /// Lets time pass for the candidate alone; whether anything speaks against it since that the front door sees. What comes in within one span does not hang on what
    /// came before it, so that the baseline may be seen later.
    pub fn tick(&mut self, now: i64, shares: Shares) -> bool {
        let Some(about) = self.about(self.now, now, shares.candidate) else { return false };
        (self.now, self.shares) = (now, shares);
        let Ok(arrivals) = Poisson::new(about) else { return false };
        let requests = arrivals.sample(&mut self.random) as u64;
        if requests == 0 {
            return false;
        }
        let bad = |world: &Self| -> u64 {
            let hosts = world.metrics.iter().filter(|metric| metric.is_hosts());
            hosts.map(|metric| metric.bad(&world.candidate)).sum()
        };
        let before = bad(self);
        let asking = self.crowd.as_ref().map(|crowd| crowd.of_candidate(shares));
        serve(&mut self.random, &self.metrics, &self.traffic.candidate, (requests, asking), &mut self.candidate);
        bad(self) > before
    }

    /// Has the baseline be seen up to `now`, too.
    pub fn see_baseline(&mut self, now: i64, shares: Shares) {
        let Some(about) = self.about(self.baseline_now, now, shares.baseline) else { return };
        self.baseline_now = now;
        if let Ok(arrivals) = Poisson::new(about) {
            let requests = arrivals.sample(&mut self.random) as u64;
            let asking = self.crowd.as_ref().map(|crowd| crowd.of_baseline(shares));
            serve(&mut self.random, &self.metrics, &self.traffic.stable, (requests, asking), &mut self.baseline);
        }
    }

    /// About how many requests come in from one moment to another; none where no time passes.
    fn about(&self, from: i64, to: i64, percent: u8) -> Option<f64> {
        let seconds = to.saturating_sub(from) as f64 / 1e9;
        (seconds > 0.0).then(|| self.traffic.per_second * seconds * f64::from(percent.min(100)) / 100.0)
    }

    /// What the front door tells of a window: of both releases, where both are asked for.
    pub fn sample(&self, window: &Window, candidate: &str, baseline: Option<&str>) -> Sample {
        self.told_by("edge", true, window, candidate, baseline)
    }

    /// What a health check tells of the metrics that the front door does not measure; none where there are none. It may be the only one that
    /// does, and is nobody's, so that no other is apart from it.
    pub fn told(&self, window: &Window, candidate: &str, baseline: Option<&str>) -> Option<Sample> {
        let is_any = !self.metrics.iter().all(Metric::is_hosts);
        is_any.then(|| self.told_by("health-check", false, window, candidate, baseline))
    }

    fn told_by(&self, source: &str, by_host: bool, window: &Window, candidate: &str, baseline: Option<&str>) -> Sample {
        let at = |moment: i64| match self.past.get(self.past.partition_point(|(time, ..)| *time < moment)) {
            Some((_, candidate, baseline)) => (candidate, baseline),
            None => (&self.candidate, &self.baseline),
        };
        let ((c0, b0), (c1, b1)) = (at(window.start), at(window.end));
        let asking = |of: fn(&Crowd, Shares) -> Asking<'_>| self.crowd.as_ref().map(|crowd| of(crowd, self.shares));
        let mut sample = Sample {
            service: String::new(),
            source: source.to_owned(),
            origin: autodevops_pipeline::Origin::default(),
            observed_by_host: by_host,
            window: window.clone(),
            measurements: Vec::new(),
        };
        self.measure(&mut sample, candidate, (c0, c1, asking(Crowd::of_candidate)));
        if let Some(baseline) = baseline {
            self.measure(&mut sample, baseline, (b0, b1, asking(Crowd::of_baseline)));
        }
        sample
    }

    fn measure(
        &self,
        sample: &mut Sample,
        release: &str,
        (from, to, asking): (&Observed, &Observed, Option<Asking<'_>>),
    ) {
        let Sample { observed_by_host, window, measurements, .. } = sample;
        let mut push = |metric: &str, unit: &str, observation| {
            let (metric, unit, release) = (metric.to_owned(), unit.to_owned(), release.to_owned());
            measurements.push(Measurement { metric, unit, release, observation, window: window.clone() });
        };
        for metric in self.metrics.iter().filter(|metric| metric.is_hosts() == *observed_by_host) {
            if metric.is_rate() {
                let count = |seen: &Observed| seen.events.get(&metric.name).copied().unwrap_or(0);
                let all = count(to) - count(from);
                let asking = asking.as_ref().filter(|_| metric.name == ERROR_RATE);
                let of_many = |asking: &Asking<'_>| asking.of_many(&from.of_clients, &to.of_clients, all);
                let (events, effect) = asking.map_or((all, None), of_many);
                push(&metric.name, "ratio", Observation::Rate(Rate { events, total: to.requests - from.requests }));
                if let Some(effect) = effect {
                    push(DESIGN_EFFECT, "ratio", Observation::Samples(vec![effect]));
                }
                continue;
            }
            let mut below = 0;
            let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
            let counts = to.latency.iter().zip(&from.latency).map(|(to, from)| to - from);
            let bucket = |(le, count): (f64, u64)| {
                below += count;
                Bucket { le, count: below }
            };
            push(&metric.name, "seconds", Observation::Histogram(bounds.zip(counts).map(bucket).collect()));
            let effects = asking.as_ref().filter(|_| metric.name == LATENCY);
            let told = |asking: &Asking<'_>| asking.latency_effects(&from.of_clients, &to.of_clients);
            let effects = effects.map(told).unwrap_or_default();
            if !effects.is_empty() {
                push(LATENCY_EFFECTS, "ratio", Observation::Samples(effects));
            }
        }
    }
}

/// Has a release serve so many requests, of those who ask.
fn serve(
    random: &mut StdRng,
    metrics: &[Metric],
    release: &Behaviour,
    (requests, asking): (u64, Option<Asking<'_>>),
    seen: &mut Observed,
) {
    seen.requests += requests;
    for metric in metrics.iter().filter(|metric| metric.is_rate()) {
        let share = release.rates.get(&metric.name).copied().unwrap_or(0.0);
        let events = match &asking {
            Some(asking) if metric.name == ERROR_RATE => asking.fail(random, requests, share, &mut seen.of_clients),
            _ => some(random, requests, share),
        };
        match seen.events.get_mut(&metric.name) {
            Some(before) => *before += events,
            None => drop(seen.events.insert(metric.name.clone(), events)),
        }
    }
    if let Some(asking) = asking.as_ref().filter(|asking| asking.any_is_slow()) {
        return asking.take_long(random, requests, release, seen);
    }
    // Bucket by bucket, of those that are longer than the one before.
    let (mut left, mut longer) = (requests, 1.0);
    let bounds = BOUNDS.into_iter().map(Some).chain([None]);
    for (bound, count) in bounds.zip(&mut seen.latency) {
        if left == 0 {
            break;
        }
        let beyond = bound.map_or(0.0, |bound| release.longer(bound));
        let share = if longer > 0.0 { ((longer - beyond) / longer).clamp(0.0, 1.0) } else { 1.0 };
        let here = if bound.is_none() { left } else { some(random, left, share) };
        *count += here;
        left -= here;
        longer = beyond;
    }
}

/// How many of so many have a property that this share has.
pub(crate) fn some(random: &mut StdRng, of: u64, share: f64) -> u64 {
    match Binomial::new(of, share.clamp(0.0, 1.0)) {
        Ok(binomial) => binomial.sample(random),
        Err(_) => 0,
    }
}
