//! What a health check says that it measures, so that a trigger on anything else is seen before a run and not by its silence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{manifest::is_name, strict_toml::nearest};

/// A metric that a health check declares in its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeclaredMetric {
    /// Its name, as the measurements have it.
    pub name: String,
    /// What its values are counted in.
    pub unit: MetricUnit,
    /// What is observed of it.
    pub kind: MetricKind,
}

/// What values are counted in; the units of the contract's measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricUnit {
    /// A share, from 0 to 1.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
}

/// What is observed; the kinds of the contract's observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// Events out of a total.
    Rate,
    /// Durations, by buckets.
    Histogram,
    /// Single values.
    Samples,
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "a rate",
            Self::Histogram => "a histogram",
            Self::Samples => "single values",
        })
    }
}

/// Why declared metrics are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// The name is not one.
    #[error("the metric name {0:?} is not taken; use 1 to 64 of a-z, 0-9 and -, starting with a letter")]
    Name(String),
    /// Two are named so.
    #[error("the metric `{0}` is declared twice; declare each once")]
    Twice(String),
    /// A rate is a share.
    #[error("the metric `{0}` is a rate, whose unit is `ratio`; write that, or another `kind`")]
    RateUnit(String),
    /// The plugin is no health check.
    #[error(
        "`metrics` says what a health check measures, and `stages` names none; add \"health-check\", or remove them"
    )]
    NoHealthCheck,
}

/// Whether metrics can be declared so.
///
/// # Errors
/// [`MetricError`] names the first that is wrong.
pub(crate) fn check(metrics: &[DeclaredMetric], is_health_check: bool) -> Result<(), MetricError> {
    if !metrics.is_empty() && !is_health_check {
        return Err(MetricError::NoHealthCheck);
    }
    for (index, metric) in metrics.iter().enumerate() {
        let name = || metric.name.clone();
        if !is_name(&metric.name) {
            return Err(MetricError::Name(name()));
        }
        if metrics.iter().take(index).any(|before| before.name == metric.name) {
            return Err(MetricError::Twice(name()));
        }
        if metric.kind == MetricKind::Rate && metric.unit != MetricUnit::Ratio {
            return Err(MetricError::RateUnit(name()));
        }
    }
    Ok(())
}

/// Which of the metrics may have been meant by a name that is none of them, in words.
pub fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let mut names: Vec<&str> = known.collect();
            names.sort_unstable();
            names.dedup();
            format!("measured are {}", names.join(", "))
        }
    }
}
