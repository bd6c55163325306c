//! What came of the requests, and whose fault it was.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer of the class that was expected.
    Answered(u16),
    /// The application's own code threw; the answer says so.
    Application(u16),
    /// Anything else: no connection, no answer in time, an answer cut off, an answer that the application would not give.
    Deploy(String),
}

impl Outcome {
    /// What an answer means: its status, whether it says that the application threw, and the class (2 or 4) that was expected.
    pub fn of_answer(status: u16, application: bool, expected_class: u16) -> Self {
        match status / 100 {
            5 if application => Self::Application(status),
            5 => Self::Deploy(format!("status {status}")),
            class if class == expected_class || class == 3 => Self::Answered(status),
            _ => Self::Deploy(format!("status {status} instead of {expected_class}xx")),
        }
    }
}

/// Counts of one span of time, or of one release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Requests that came to an end.
    pub requests: u64,
    /// Those that failed by the application's own code.
    pub client_errors: u64,
    /// Those that failed otherwise.
    pub deploy_errors: u64,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        self.requests += 1;
        match outcome {
            Outcome::Answered(_) => {}
            Outcome::Application(_) => self.client_errors += 1,
            Outcome::Deploy(_) => self.deploy_errors += 1,
        }
    }
}

/// One interval of the series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// When it began: seconds since the first request.
    pub from_seconds: f64,
    /// What ended in it.
    #[serde(flatten)]
    pub tally: Tally,
}

/// First and last time of something: seconds since the first request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// When it was seen first.
    pub first_seconds: f64,
    /// When it was seen last.
    pub last_seconds: f64,
}

/// Latencies from the moment a request was due to the end of its answer, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the requests took at most so long.
    pub p50: f64,
    /// 95 % of the requests took at most so long.
    pub p95: f64,
    /// 99 % of the requests took at most so long.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// Everything that was seen.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When the first request was due: milliseconds since 1970-01-01T00:00:00Z.
    pub started_unix_ms: u64,
    /// How long requests were sent.
    pub seconds: f64,
    /// All counts.
    #[serde(flatten)]
    pub total: Tally,
    /// Answers by class, `2xx` to `5xx`; `none` where there was no answer.
    pub answers: BTreeMap<String, u64>,
    /// Requests by what they asked for.
    pub kinds: BTreeMap<&'static str, Tally>,
    /// Counts by release, where answers name it.
    pub releases: BTreeMap<String, Tally>,
    /// When the application's errors were seen.
    pub client_errors_seen: Option<Seen>,
    /// When other errors were seen.
    pub deploy_errors_seen: Option<Seen>,
    /// What the other errors were, with how often.
    pub deploy_error_causes: BTreeMap<String, u64>,
    /// How long requests took.
    pub latency_ms: Latency,
    /// Counts over time.
    pub series: Vec<Interval>,
}

/// Collects outcomes.
#[derive(Debug)]
pub struct Collector {
    interval: Duration,
    total: Tally,
    answers: BTreeMap<String, u64>,
    kinds: BTreeMap<&'static str, Tally>,
    releases: BTreeMap<String, Tally>,
    client: Option<Seen>,
    deploy: Option<Seen>,
    causes: BTreeMap<String, u64>,
    latencies_us: Vec<u32>,
    series: Vec<Tally>,
}

/// Causes that are told apart; the rest are counted together.
const MOST_CAUSES: usize = 20;

impl Collector {
    /// A collector whose series has intervals of this length.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval: interval.max(Duration::from_millis(1)),
            total: Tally::default(),
            answers: BTreeMap::new(),
            kinds: BTreeMap::new(),
            releases: BTreeMap::new(),
            client: None,
            deploy: None,
            causes: BTreeMap::new(),
            latencies_us: Vec::new(),
            series: Vec::new(),
        }
    }

    /// Counts the outcome of a request that ended `at` since the start and took `latency`.
    pub fn add(
        &mut self,
        kind: &'static str,
        release: Option<String>,
        outcome: Outcome,
        at: Duration,
        latency: Duration,
    ) {
        self.total.add(&outcome);
        self.kinds.entry(kind).or_default().add(&outcome);
        if let Some(release) = release {
            self.releases.entry(release).or_default().add(&outcome);
        }
        let index = usize::try_from(at.as_micros() / self.interval.as_micros()).unwrap_or(usize::MAX - 1);
        while self.series.len() <= index {
            self.series.push(Tally::default());
        }
        if let Some(interval) = self.series.get_mut(index) {
            interval.add(&outcome);
        }
        self.latencies_us.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        let class = match outcome {
            Outcome::Answered(status) => format!("{}xx", status / 100),
            Outcome::Application(status) => {
                see(&mut self.client, at);
                format!("{}xx", status / 100)
            }
            Outcome::Deploy(cause) => {
                see(&mut self.deploy, at);
                let class = cause
                    .strip_prefix("status ")
                    .map_or_else(|| "none".to_owned(), |status| format!("{}xx", status.get(..1).unwrap_or_default()));
                let known = self.causes.contains_key(&cause) || self.causes.len() < MOST_CAUSES;
                *self.causes.entry(if known { cause } else { "other".into() }).or_default() += 1;
                class
            }
        };
        *self.answers.entry(class).or_default() += 1;
    }

    /// What was collected up to now, of traffic that began at `started_unix_ms` and went on for `lasted`.
    pub fn report(&self, started_unix_ms: u64, lasted: Duration) -> Report {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let quantile = |share: f64| milliseconds(&sorted, share);
        Report {
            started_unix_ms,
            seconds: lasted.as_secs_f64(),
            total: self.total.clone(),
            answers: self.answers.clone(),
            kinds: self.kinds.clone(),
            releases: self.releases.clone(),
            client_errors_seen: self.client,
            deploy_errors_seen: self.deploy,
            deploy_error_causes: self.causes.clone(),
            latency_ms: Latency { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), max: quantile(1.0) },
            series: (0u32..)
                .zip(&self.series)
                .map(|(index, tally)| Interval {
                    from_seconds: self.interval.as_secs_f64() * f64::from(index),
                    tally: tally.clone(),
                })
                .collect(),
        }
    }

    /// All counts up to now.
    pub const fn total(&self) -> &Tally {
        &self.total
    }
}

fn see(seen: &mut Option<Seen>, at: Duration) {
    let at = at.as_secs_f64();
    let seen = seen.get_or_insert(Seen { first_seconds: at, last_seconds: at });
    seen.first_seconds = seen.first_seconds.min(at);
    seen.last_seconds = seen.last_seconds.max(at);
}

/// The nearest-rank quantile, in milliseconds; 0 of nothing.
fn milliseconds(sorted_us: &[u32], share: f64) -> f64 {
    let rank = (sorted_us.len() as f64 * share).ceil() as usize;
    sorted_us.get(rank.saturating_sub(1)).map_or(0.0, |us| f64::from(*us) / 1000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_put_down_to_whose_fault_it_was() {
        for (status, application, expected, outcome) in [
            (200, false, 2, Outcome::Answered(200)),
            (304, false, 2, Outcome::Answered(304)),
            (400, false, 4, Outcome::Answered(400)),
            (500, true, 2, Outcome::Application(500)),
            (500, true, 4, Outcome::Application(500)),
            (500, false, 2, Outcome::Deploy("status 500".into())),
            (503, false, 2, Outcome::Deploy("status 503".into())),
            (404, false, 2, Outcome::Deploy("status 404 instead of 2xx".into())),
            (201, false, 4, Outcome::Deploy("status 201 instead of 4xx".into())),
        ] {
            assert_eq!(Outcome::of_answer(status, application, expected), outcome, "{status}");
        }
    }

    #[test]
    fn a_report_says_when_errors_were_seen_and_what_they_were() {
        let mut collector = Collector::new(Duration::from_secs(1));
        let mut add = |outcome, at, latency| {
            let release = Some("r-1".into());
            collector.add("page", release, outcome, Duration::from_millis(at), Duration::from_millis(latency));
        };
        add(Outcome::Answered(200), 100, 1);
        add(Outcome::Application(500), 1500, 2);
        add(Outcome::Application(500), 1200, 3);
        add(Outcome::Deploy("status 503".into()), 2500, 4);
        add(Outcome::Deploy("cannot connect".into()), 2600, 100);
        let report = collector.report(0, Duration::from_secs(3));
        assert_eq!(report.total, Tally { requests: 5, client_errors: 2, deploy_errors: 2 });
        assert_eq!(report.client_errors_seen, Some(Seen { first_seconds: 1.2, last_seconds: 1.5 }));
        assert_eq!(report.deploy_errors_seen, Some(Seen { first_seconds: 2.5, last_seconds: 2.6 }));
        let counts =
            |map: &BTreeMap<String, u64>| map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
        assert_eq!(counts(&report.answers), "2xx=1 5xx=3 none=1");
        assert_eq!(counts(&report.deploy_error_causes), "cannot connect=1 status 503=1");
        assert_eq!(report.latency_ms, Latency { p50: 3.0, p95: 100.0, p99: 100.0, max: 100.0 });
        assert_eq!(report.releases["r-1"].requests, 5);
        assert_eq!(report.series.iter().map(|interval| interval.tally.requests).collect::<Vec<_>>(), [1, 2, 2]);
    }

    #[test]
    fn no_traffic_is_a_report_of_zeros() {
        let report = Collector::new(Duration::ZERO).report(0, Duration::ZERO);
        assert_eq!((report.total.requests, report.latency_ms.max, report.series.len()), (0, 0.0, 0));
    }

    proptest! {
        #[test]
        fn quantiles_grow_and_are_among_the_values(mut values in proptest::collection::vec(0u32..1_000_000, 1..50)) {
            values.sort_unstable();
            let [half, most, all] = [0.5, 0.95, 1.0].map(|share| milliseconds(&values, share));
            prop_assert!(half <= most && most <= all);
            prop_assert!(values.iter().any(|value| f64::from(*value) / 1000.0 == half));
            prop_assert_eq!(all, f64::from(values[values.len() - 1]) / 1000.0);
        }
    }
}
