//! What observations of latencies say: how many were slower, and how they are spread.

use autodevops_model::{Bucket, Observation};
use autodevops_statistics::{Distribution, Share};

/// How many of a latency's observations are slower than some time.
pub(super) struct Slower {
    /// At least so many, beyond doubt.
    pub(super) sure: Share,
    /// About so many, by a straight line within the bucket.
    pub(super) about: f64,
}

/// None where the observation is no latency, or its buckets end before `seconds`.
pub(super) fn slower(observation: &Observation, seconds: f64) -> Option<Slower> {
    match observation {
        Observation::Samples(values) => {
            let sure = values.iter().filter(|value| **value > seconds).count() as u64;
            Some(Slower { sure: Share::new(sure, values.len() as u64), about: sure as f64 })
        }
        Observation::Histogram(buckets) => {
            let total = buckets.last()?.count;
            let at_most = buckets.iter().find(|bucket| bucket.le >= seconds)?;
            let below = buckets.iter().rev().find(|bucket| bucket.le <= seconds);
            let (low, low_count) = below.map_or((0.0, 0), |bucket| (bucket.le, bucket.count));
            let within = at_most.count.saturating_sub(low_count) as f64;
            let share = match at_most.le - low {
                width if width > 0.0 && width < f64::MAX => (seconds - low) / width,
                width if width > 0.0 => 0.0,
                _ => 1.0,
            };
            let about = (total as f64 - (low_count as f64 + within * share)).max(0.0);
            Some(Slower { sure: Share::new(total.saturating_sub(at_most.count), total), about })
        }
        Observation::Rate(_) => None,
    }
}

/// The upper bound of the quantile: for buckets the bound of the one it lies in. And of how many.
pub(super) fn quantile_bound(observation: &Observation, quantile: f64) -> Option<(f64, u64)> {
    match observation {
        Observation::Samples(values) => {
            let sorted = Distribution::of_values(values.iter().copied());
            Some((sorted.quantile(quantile)?, values.len() as u64))
        }
        Observation::Histogram(buckets) => {
            let total = buckets.last()?.count;
            let Bucket { le, .. } = buckets.iter().find(|bucket| bucket.count as f64 >= quantile * total as f64)?;
            Some((*le, total))
        }
        Observation::Rate(_) => None,
    }
}

/// How they are spread. None of what is no latency.
pub(super) fn spread(observation: &Observation) -> Option<Distribution> {
    match observation {
        Observation::Samples(values) => Some(Distribution::of_values(values.iter().copied())),
        Observation::Histogram(buckets) => {
            Some(Distribution::of_cumulative(buckets.iter().map(|bucket| (bucket.le, bucket.count))))
        }
        Observation::Rate(_) => None,
    }
}
