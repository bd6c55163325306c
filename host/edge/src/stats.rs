//! What was observed of a release: counters since it was started, and a history of bounded size.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use autodevops_model::Window;
use serde::{Deserialize, Serialize};

use crate::{
    LATENCY_BOUNDS_SECONDS, Observed, Sample,
    asked::{Asked, Request, by_client},
    assign::ClientId,
    clients::{Clients, latency_effects, of_many},
    protocol::BUCKETS,
};

/// Errors that are kept with their client.
const MAX_ERRORS: usize = 4096;
/// Length of an interval in nanoseconds, and how many are kept: 0.1 s for a minute, 1 s for 15 minutes, 10 s for 6
/// hours.
const TIERS: [(i64, usize); 3] = [(100_000_000, 600), (1_000_000_000, 900), (10_000_000_000, 2160)];

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// 2xx (and 1xx, which ends none).
    Success,
    /// 3xx.
    Redirect,
    /// 4xx.
    Refused,
    /// 5xx.
    Error,
    /// There was no answer, or it was cut off.
    None,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Success, Self::Redirect, Self::Refused, Self::Error, Self::None];

    /// The class of a status.
    pub const fn of(status: http::StatusCode) -> Self {
        match status.as_u16() / 100 {
            3 => Self::Redirect,
            4 => Self::Refused,
            0..3 => Self::Success,
            _ => Self::Error,
        }
    }

    /// The value of the label `code`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::Refused => "4xx",
            Self::Error => "5xx",
            Self::None => "000",
        }
    }
}

/// Which address a request came in at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The environment's.
    Traffic,
    /// The release's own.
    Preview,
}

/// What was observed of a release since it was started, also by front doors before this one.
#[derive(Debug)]
pub struct Stats {
    since: AtomicI64,
    traffic: Mutex<Series>,
    preview: Mutex<Series>,
    /// How often something was counted.
    changes: AtomicU64,
}

/// What was counted, to be kept or handed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Counted {
    since: i64,
    traffic: Series,
    preview: Series,
}

/// Counts that only grow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Totals {
    /// Requests by class.
    pub classes: [u64; Class::ALL.len()],
    /// Requests by latency; not cumulative.
    pub latency: [u64; BUCKETS],
    /// All latencies together, in seconds.
    pub seconds: f64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Series {
    totals: Totals,
    tiers: [VecDeque<(i64, Bucket)>; TIERS.len()],
    errors: VecDeque<(i64, ClientId)>,
    /// Front doors before kept none.
    #[serde(default)]
    clients: Clients,
    /// Nor these.
    #[serde(default)]
    asked: Asked,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Bucket {
    requests: u32,
    errors: u32,
    latency: [u32; BUCKETS],
}

impl Counted {
    /// The moment that it reaches to at least.
    pub fn until(&self) -> i64 {
        let [(interval, _), ..] = TIERS;
        let newest = |series: &Series| {
            let [tier, ..] = &series.tiers;
            tier.back().map(|(slot, _)| slot.saturating_mul(interval))
        };
        let newest = [&self.traffic, &self.preview].into_iter().filter_map(newest);
        newest.fold(self.since, i64::max)
    }
}

impl Stats {
    /// Nothing observed yet, from `now` on.
    pub fn new(now: i64) -> Self {
        let since = AtomicI64::new(now);
        Self { since, traffic: Mutex::default(), preview: Mutex::default(), changes: AtomicU64::new(0) }
    }

    /// Counts a request that ended `now`.
    pub fn count(&self, source: Source, class: Class, latency: Duration, client: ClientId, now: i64) {
        self.series(source).count(class, latency, client, now);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was counted; the same number means that nothing was meanwhile.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        let (traffic, preview) = (self.series(Source::Traffic).clone(), self.series(Source::Preview).clone());
        Counted { since: self.since.load(Ordering::Relaxed), traffic, preview }
    }

    /// Takes what was counted so far out: it is counted elsewhere from here on.
    pub fn take(&self) -> Counted {
        let traffic = std::mem::take(&mut *self.series(Source::Traffic));
        let preview = std::mem::take(&mut *self.series(Source::Preview));
        Counted { since: self.since.load(Ordering::Relaxed), traffic, preview }
    }

    /// Lets go of who asked how often: nobody decides about a release that is stopped, and it is by far the most of what is kept.
    pub fn forget_who_asked(&self) {
        for source in [Source::Traffic, Source::Preview] {
            self.series(source).asked = Asked::default();
        }
    }

    /// Adds what was counted elsewhere.
    pub fn absorb(&self, counted: Counted) {
        self.since.fetch_min(counted.since, Ordering::Relaxed);
        self.series(Source::Traffic).absorb(counted.traffic);
        self.series(Source::Preview).absorb(counted.preview);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts since the start.
    pub fn totals(&self, source: Source) -> Totals {
        self.series(source).totals.clone()
    }

    /// What was observed in a window, `now`.
    pub fn observe(&self, release: &str, asked: &Window, now: i64) -> Observed {
        let (tier, interval, window) = self.cover(asked, now);
        // Nobody who counts waits for what follows from what is seen.
        let sample = |source| {
            let seen = self.series(source).within(tier, interval, &window);
            seen.weighed()
        };
        let (traffic, preview) = (sample(Source::Traffic), sample(Source::Preview));
        Observed { release: release.to_owned(), window, traffic, preview }
    }

    /// The finest tier that reaches back far enough, its interval, and the window of whole intervals inside the one
    /// asked for.
    fn cover(&self, asked: &Window, now: i64) -> (usize, i64, Window) {
        let since = self.since.load(Ordering::Relaxed);
        let from = asked.start.max(since);
        let reaches = |(interval, kept): (i64, usize)| now.saturating_sub(span(interval, kept)) <= from;
        let (tier, (interval, kept)) =
            (0..).zip(TIERS).find(|(_, tier)| reaches(*tier)).unwrap_or((TIERS.len() - 1, (10_000_000_000, 2160)));
        let start = if asked.start <= since && reaches((interval, kept)) {
            since
        } else {
            let from = from.max(now.saturating_sub(span(interval, kept)));
            from.div_euclid(interval).saturating_add(i64::from(from.rem_euclid(interval) > 0)).saturating_mul(interval)
        };
        // What is counted in the interval under way is all that there is up to now.
        let end = if asked.end >= now { now } else { asked.end.div_euclid(interval).saturating_mul(interval) };
        (tier, interval, Window { start, end: end.max(start) })
    }

    fn series(&self, source: Source) -> MutexGuard<'_, Series> {
        let series = match source {
            Source::Traffic => &self.traffic,
            Source::Preview => &self.preview,
        };
        // Counts are whole after every statement.
        series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn span(interval: i64, kept: usize) -> i64 {
    interval.saturating_mul(i64::try_from(kept).unwrap_or(i64::MAX))
}

impl Series {
    fn count(&mut self, class: Class, latency: Duration, client: ClientId, now: i64) {
        let seconds = latency.as_secs_f64();
        let place = LATENCY_BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS - 1);
        let is_error = matches!(class, Class::Error | Class::None);
        if let Some(count) = Class::ALL.iter().position(|c| *c == class).and_then(|n| self.totals.classes.get_mut(n)) {
            *count += 1;
        }
        if let Some(count) = self.totals.latency.get_mut(place) {
            *count += 1;
        }
        self.totals.seconds += seconds;
        for ((interval, kept), tier) in TIERS.into_iter().zip(&mut self.tiers) {
            let slot = now.div_euclid(interval);
            // Whoever absorbed what another process counted may be a little behind that.
            if tier.back().is_none_or(|(newest, _)| *newest < slot) {
                tier.push_back((slot, Bucket::default()));
                trim(tier, kept);
            }
            if let Some((_, bucket)) = tier.back_mut() {
                bucket.requests += 1;
                bucket.errors += u32::from(is_error);
                if let Some(count) = bucket.latency.get_mut(place) {
                    *count += 1;
                }
            }
        }
        self.clients.see(client, now);
        self.asked.note(client, is_error, place, now);
        if is_error {
            if self.errors.len() == MAX_ERRORS {
                self.errors.pop_front();
            }
            self.errors.push_back((now, client));
        }
    }

    fn absorb(&mut self, other: Self) {
        for (sum, count) in self.totals.classes.iter_mut().zip(other.totals.classes) {
            *sum += count;
        }
        for (sum, count) in self.totals.latency.iter_mut().zip(other.totals.latency) {
            *sum += count;
        }
        self.totals.seconds += other.totals.seconds;
        for (((_, kept), tier), other) in TIERS.into_iter().zip(&mut self.tiers).zip(other.tiers) {
            let mut slots: BTreeMap<i64, Bucket> = std::mem::take(tier).into_iter().collect();
            for (slot, bucket) in other {
                slots.entry(slot).or_default().absorb(&bucket);
            }
            tier.extend(slots);
            trim(tier, kept);
        }
        let mut errors: Vec<_> = self.errors.drain(..).chain(other.errors).collect();
        errors.sort_by_key(|(at, _)| *at);
        let over = errors.len().saturating_sub(MAX_ERRORS);
        self.errors.extend(errors.into_iter().skip(over));
        self.clients.absorb(other.clients);
        self.asked.absorb(other.asked);
    }

    fn within(&self, tier: usize, interval: i64, window: &Window) -> Seen {
        let mut sample = Sample { latency: vec![0; BUCKETS], ..Sample::default() };
        if window.end <= window.start {
            return Seen { sample, ..Seen::default() };
        }
        let slots = window.start.div_euclid(interval)..=window.end.saturating_sub(1).div_euclid(interval);
        let buckets = self.tiers.get(tier).into_iter().flatten().filter(|(slot, _)| slots.contains(slot));
        for (_, bucket) in buckets {
            sample.requests += u64::from(bucket.requests);
            sample.errors += u64::from(bucket.errors);
            for (sum, count) in sample.latency.iter_mut().zip(bucket.latency) {
                *sum += u64::from(count);
            }
        }
        let mut below = 0;
        for count in &mut sample.latency {
            below += *count;
            *count = below;
        }
        let whose = self.errors.iter().filter(|(at, _)| slots.contains(&at.div_euclid(interval)));
        let (from, until) = (slots.start(), slots.end().saturating_add(1));
        Seen {
            sample,
            errors_of: whose.map(|(_, client)| *client).collect(),
            clients: self.clients.since(window.start),
            asked: self.asked.within(from.saturating_mul(interval), until.saturating_mul(interval)),
        }
    }
}

/// What was seen in a window, and of whom.
#[derive(Default)]
struct Seen {
    sample: Sample,
    /// Whose errors those are that were kept.
    errors_of: Vec<ClientId>,
    /// About how many clients there were.
    clients: u64,
    /// All requests of a sample of them.
    asked: Vec<Request>,
}

impl Seen {
    /// With what hangs together by client.
    fn weighed(self) -> Sample {
        let Self { mut sample, errors_of, clients, asked } = self;
        let counted = of_many(errors_of.into_iter(), sample.errors, clients);
        sample.errors_of_many = counted.errors;
        let by_client = by_client(&asked);
        // A single error is no clump.
        if sample.errors > 1 {
            let errors: Vec<(u64, u64)> = by_client.iter().map(|of| (of.errors, of.requests())).collect();
            sample.design_effect = counted.design_effect(&errors);
        }
        sample.latency_effects = latency_effects(&by_client, clients);
        sample
    }
}

impl Bucket {
    fn absorb(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        for (sum, count) in self.latency.iter_mut().zip(other.latency) {
            *sum = sum.saturating_add(count);
        }
    }
}

/// Lets go of what is older than a tier reaches back.
fn trim(tier: &mut VecDeque<(i64, Bucket)>, kept: usize) {
    let Some((newest, _)) = tier.back() else { return };
    let oldest = newest.saturating_sub(i64::try_from(kept).unwrap_or(i64::MAX));
    while tier.front().is_some_and(|(slot, _)| *slot < oldest) {
        tier.pop_front();
    }
}

#[cfg(test)]
mod tests;
