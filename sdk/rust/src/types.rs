//! The contract's nouns as plain Rust types; see the contract in `wit/` for what each field means.

pub use crate::bindings::{
    analyzer::exports::autodevops::stages::analyzer::{Grouped, LineGroup},
    base::autodevops::types::types::*,
    check::exports::autodevops::stages::check::CheckInput,
    deploy_target::exports::autodevops::stages::deploy_target::{Capabilities, Deployment, LiveState, Split},
    notifier::exports::autodevops::stages::notifier::Event,
    state_guard::exports::autodevops::stages::state_guard::SnapshotInfo,
};

impl Issue {
    /// An issue that was seen once, with nothing known but this; the rest is filled by struct update.
    pub fn new(fingerprint: impl Into<String>, kind: IssueKind, severity: Severity, title: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            fingerprint: fingerprint.into(),
            kind,
            message: title.clone(),
            title,
            exception: None,
            severity,
            confidence: 1.0,
            count: 1,
            first_seen: None,
            last_seen: None,
            evidence: Vec::new(),
            location: None,
            stack: Vec::new(),
            rate: None,
            reason: String::new(),
            template: None,
            history: None,
            forecast: None,
            related: Vec::new(),
        }
    }
}

impl Report {
    /// A report with an outcome and a sentence; findings, metrics and tests are added by struct update.
    pub fn new(outcome: Outcome, summary: impl Into<String>) -> Self {
        Self { outcome, summary: summary.into(), findings: Vec::new(), metrics: Vec::new(), tests: Vec::new() }
    }
}
