//! What starts a run, what it must show, and how a release comes to serve people.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use autodevops_model::Severity;
use autodevops_pipeline::{Plan, Rule, Trigger};
use autodevops_policy::{Percent, QuantityError, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// Which issues start a run; all of these must hold.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct IssueRules {
    /// The least severity.
    #[schemars(with = "crate::schema::SeverityName")]
    pub min_severity: Severity,
    /// The least confidence of the analyzer, from `0 %` to `100 %`.
    #[schemars(with = "crate::schema::PercentText")]
    pub min_confidence: Percent,
    /// How often the issue must have been seen.
    pub min_count: u64,
}

impl Default for IssueRules {
    fn default() -> Self {
        Self { min_severity: Severity::Error, min_confidence: percent(50.0), min_count: 1 }
    }
}

/// What checks must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ChecksRules {
    /// Least share of the changed lines that tests must reach; absent, it is not asked.
    #[schemars(with = "Option<crate::schema::PercentText>")]
    pub min_coverage: Option<Percent>,
}

/// How a release is tried before it serves people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Staging {
    /// The environment's name in `[environments]`.
    pub environment: String,
    /// How long the staged release is watched.
    #[schemars(with = "crate::schema::SpanText")]
    pub soak: Span,
    /// Plugins that measure staging; with none, staging is watched for nothing but that it stays up.
    pub health_checks: Vec<String>,
}

impl Default for Staging {
    fn default() -> Self {
        let plan = Plan::defaults("");
        Self { environment: plan.staging, soak: Span(plan.soak), health_checks: Vec::new() }
    }
}

/// How a release comes to serve people.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rollout {
    /// The environment's name in `[environments]`.
    pub environment: String,
    /// Time between measurements.
    #[schemars(with = "crate::schema::SpanText")]
    pub interval: Span,
    /// Fewer requests than this decide nothing.
    pub min_samples: u64,
    /// Shares of the traffic, growing, the last one `100 %`.
    pub steps: Vec<Share>,
    /// How long the release is watched after the last step.
    #[schemars(with = "crate::schema::SpanText")]
    pub monitoring: Span,
    /// How often a step is made longer for want of evidence before a person is asked.
    pub max_extensions: u32,
    /// What turns a release back.
    pub triggers: Vec<MetricTrigger>,
    /// What turns a release back with no statistics.
    pub hard_trip: HardTripRule,
    /// Names of metrics that plugins measure beside `error-rate` and `latency`; triggers may name them.
    pub custom_metrics: Vec<String>,
}

impl Default for Rollout {
    fn default() -> Self {
        let plan = Plan::defaults("");
        Self {
            environment: plan.production,
            interval: Span(plan.interval),
            min_samples: Trigger::MIN_SAMPLES,
            steps: plan
                .steps
                .iter()
                .map(|step| Share { traffic: percent(f64::from(step.percent)), r#for: Span(step.duration) })
                .collect(),
            monitoring: Span(plan.monitoring),
            max_extensions: plan.max_extensions,
            triggers: plan.triggers.iter().map(MetricTrigger::of).collect(),
            hard_trip: HardTripRule::default(),
            custom_metrics: Vec::new(),
        }
    }
}

/// A share of the traffic for a time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Share {
    /// The candidate's share, a whole number of per cent.
    #[schemars(with = "crate::schema::PercentText")]
    pub traffic: Percent,
    /// How long it holds.
    #[schemars(with = "crate::schema::SpanText")]
    pub r#for: Span,
}

/// A metric that turns a release back: either `above` something, or `worse-by` a share than what served before.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MetricTrigger {
    /// `error-rate`, `latency`, or one of `custom-metrics`.
    pub metric: String,
    /// A share for a rate, such as `5 %`, or a time for a latency, such as `2s`.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::ThresholdText>")]
    pub above: Option<Threshold>,
    /// How much worse than the release before, such as `20 %`.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::PercentText>")]
    pub worse_by: Option<Percent>,
    /// The quantile of a latency that is looked at, between 0 and 1. 0.95 when absent.
    #[serde(default)]
    pub quantile: Option<f64>,
    /// Over how long it is measured.
    #[serde(default = "default_window")]
    #[schemars(with = "crate::schema::SpanText")]
    pub window: Span,
    /// Whether it turns the release back by itself; otherwise the step is held and a person is asked.
    #[serde(default = "default_critical")]
    pub critical: bool,
}

/// The quantile that is looked at where none is named.
pub(crate) const QUANTILE: f64 = 0.95;

fn default_window() -> Span {
    Span(Duration::from_secs(300))
}

fn default_critical() -> bool {
    true
}

impl MetricTrigger {
    fn of(trigger: &Trigger) -> Self {
        let (above, worse_by, quantile) = match trigger.rule {
            Rule::RateAbove(share) => (Some(Threshold::Share(percent(share * 100.0))), None, None),
            Rule::QuantileAbove { quantile, seconds } => {
                (Some(Threshold::Time(Span(Duration::from_secs_f64(seconds)))), None, Some(quantile))
            }
            Rule::WorseBy { ratio, quantile } => (None, Some(percent(ratio * 100.0)), Some(quantile)),
        };
        let metric = trigger.metric.clone();
        Self { metric, above, worse_by, quantile, window: Span(trigger.window), critical: trigger.critical }
    }
}

/// A share or a time; which, its unit says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// For a rate.
    Share(Percent),
    /// For a latency.
    Time(Span),
}

impl FromStr for Threshold {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.trim_end().ends_with('%') {
            return text.parse().map(Self::Share);
        }
        text.parse().map(Self::Time).map_err(|error| match error {
            QuantityError::NoUnit(text, _) => QuantityError::NoUnit(text, "`5 %` for a rate or `2s` for a latency"),
            QuantityError::NotANumber(text, _) => {
                QuantityError::NotANumber(text, "`5 %` for a rate or `2s` for a latency")
            }
            other => other,
        })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => share.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written<'a> {
            Text(Cow<'a, str>),
            Whole(i64),
            Real(f64),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Whole(number) => number.to_string().into(),
            Written::Real(number) => number.to_string().into(),
        };
        text.parse().map_err(de::Error::custom)
    }
}

/// So many failures that no statistics are needed.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HardTripRule {
    /// The share of failures.
    #[schemars(with = "crate::schema::PercentText")]
    pub rate: Percent,
    /// The least number of requests.
    pub min_samples: u64,
}

impl Default for HardTripRule {
    fn default() -> Self {
        let trip = autodevops_pipeline::HardTrip::default();
        Self { rate: percent(trip.rate * 100.0), min_samples: trip.min_samples }
    }
}

/// What is done when something is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Retries {
    /// How often it is tried again.
    pub count: u32,
    /// Time before the first retry; it doubles with each.
    #[schemars(with = "crate::schema::SpanText")]
    pub after: Span,
}

impl Default for Retries {
    fn default() -> Self {
        let plan = Plan::defaults("");
        Self { count: plan.retries, after: Span(plan.retry_after) }
    }
}

/// A share that is known to lie between 0 and 100; rounded, since a fraction may not come back exactly.
fn percent(value: f64) -> Percent {
    let rounded = (value * 1e6).round() / 1e6;
    Percent::new(rounded.clamp(0.0, 100.0)).unwrap_or_else(|| unreachable!("clamped"))
}
