//! For how long what is not needed any more is kept.

use std::time::Duration;

use autodevops_policy::Span;
use schemars::JsonSchema;
use serde::Deserialize;

/// What `autodevops gc` removes: what was made longer ago, and nothing needs. What is live, what can be gone back to, what the front door
/// holds and what runs that are not over have to do with always stays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RetentionRules {
    /// Artifacts of releases; `autodevops rollback --to` can go back to no release whose artifact is gone.
    #[schemars(with = "crate::schema::SpanText")]
    pub artifacts: Span,
    /// What `[build] prepare` made.
    #[schemars(with = "crate::schema::SpanText")]
    pub prepared: Span,
    /// Snapshots of the service's data; the newest of each environment always stays.
    #[schemars(with = "crate::schema::SpanText")]
    pub snapshots: Span,
    /// Events of runs that ended; what they came to stays in `autodevops metrics`, and that they went in the audit. Absent, they are kept.
    #[schemars(with = "Option<crate::schema::SpanText>")]
    pub journal: Option<Span>,
    /// What complaints said, and whose they were; how many there were, and when, stays.
    #[schemars(with = "crate::schema::SpanText")]
    pub complaints: Span,
}

impl Default for RetentionRules {
    fn default() -> Self {
        let days = |days: u64| Span(Duration::from_secs(days * 86_400));
        Self { artifacts: days(30), prepared: days(30), snapshots: days(30), journal: None, complaints: days(365) }
    }
}
