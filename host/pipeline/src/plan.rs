//! Everything about a run that is decided before it starts, so that a change of configuration cannot bend a run under way.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a run will do and what it is judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// Name of the service.
    pub service: String,
    /// Name of the environment that a release is tried in.
    pub staging: String,
    /// Name of the environment that serves people.
    pub production: String,
    /// How long staging is watched.
    pub soak: Duration,
    /// Shares of production's traffic, growing, the last one 100 %.
    pub steps: Vec<Step>,
    /// How long production is watched after the last step.
    pub monitoring: Duration,
    /// Time between measurements.
    pub interval: Duration,
    /// What turns a release back.
    pub triggers: Vec<Trigger>,
    /// What turns a release back with no statistics.
    pub hard_trip: HardTrip,
    /// Whose word is needed before production.
    pub approval: Approval,
    /// Plugins that review the change.
    pub review: Vec<String>,
    /// Plugins that check the change in the sandbox.
    pub checks: Vec<String>,
    /// Plugins that test the staged release at its address.
    pub automated: Vec<String>,
    /// Plugins that tell people.
    pub notifiers: Vec<String>,
    /// Least share of the changed lines that tests must reach, from 0 to 1; absent, it is not asked.
    pub min_coverage: Option<f64>,
    /// Whether there are plugins that write tests.
    pub test_generators: bool,
    /// Whether the operator has a build command; without one the tree itself is the artifact.
    pub build: bool,
    /// How often a step is made longer for want of evidence before a person is asked.
    pub max_extensions: u32,
    /// How often something unavailable is tried again.
    pub retries: u32,
    /// Time before the first retry; it doubles with each.
    pub retry_after: Duration,
}

/// A share of production's traffic for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// The candidate's share, from 1 to 100.
    pub percent: u8,
    /// How long it holds before the next.
    pub duration: Duration,
}

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
    /// Fewer requests than this decide nothing.
    pub min_samples: u64,
    /// Whether it turns the release back by itself; otherwise the step is held and a person is asked.
    pub critical: bool,
}

/// What a metric must not be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A rate above this share, from 0 to 1.
    RateAbove(f64),
    /// A quantile of a latency above so many seconds.
    QuantileAbove {
        /// From 0 to 1.
        quantile: f64,
        /// Seconds.
        seconds: f64,
    },
    /// Worse than the baseline by more than a share; for a latency, by 10 ms at least.
    WorseBy {
        /// The share, such as 0.2.
        ratio: f64,
        /// The quantile that is compared, for a latency.
        quantile: f64,
    },
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

/// Whose word is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Approval {
    /// Whether production waits for it.
    pub required: bool,
    /// Who may approve; where nobody is named, anyone whom the host lets speak to the run.
    pub approvers: Vec<String>,
    /// How many different approvers are needed.
    pub count: u32,
    /// How long it is waited for; then the run is aborted.
    pub timeout: Duration,
    /// Whether one approver with a reason may stand for all.
    pub emergency_bypass: bool,
}

/// Why a plan cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan of `{service}` cannot be followed: {what}; {remedy}")]
pub struct BadPlan {
    /// Name of the service.
    pub service: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Default for HardTrip {
    fn default() -> Self {
        Self { rate: 0.5, min_samples: 10 }
    }
}

impl Default for Approval {
    fn default() -> Self {
        Self { required: true, approvers: Vec::new(), count: 1, timeout: 2 * HOUR, emergency_bypass: false }
    }
}

impl Plan {
    /// The founding document's defaults, for a service of that name.
    pub fn defaults(service: impl Into<String>) -> Self {
        let step = |percent, duration| Step { percent, duration };
        Self {
            service: service.into(),
            staging: "staging".into(),
            production: "production".into(),
            soak: 30 * MINUTE,
            steps: vec![step(5, 10 * MINUTE), step(25, 30 * MINUTE), step(50, HOUR), step(100, 2 * HOUR)],
            monitoring: HOUR,
            interval: MINUTE,
            triggers: Trigger::defaults(),
            hard_trip: HardTrip::default(),
            approval: Approval::default(),
            review: Vec::new(),
            checks: Vec::new(),
            automated: Vec::new(),
            notifiers: Vec::new(),
            min_coverage: None,
            test_generators: false,
            build: false,
            max_extensions: 3,
            retries: 4,
            retry_after: Duration::from_secs(5),
        }
    }

    /// Whether the plan can be followed: its steps grow to 100 %, it measures, and enough people may approve.
    ///
    /// # Errors
    /// [`BadPlan`] names the first thing that is wrong.
    pub fn validate(&self) -> Result<(), BadPlan> {
        let bad = |what: &str, remedy: &str| {
            Err(BadPlan { service: self.service.clone(), what: what.to_owned(), remedy: remedy.to_owned() })
        };
        let grows = self.steps.iter().zip(self.steps.iter().skip(1)).all(|(a, b)| a.percent < b.percent);
        if !grows || self.steps.first().is_none_or(|step| step.percent == 0) {
            return bad("its steps do not grow from above 0 %", "list the shares from the least to 100");
        }
        if self.steps.last().is_none_or(|step| step.percent != 100) {
            return bad("its last step is not 100 %", "let the last step be 100");
        }
        if self.interval.is_zero() {
            return bad("the interval between measurements is zero", "give it at least a second");
        }
        if self.triggers.is_empty() {
            return bad(
                "it has no trigger, so nothing could pass a step",
                "name at least one metric that turns a release back",
            );
        }
        let named = self.approval.approvers.len();
        if self.approval.count == 0 || (named > 0 && self.approval.count as usize > named) {
            return bad(
                "more approvals are needed than there are approvers, or none",
                "let the count be from 1 to the number of approvers",
            );
        }
        Ok(())
    }
}

impl Trigger {
    /// Least number of requests that decide anything.
    pub const MIN_SAMPLES: u64 = 20;

    /// The defaults: 5 % errors, 2 s at the 95th percentile, and a latency worse than the baseline's by 20 %.
    pub fn defaults() -> Vec<Self> {
        let trigger = |metric: &str, rule| Self {
            metric: metric.into(),
            rule,
            window: 5 * MINUTE,
            min_samples: Self::MIN_SAMPLES,
            critical: true,
        };
        vec![
            trigger("error-rate", Rule::RateAbove(0.05)),
            trigger("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 }),
            trigger("latency", Rule::WorseBy { ratio: 0.2, quantile: 0.95 }),
        ]
    }
}
