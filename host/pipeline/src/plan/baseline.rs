//! What a release is compared with.

use serde::{Deserialize, Serialize};

use crate::Plan;

/// What a release is compared with while it has a part of production's traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// The stable release as it serves: warm, and with most of the traffic.
    #[default]
    Stable,
    /// An instance of the stable release that is started with the candidate and has the same share, so that the two differ in nothing but
    /// their code (Netflix' Kayenta compares so).
    Fresh,
}

impl Baseline {
    /// The greatest share, in per cent, at which a fresh baseline has as much beside the candidate: what serves keeps no less than either.
    /// Above it stable itself is about as large as the candidate.
    pub const FRESH_UP_TO: u8 = 33;

    /// Whether nothing is said, as in plans of before.
    pub const fn is_default(&self) -> bool {
        matches!(self, Self::Stable)
    }

    /// Whether a fresh one has traffic at a step of so many per cent.
    pub(crate) const fn is_fresh_at(self, percent: u8) -> bool {
        matches!(self, Self::Fresh) && percent <= Self::FRESH_UP_TO
    }
}

impl Plan {
    /// Whether a fresh baseline is wanted that any of the steps leaves room for.
    pub(crate) fn has_fresh_step(&self) -> bool {
        self.steps.iter().any(|step| self.baseline.is_fresh_at(step.percent))
    }
}
