//! What turns a release back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MINUTE;

/// A metric that turns a release back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trigger {
    /// Name of the metric, such as `error-rate`.
    pub metric: String,
    /// What must not be.
    pub rule: Rule,
    /// Over how long it is measured.
    pub window: Duration,
    /// For how long after a watch began nothing counts: a release that has just got its traffic is cold. The hard trip knows no delay.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub initial_delay: Duration,
    /// Fewer requests than this decide nothing.
    pub min_samples: u64,
    /// Whether it turns the release back by itself; otherwise the step is held and a person is asked.
    pub critical: bool,
    /// Which way is worse, where the candidate is compared with the baseline.
    #[serde(default)]
    pub direction: Direction,
    /// A difference from the baseline that is smaller than this is none, however sure: a share for a rate, else in the metric's own
    /// unit. Absent: 10 ms for a latency by buckets, else nothing.
    #[serde(default)]
    pub effect: Option<f64>,
    /// How much it counts among those that are not critical; see [`Decision::min_score`](super::Decision::min_score).
    #[serde(default = "one")]
    pub weight: f64,
    /// Whether it is judged and put on record only: it passes nothing and turns nothing back.
    #[serde(default)]
    pub dry_run: bool,
    /// What it says when nobody measured it, or nothing came in over its whole window.
    #[serde(default)]
    pub no_data: NoData,
}

fn one() -> f64 {
    1.0
}

/// What a metric must not be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A rate above this share, from 0 to 1.
    RateAbove(f64),
    /// A rate below this share, from 0 to 1.
    RateBelow(f64),
    /// A quantile of a latency above so many seconds.
    QuantileAbove {
        /// From 0 to 1.
        quantile: f64,
        /// Seconds.
        seconds: f64,
    },
    /// Worse than the baseline by more than a share.
    WorseBy {
        /// The share, such as 0.2.
        ratio: f64,
        /// The quantile that is compared, for a latency; absent, all of it is, by ranks.
        quantile: Option<f64>,
    },
}

/// Which way a metric is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More is worse, as of errors and seconds.
    #[default]
    Increase,
    /// Less is worse, as of purchases.
    Decrease,
}

/// What no data says. That it passes is not among them: silence never does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoData {
    /// Nothing: the step waits, and a person is asked in the end.
    #[default]
    Inconclusive,
    /// As much as a bad window.
    Fail,
}

/// So many failures that no statistics are needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HardTrip {
    /// The share of failures, from 0 to 1.
    pub rate: f64,
    /// The least number of requests.
    pub min_samples: u64,
}

impl Default for HardTrip {
    fn default() -> Self {
        Self { rate: 0.5, min_samples: 10 }
    }
}

impl Trigger {
    /// Least number of requests that decide anything.
    pub const MIN_SAMPLES: u64 = 20;

    /// A critical one on a metric, over five minutes.
    pub fn new(metric: impl Into<String>, rule: Rule) -> Self {
        Self {
            metric: metric.into(),
            rule,
            window: 5 * MINUTE,
            initial_delay: Duration::ZERO,
            min_samples: Self::MIN_SAMPLES,
            critical: true,
            direction: Direction::default(),
            effect: None,
            weight: one(),
            dry_run: false,
            no_data: NoData::default(),
        }
    }

    /// The defaults: 5 % errors, 2 s at the 95th percentile, and a latency worse than the baseline's by 20 %.
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::new("error-rate", Rule::RateAbove(0.05)),
            Self::new("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 }),
            Self::new("latency", Rule::WorseBy { ratio: 0.2, quantile: None }),
        ]
    }

    /// Whether the sequential test can decide it: it holds a share against a limit.
    pub const fn is_sequential(&self) -> bool {
        matches!(self.rule, Rule::RateAbove(_) | Rule::RateBelow(_) | Rule::QuantileAbove { .. })
    }
}
