//! What turns a release back by its number alone, with no statistics and no rate: so many within a window.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::MINUTE;

/// So many signals within a window that they turn a release back.
///
/// It only ever speaks against a release: that nobody complained is no evidence that it is good, so nothing is passed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CountTrigger {
    /// What is counted.
    pub counted: Counted,
    /// So many of them, at least.
    pub at_least: u32,
    /// Within this time, and since the release has production's traffic.
    pub window: Duration,
    /// Whether it turns the release back by itself; otherwise the step is held and a person is asked.
    pub critical: bool,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// Complaints of those who use the service.
    Complaints,
    /// Faults of severity critical, that the watched logs did not show before the release had traffic.
    CriticalErrors,
}

impl Counted {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Complaints, Self::CriticalErrors];

    /// The name that a trigger names it by, as in its JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complaints => "complaints",
            Self::CriticalErrors => "critical-errors",
        }
    }

    /// What is counted by this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counted| counted.name() == name)
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl CountTrigger {
    /// The founding document's: three complaints in ten minutes, and one critical error.
    pub fn defaults() -> Vec<Self> {
        let trigger = |counted, at_least| Self { counted, at_least, window: 10 * MINUTE, critical: true };
        vec![trigger(Counted::Complaints, 3), trigger(Counted::CriticalErrors, 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_known_by_its_name_alone() {
        for counted in Counted::ALL {
            assert_eq!(Counted::named(counted.name()), Some(counted));
        }
        assert_eq!(Counted::named("error-rate"), None);
    }
}
