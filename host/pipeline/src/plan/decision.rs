//! How sure a verdict must be.

use serde::{Deserialize, Serialize};

use super::Plan;

/// How sure a verdict must be, and how it is come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Decision {
    /// Steps of at most this share of the traffic are decided by the sequential test, with as few requests as possible; 0: none.
    pub sequential_up_to: u8,
    /// The chance, from 0 to 1, that the sequential tests of a whole rollout turn back a release that is good: shared among its
    /// metrics and steps. A watch that begins anew, since traffic was away or the run was held, has half the share of the one before, so
    /// that however many of them there are, they amount to one step more.
    pub alpha: f64,
    /// The chance, from 0 to 1, that a sequential test takes a bad release for a good one.
    pub beta: f64,
    /// The chance, from 0 to 1, that the windows of a whole rollout turn back a release that is good: shared among its metrics and
    /// among all looks at it; halved as above where a watch begins anew. 1: each look is judged as if it were the only one.
    pub window_alpha: f64,
    /// So many bad windows in a row turn a release back: one may be chance.
    pub bad_windows: u32,
    /// The share of the triggers' weights, from 0 to 1, that must not fail: below it triggers turn back together that would not
    /// by themselves.
    pub min_score: f64,
}

impl Default for Decision {
    fn default() -> Self {
        Self { sequential_up_to: 25, alpha: 0.002, beta: 0.05, window_alpha: 0.001, bad_windows: 2, min_score: 0.5 }
    }
}

impl Decision {
    /// As runs were decided that were started before plans said so.
    pub(super) fn before() -> Self {
        Self { sequential_up_to: 0, window_alpha: 1.0, min_score: 0.0, ..Self::default() }
    }

    /// As one look at one metric is decided, by the fixed-sample rules alone.
    pub fn single() -> Self {
        Self::before()
    }

    /// Whether a step with so much of the traffic is decided by the sequential test.
    pub const fn is_sequential(&self, percent: u8) -> bool {
        percent <= self.sequential_up_to
    }
}

impl Plan {
    /// How often the sequential test is made in a whole rollout: once for each metric and step, the monitoring being one.
    pub fn sequential_tests(&self) -> u64 {
        let metrics = self.triggers.iter().filter(|trigger| trigger.is_sequential() && !trigger.dry_run).count();
        let watches = self.steps.iter().map(|step| step.percent).chain([100]);
        let steps = watches.filter(|percent| self.decision.is_sequential(*percent)).count();
        (metrics.max(1) as u64).saturating_mul(steps.max(1) as u64)
    }

    /// How often a whole rollout is looked at, at most, each time over the trigger's own window and the whole watch.
    pub fn looks(&self) -> u64 {
        let watches = self.steps.iter().map(|step| step.duration).chain([self.soak, self.monitoring]);
        let each = watches.map(|length| length.as_nanos().div_ceil(self.interval.as_nanos().max(1)));
        let planned = u64::try_from(each.sum::<u128>()).unwrap_or(u64::MAX);
        planned.max(1).saturating_mul(2).saturating_mul(u64::from(self.max_extensions).saturating_add(1))
    }
}
