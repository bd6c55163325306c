//! What turns a release back, and how sure that must be.

use std::{fmt, str::FromStr, time::Duration};

use autodevops_pipeline::{CountTrigger, Counted, Decision, Direction, NoData, Rule, Trigger};
use autodevops_policy::{Percent, QuantityError, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::rollout::percent;

/// A metric that turns a release back: `above` or `below` something, `worse-by` a share than what served before, or `at-least` so many.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MetricTrigger {
    /// `error-rate`, `latency`, or one of `custom-metrics`; or what the host counts: `complaints`, `critical-errors`.
    pub metric: String,
    /// A share for a rate, such as `5 %`, or a time for a latency, such as `2s`.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::ThresholdText>")]
    pub above: Option<Threshold>,
    /// A share for a rate of which less is worse, such as `95 %`.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::PercentText>")]
    pub below: Option<Percent>,
    /// How much worse than the release before, such as `20 %`.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::PercentText>")]
    pub worse_by: Option<Percent>,
    /// How many `complaints` or `critical-errors` within the window turn a release back.
    #[serde(default)]
    pub at_least: Option<u32>,
    /// Which way is worse, for `worse-by`. `increase` when absent.
    #[serde(default)]
    pub direction: Option<WorseDirection>,
    /// For `worse-by`: a smaller difference is none, however sure: a share for a rate, such as `0.5 %`, or a time for a latency.
    /// `10ms` for a latency that is counted by buckets, and nothing for others, when absent. None can be written for what is counted in bytes
    /// or by number.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::ThresholdText>")]
    pub effect: Option<Threshold>,
    /// The quantile of a latency that is looked at, between 0 and 1. For `above` 0.95 when absent; for `worse-by` all latencies are
    /// compared then, by ranks.
    #[serde(default)]
    pub quantile: Option<f64>,
    /// Over how long it is measured.
    #[serde(default = "default_window")]
    #[schemars(with = "crate::schema::SpanText")]
    pub window: Span,
    /// For how long after a step began nothing counts: a release that has just got its traffic is cold. Nothing when absent. The hard trip
    /// knows no delay.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::SpanText>")]
    pub initial_delay: Option<Span>,
    /// Fewer requests than this decide nothing. As in `[rollout]` when absent.
    #[serde(default)]
    pub min_samples: Option<u64>,
    /// Whether it turns the release back by itself; otherwise the step is held and a person is asked.
    #[serde(default = "default_critical")]
    pub critical: bool,
    /// How much it counts among those that are not critical: see `min-score`. 1 when absent.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Whether it is judged and put on record only.
    #[serde(default)]
    pub dry_run: bool,
    /// What it says when nothing was measured over its whole window in production. Staging may have no visitors. For `fail` no step in
    /// production, nor the monitoring, may be shorter than the window, and `initial-delay` before it.
    #[serde(default)]
    pub no_data: NoDataPolicy,
}

/// Which way a metric is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorseDirection {
    /// More is worse.
    Increase,
    /// Less is worse.
    Decrease,
}

/// What no data says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoDataPolicy {
    /// Nothing: the step waits, and a person is asked in the end.
    #[default]
    Inconclusive,
    /// As much as a bad window.
    Fail,
    /// Refused: silence never passes.
    #[schemars(skip)]
    Pass,
}

/// The quantile that is looked at where none is named.
const QUANTILE: f64 = 0.95;

fn default_window() -> Span {
    Span(Duration::from_secs(300))
}

fn default_critical() -> bool {
    true
}

impl MetricTrigger {
    /// As it is written.
    pub(crate) fn of(trigger: &Trigger) -> Self {
        let (mut above, mut below, mut worse_by, mut quantile) = (None, None, None, None);
        match trigger.rule {
            Rule::RateAbove(share) => above = Some(Threshold::Share(percent(share * 100.0))),
            Rule::RateBelow(share) => below = Some(percent(share * 100.0)),
            Rule::QuantileAbove { quantile: of, seconds } => {
                above = Some(Threshold::Time(Span(Duration::from_secs_f64(seconds))));
                quantile = Some(of);
            }
            Rule::WorseBy { ratio, quantile: of } => {
                worse_by = Some(percent(ratio * 100.0));
                quantile = of;
            }
        }
        Self {
            metric: trigger.metric.clone(),
            above,
            below,
            worse_by,
            at_least: None,
            direction: None,
            effect: None,
            quantile,
            window: Span(trigger.window),
            initial_delay: None,
            min_samples: None,
            critical: trigger.critical,
            weight: None,
            dry_run: trigger.dry_run,
            no_data: NoDataPolicy::default(),
        }
    }

    /// As a count is written.
    pub(crate) fn of_count(trigger: &CountTrigger) -> Self {
        Self {
            metric: trigger.counted.name().to_owned(),
            above: None,
            below: None,
            worse_by: None,
            at_least: Some(trigger.at_least),
            direction: None,
            effect: None,
            quantile: None,
            window: Span(trigger.window),
            initial_delay: None,
            min_samples: None,
            critical: trigger.critical,
            weight: None,
            dry_run: false,
            no_data: NoDataPolicy::default(),
        }
    }

    /// What is counted by it; none where it measures something.
    pub(crate) fn count(&self) -> Option<CountTrigger> {
        let (counted, at_least) = (Counted::named(&self.metric)?, self.at_least?);
        Some(CountTrigger { counted, at_least, window: self.window.0, critical: self.critical })
    }

    /// What it is to a run, where `min_samples` are asked of all. None where it counts; all others have a rule, validation sees to it.
    pub(crate) fn trigger(&self, min_samples: u64) -> Option<Trigger> {
        let rule = match (self.above, self.below, self.worse_by) {
            (Some(Threshold::Share(share)), ..) => Rule::RateAbove(share.ratio()),
            (Some(Threshold::Time(time)), ..) => {
                Rule::QuantileAbove { quantile: self.quantile.unwrap_or(QUANTILE), seconds: time.0.as_secs_f64() }
            }
            (None, Some(share), _) => Rule::RateBelow(share.ratio()),
            (None, None, Some(share)) => Rule::WorseBy { ratio: share.ratio(), quantile: self.quantile },
            (None, None, None) => return None,
        };
        Some(Trigger {
            metric: self.metric.clone(),
            rule,
            window: self.window.0,
            initial_delay: self.initial_delay.map_or(Duration::ZERO, |delay| delay.0),
            min_samples: self.min_samples.unwrap_or(min_samples),
            critical: self.critical,
            direction: match self.direction {
                Some(WorseDirection::Decrease) => Direction::Decrease,
                Some(WorseDirection::Increase) | None => Direction::Increase,
            },
            effect: self.effect.map(Threshold::number),
            weight: self.weight.unwrap_or(1.0),
            dry_run: self.dry_run,
            no_data: match self.no_data {
                NoDataPolicy::Fail => NoData::Fail,
                NoDataPolicy::Inconclusive | NoDataPolicy::Pass => NoData::Inconclusive,
            },
        })
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

impl Threshold {
    /// The share, from 0 to 1, or the seconds.
    fn number(self) -> f64 {
        match self {
            Self::Share(share) => share.ratio(),
            Self::Time(time) => time.0.as_secs_f64(),
        }
    }
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
        autodevops_policy::deserialize_quantity(deserializer)
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

/// How sure a verdict must be.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DecisionRules {
    /// Steps of at most this share are decided by the sequential test, with as few requests as possible; `0 %`: none.
    #[schemars(with = "crate::schema::PercentText")]
    pub sequential_up_to: Percent,
    /// The chance that the sequential tests of a whole rollout turn a good release back.
    #[schemars(with = "crate::schema::PercentText")]
    pub alpha: Percent,
    /// The chance that a sequential test takes a bad release for a good one.
    #[schemars(with = "crate::schema::PercentText")]
    pub beta: Percent,
    /// The chance that the windows of a whole rollout turn a good release back, over all metrics and looks; `100 %`: each look is
    /// judged as if it were the only one.
    #[schemars(with = "crate::schema::PercentText")]
    pub window_alpha: Percent,
    /// So many bad windows in a row turn a release back: of one rule and one service, with no moment in common.
    pub bad_windows: u32,
    /// The share of the triggers' weights that must not fail: below it, triggers that are not critical turn back together.
    #[schemars(with = "crate::schema::PercentText")]
    pub min_score: Percent,
}

impl Default for DecisionRules {
    fn default() -> Self {
        let Decision { sequential_up_to, alpha, beta, window_alpha, bad_windows, min_score } = Decision::default();
        Self {
            sequential_up_to: percent(f64::from(sequential_up_to)),
            alpha: percent(alpha * 100.0),
            beta: percent(beta * 100.0),
            window_alpha: percent(window_alpha * 100.0),
            bad_windows,
            min_score: percent(min_score * 100.0),
        }
    }
}
