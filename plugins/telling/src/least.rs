//! What matters enough to be told.

use autodevops_sdk::types::{Event, Severity};
use serde::Deserialize;

/// The least severity, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Least {
    /// Everything.
    Info,
    /// What is off.
    Warning,
    /// What fails.
    Error,
    /// The worst.
    Critical,
}

impl Least {
    /// Whether the event is told: it matters so much, or someone is to answer.
    pub fn tells(self, event: &Event) -> bool {
        let severity = match event.severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
            Severity::Critical => Self::Critical,
        };
        severity >= self || asks(event)
    }
}

/// The severity's name.
pub const fn severity(event: &Event) -> &'static str {
    match event.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Critical => "critical",
    }
}

/// Whether someone is to answer.
pub fn asks(event: &Event) -> bool {
    event.links.iter().any(|(name, _)| matches!(name.as_str(), "approve" | "reject" | "acknowledge"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn what_matters_less_is_not_told_unless_it_asks() {
        assert!(Least::Error.tells(&event()));
        let silent = Event { links: Vec::new(), ..event() };
        assert!(!Least::Error.tells(&silent));
        assert!(Least::Info.tells(&silent));
        // A question is an error, whether or not links come with it.
        assert!(Least::Error.tells(&Event { severity: Severity::Error, ..silent.clone() }));
        assert!(Least::Error.tells(&Event { severity: Severity::Critical, ..silent }));
    }
}
