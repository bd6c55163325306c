//! The kinds of plugin.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a component can be to a run: one for each interface of the WIT package `autodevops:stages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Finds issues in logs.
    Analyzer,
    /// Proposes a change that ends an issue.
    FixGenerator,
    /// Writes tests for a fix.
    TestGenerator,
    /// Looks at a change.
    Check,
    /// Puts releases into an environment.
    DeployTarget,
    /// Measures releases that serve.
    HealthCheck,
    /// Tells people.
    Notifier,
    /// Keeps an environment's state safe across a rollback.
    StateGuard,
}

/// A name that is no stage's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStage(pub String);

impl fmt::Display for UnknownStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown stage `{}`; one of ", self.0)?;
        for (index, stage) in Stage::ALL.iter().enumerate() {
            write!(f, "{}{stage}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownStage {}

impl Stage {
    /// Every stage, in the order of the contract.
    pub const ALL: [Self; 8] = [
        Self::Analyzer,
        Self::FixGenerator,
        Self::TestGenerator,
        Self::Check,
        Self::DeployTarget,
        Self::HealthCheck,
        Self::Notifier,
        Self::StateGuard,
    ];

    /// The interface's name in WIT, such as `fix-generator`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Analyzer => "analyzer",
            Self::FixGenerator => "fix-generator",
            Self::TestGenerator => "test-generator",
            Self::Check => "check",
            Self::DeployTarget => "deploy-target",
            Self::HealthCheck => "health-check",
            Self::Notifier => "notifier",
            Self::StateGuard => "state-guard",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(|| UnknownStage(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_stage_is_found_by_its_name() {
        for stage in Stage::ALL {
            assert_eq!(stage.name().parse(), Ok(stage));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "analyser".parse::<Stage>().unwrap_err().to_string();
        assert!(error.starts_with("unknown stage `analyser`; one of analyzer, fix-generator"), "{error}");
    }
}
