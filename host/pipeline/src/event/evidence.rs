//! What was measured, and what was decided by it.

use autodevops_model::{Measurement, Outcome as CheckOutcome, Window};
use serde::{Deserialize, Serialize};

/// What one source measured over one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sample {
    /// The service that was measured; empty where the project has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// The plugin that measured.
    pub source: String,
    /// What the host knows of whose plugin that is.
    #[serde(default, skip_serializing_if = "Origin::is_unknown")]
    pub origin: Origin,
    /// Whether the host's own edge or the platform counted, not the plugin: then one source is enough to promote.
    pub observed_by_host: bool,
    /// The window that was asked for, as the command named it.
    pub window: Window,
    /// What was observed.
    pub measurements: Vec<Measurement>,
}

/// Whose a source is: a name that its operator chose tells nothing, one component may have two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Origin {
    /// Who publishes the plugin, by its manifest; empty where that does not say. It is claimed, not proven.
    pub publisher: String,
    /// The component's digest; empty where it is not known.
    pub component: String,
}

impl Origin {
    /// Whether nothing is known, as in events of before.
    pub const fn is_unknown(&self) -> bool {
        self.publisher.is_empty() && self.component.is_empty()
    }

    /// Whether two can be held for two: other components of other publishers. Who is not named may be anyone.
    pub fn is_apart(&self, other: &Self) -> bool {
        let named = |one: &str, other: &str| !one.is_empty() && !other.is_empty() && one != other;
        named(&self.publisher, &other.publisher) && named(&self.component, &other.component)
    }
}

/// The rule of a verdict that nothing was measured.
pub(crate) const MEASURED_AT_ALL: &str = "measured at all";

/// The rule of a verdict that no trigger could judge.
pub(crate) const JUDGED_AT_ALL: &str = "judged at all";

/// A decision with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Verdict {
    /// The service that it is about; empty where the project has one, and where it is about all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// Passed, failed or inconclusive.
    pub outcome: CheckOutcome,
    /// The rule that decided.
    pub rule: String,
    /// The decision in words, with its numbers.
    pub words: String,
    /// The numbers, by name.
    pub numbers: Vec<(String, f64)>,
    /// The window that was judged.
    pub window: Option<Window>,
    /// How it was come to, where measurements were judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Whether it decides nothing: its trigger is a dry run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// How a verdict on measurements was come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// So many failures that no statistics are needed.
    HardTrip,
    /// Too few requests for any rule.
    MinSamples,
    /// Nothing was measured.
    NoData,
    /// What was measured cannot be judged.
    Error,
    /// Wilson's bound against a threshold.
    Wilson,
    /// The sequential probability ratio test.
    Sprt,
    /// Two shares against each other.
    TwoProportions,
    /// The quantile of a latency against the baseline's.
    Quantile,
    /// Latencies against each other, by ranks.
    MannWhitney,
    /// So many that no statistics are needed.
    Count,
}

impl Method {
    /// The method's name, as in its JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HardTrip => "hard-trip",
            Self::MinSamples => "min-samples",
            Self::NoData => "no-data",
            Self::Error => "error",
            Self::Wilson => "wilson",
            Self::Sprt => "sprt",
            Self::TwoProportions => "two-proportions",
            Self::Quantile => "quantile",
            Self::MannWhitney => "mann-whitney",
            Self::Count => "count",
        }
    }
}

impl Verdict {
    /// `pass`, `fail`, `inconclusive` or `error`.
    pub fn word(&self) -> &'static str {
        match (self.outcome, self.method) {
            (_, Some(Method::Error)) => "error",
            (CheckOutcome::Passed, _) => "pass",
            (CheckOutcome::Failed, _) => "fail",
            (CheckOutcome::Inconclusive, _) => "inconclusive",
        }
    }

    /// The decision in words with the rule that decided, and before it whose it is where the project has several services: such as
    /// `shop: error-rate above 5.0 %: 12.0 % of 100 requests failed, …`.
    pub fn told(&self) -> String {
        let whose = if self.service.is_empty() { String::new() } else { format!("{}: ", self.service) };
        let words = self.words.strip_prefix(&whose).unwrap_or(&self.words);
        match self.rule.as_str() {
            // What no trigger says needs no rule beside its words.
            "" | MEASURED_AT_ALL | JUDGED_AT_ALL => format!("{whose}{words}"),
            rule => match self.outcome {
                CheckOutcome::Failed => format!("{whose}{rule}: {words}"),
                CheckOutcome::Passed => format!("{whose}{rule} is not crossed: {words}"),
                CheckOutcome::Inconclusive => format!("{whose}{rule} is not decided: {words}"),
            },
        }
    }
}
