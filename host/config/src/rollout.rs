//! What starts a run, what it must show, and how a release comes to serve people.

use autodevops_model::Severity;
use autodevops_pipeline::{Baseline, Plan};
use autodevops_policy::{Percent, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::trigger::{DecisionRules, HardTripRule, MetricTrigger};

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
    /// Time between glances at the front door's own counts meanwhile, for what turns a release back at once: the hard trip and the
    /// sequential test.
    #[schemars(with = "crate::schema::SpanText")]
    pub glance: Span,
    /// Fewer requests than this decide nothing.
    pub min_samples: u64,
    /// Shares of the traffic, growing, the last one `100 %`.
    pub steps: Vec<Share>,
    /// How long the release is watched after the last step.
    #[schemars(with = "crate::schema::SpanText")]
    pub monitoring: Span,
    /// For how long after a run's end, or a deploy, a person goes back from the release with one command, `autodevops rollback`, without
    /// `--now`. By itself the host goes back up to the end of the monitoring, and not after.
    #[schemars(with = "crate::schema::SpanText")]
    pub rollback_window: Span,
    /// What the release is compared with: `stable`, or `fresh`, an instance of the stable release that is started with it and has the same
    /// share, at steps of at most 33 %.
    #[schemars(with = "crate::schema::BaselineName")]
    pub baseline: Baseline,
    /// How often a step is made longer for want of evidence before a person is asked.
    pub max_extensions: u32,
    /// So many measurements in a row that fail hold the step: a health check that is broken, or a front door that does not answer.
    pub error_limit: u32,
    /// What is done in git when a release is taken back whose change was merged.
    pub revert: Revert,
    /// What turns a release back.
    pub triggers: Vec<MetricTrigger>,
    /// What turns a release back with no statistics.
    pub hard_trip: HardTripRule,
    /// How sure a verdict must be.
    pub decision: DecisionRules,
    /// Names of metrics that plugins measure beside `error-rate` and `latency`; triggers may name them.
    pub custom_metrics: Vec<String>,
}

impl Default for Rollout {
    fn default() -> Self {
        let plan = Plan::defaults("");
        Self {
            environment: plan.production,
            interval: Span(plan.interval),
            glance: Span(plan.glance),
            min_samples: autodevops_pipeline::Trigger::MIN_SAMPLES,
            steps: plan
                .steps
                .iter()
                .map(|step| Share { traffic: percent(f64::from(step.percent)), r#for: Span(step.duration) })
                .collect(),
            monitoring: Span(plan.monitoring),
            rollback_window: Span(plan.monitoring),
            baseline: plan.baseline,
            max_extensions: plan.max_extensions,
            error_limit: plan.error_limit,
            revert: Revert::default(),
            triggers: plan
                .triggers
                .iter()
                .map(MetricTrigger::of)
                .chain(plan.counts.iter().map(MetricTrigger::of_count))
                .collect(),
            hard_trip: HardTripRule::default(),
            decision: DecisionRules::default(),
            custom_metrics: Vec::new(),
        }
    }
}

/// What is done in git when a release is taken back. The checkout is never touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Revert {
    /// The change is undone on a branch of its own, for a person to merge.
    #[default]
    Branch,
    /// Nothing: `autodevops revert` does it by a person's word.
    Off,
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
pub(crate) fn percent(value: f64) -> Percent {
    let rounded = (value * 1e6).round() / 1e6;
    Percent::new(rounded.clamp(0.0, 100.0)).unwrap_or_else(|| unreachable!("clamped"))
}
