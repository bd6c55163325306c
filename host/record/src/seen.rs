//! What was observed of a release over all its watches.

use std::time::Duration;

use autodevops_model::{Bucket, Measurement, Observation, Rate};
use serde::{Deserialize, Serialize};

/// The metric whose events are failed requests, out of all.
const ERROR_RATE: &str = "error-rate";
/// The metric of response times, in seconds.
const LATENCY: &str = "latency";

/// What a release was seen to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Seen {
    /// Requests that were counted.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Over how long.
    pub time: Duration,
    /// Half of the responses were faster, in seconds.
    pub p50: Option<f64>,
    /// 95 of 100 responses were faster, in seconds.
    pub p95: Option<f64>,
}

impl Seen {
    /// The share of requests that failed; none without a request.
    pub fn error_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.errors as f64 / self.requests as f64)
    }
}

/// Observations that are added up.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    rate: Option<Rate>,
    time: Duration,
    buckets: Vec<Bucket>,
    samples: Vec<f64>,
}

impl Sum {
    /// Adds what was observed of a release over one watch of this length.
    pub(crate) fn add(&mut self, measurements: &[Measurement], release: &str, time: Duration) {
        let of = |metric: &str| measurements.iter().find(|one| one.release == release && one.metric == metric);
        let (rate, latency) = (of(ERROR_RATE), of(LATENCY));
        if rate.is_none() && latency.is_none() {
            return;
        }
        self.time += time;
        if let Some(Observation::Rate(seen)) = rate.map(|one| &one.observation) {
            let sum = self.rate.get_or_insert(Rate { events: 0, total: 0 });
            sum.events = sum.events.saturating_add(seen.events);
            sum.total = sum.total.saturating_add(seen.total);
        }
        match latency.map(|one| &one.observation) {
            Some(Observation::Histogram(buckets)) => self.add_buckets(buckets),
            Some(Observation::Samples(values)) => self.samples.extend(values),
            Some(Observation::Rate(_)) | None => {}
        }
    }

    /// Histograms are added where they have the same bounds, as those of one source have; the first source is kept to.
    fn add_buckets(&mut self, buckets: &[Bucket]) {
        if self.buckets.is_empty() {
            self.buckets = buckets.to_vec();
            return;
        }
        let same = self.buckets.len() == buckets.len()
            && self.buckets.iter().zip(buckets).all(|(sum, one)| sum.le.total_cmp(&one.le).is_eq());
        if same {
            for (sum, one) in self.buckets.iter_mut().zip(buckets) {
                sum.count = sum.count.saturating_add(one.count);
            }
        }
    }

    /// What it comes to.
    pub(crate) fn seen(mut self) -> Seen {
        self.samples.sort_by(f64::total_cmp);
        let counted = self.buckets.last().map_or(self.samples.len() as u64, |last| last.count);
        let rate = self.rate.unwrap_or(Rate { events: 0, total: counted });
        let quantile =
            |share| bucket_quantile(&self.buckets, share).or_else(|| crate::numbers::quantile(&self.samples, share));
        Seen { requests: rate.total, errors: rate.events, time: self.time, p50: quantile(0.5), p95: quantile(0.95) }
    }
}

/// A quantile of cumulative buckets, by a straight line within the one that it lies in, as Prometheus' `histogram_quantile`
/// has it: in the last bucket, which has no bound, it is the bound before.
fn bucket_quantile(buckets: &[Bucket], share: f64) -> Option<f64> {
    let total = buckets.last()?.count;
    if total == 0 {
        return None;
    }
    let rank = share * total as f64;
    let index = buckets.iter().position(|bucket| bucket.count as f64 >= rank)?;
    let (low, before) = match index.checked_sub(1).and_then(|before| buckets.get(before)) {
        Some(bucket) => (bucket.le, bucket.count),
        None => (0.0, 0),
    };
    let bucket = buckets.get(index)?;
    if !bucket.le.is_finite() {
        return Some(low);
    }
    let within = bucket.count.saturating_sub(before) as f64;
    let part = if within > 0.0 { (rank - before as f64) / within } else { 1.0 };
    Some(low + (bucket.le - low) * part)
}

#[cfg(test)]
mod tests {
    use autodevops_model::Window;
    use proptest::prelude::*;

    use super::*;

    fn measured(metric: &str, observation: Observation) -> Measurement {
        let window = Window { start: 0, end: 1 };
        Measurement { metric: metric.into(), unit: String::new(), release: "r".into(), observation, window }
    }

    fn bucket(le: f64, count: u64) -> Bucket {
        Bucket { le, count }
    }

    #[test]
    fn watches_are_added_up_and_other_releases_are_not() {
        let histogram = || Observation::Histogram(vec![bucket(0.1, 50), bucket(1.0, 100), bucket(f64::INFINITY, 100)]);
        let mut other = measured(ERROR_RATE, Observation::Rate(Rate { events: 9, total: 9 }));
        other.release = "other".into();
        let watch = [
            other,
            measured(ERROR_RATE, Observation::Rate(Rate { events: 1, total: 100 })),
            measured(LATENCY, histogram()),
        ];
        let mut sum = Sum::default();
        sum.add(&watch, "r", Duration::from_secs(2));
        sum.add(&watch, "r", Duration::from_secs(3));
        sum.add(&[], "r", Duration::from_secs(100));
        let seen = sum.seen();
        assert_eq!((seen.requests, seen.errors, seen.time), (200, 2, Duration::from_secs(5)));
        assert_eq!(seen.p50, Some(0.1));
        // 190 of 200, 90 of which lie in the bucket from 0.1 to 1.0, which has 100.
        assert!((seen.p95.unwrap() - 0.91).abs() < 1e-9, "{:?}", seen.p95);
        assert_eq!(seen.error_rate(), Some(0.01));
    }

    #[test]
    fn beyond_the_last_bound_the_bound_is_what_is_known() {
        assert_eq!(bucket_quantile(&[bucket(0.1, 1), bucket(f64::INFINITY, 100)], 0.5), Some(0.1));
        assert_eq!(bucket_quantile(&[bucket(0.1, 0), bucket(f64::INFINITY, 0)], 0.5), None);
        assert_eq!(bucket_quantile(&[], 0.5), None);
    }

    #[test]
    fn samples_give_quantiles_where_there_is_no_histogram() {
        let mut sum = Sum::default();
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        sum.add(&[measured(LATENCY, Observation::Samples(values))], "r", Duration::from_secs(1));
        let seen = sum.seen();
        assert_eq!((seen.requests, seen.p50, seen.p95), (100, Some(50.0), Some(95.0)));
    }

    proptest! {
        #[test]
        fn a_quantile_grows_with_its_share_and_lies_within_the_bounds(
            counts in proptest::collection::vec(0_u64..100, 1..8), one in 0.01_f64..1.0, other in 0.01_f64..1.0,
        ) {
            let mut sum = 0;
            let buckets: Vec<Bucket> = (1..).zip(&counts).map(|(index, count)| {
                sum += count;
                bucket(f64::from(index), sum)
            }).collect();
            let (low, high) = (one.min(other), one.max(other));
            match (bucket_quantile(&buckets, low), bucket_quantile(&buckets, high)) {
                (Some(low), Some(high)) => prop_assert!(0.0 <= low && low <= high && high <= counts.len() as f64),
                (None, None) => prop_assert_eq!(sum, 0),
                different => prop_assert!(false, "{:?}", different),
            }
        }
    }
}
