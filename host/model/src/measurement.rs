//! What was observed of a release that serves.

use serde::{Deserialize, Serialize};

/// A span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Window {
    /// First instant: nanoseconds since 1970-01-01T00:00:00Z.
    pub start: i64,
    /// The instant after the last, in the same unit.
    pub end: i64,
}

/// A count of events out of a total, such as failed requests out of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rate {
    /// How many had the property.
    pub events: u64,
    /// How many there were.
    pub total: u64,
}

/// One bucket of a histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bucket {
    /// Upper bound, in seconds; `inf` for the last.
    pub le: f64,
    /// How many observations lie at or below the bound: cumulative.
    pub count: u64,
}

/// What was observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// Events out of a total.
    Rate(Rate),
    /// Durations in seconds, by cumulative buckets of growing bounds.
    Histogram(Vec<Bucket>),
    /// Single values, in the measurement's unit.
    Samples(Vec<f64>),
}

/// What a health check observed of one release. What it means is decided by the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Measurement {
    /// Name of the metric in kebab-case, such as `error-rate` or `latency`.
    pub metric: String,
    /// Unit: `ratio`, `seconds`, `bytes`, `count`.
    pub unit: String,
    /// The release it is about.
    pub release: String,
    /// What was observed, over the window that was asked for.
    pub observation: Observation,
    /// The window that the observation really covers.
    pub window: Window,
}
