//! Whose word is needed, and who is told when nobody gives it.

use autodevops_pipeline::{Approval, Level};
use autodevops_policy::Span;
use schemars::JsonSchema;
use serde::Deserialize;

/// Whose word is needed before production.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ApprovalRules {
    /// Whether production waits for it.
    pub required: bool,
    /// Who may approve: the user who owns the state folder, root, or names in `[server.tokens]` or `[server.links]`. Empty: whoever may
    /// speak to the runs.
    pub approvers: Vec<String>,
    /// Who may not approve, whoever else names them; `author` stands for the author of the change: the plugin that made it, and
    /// the name and address of `[git] author`.
    pub excluded: Vec<String>,
    /// How many different approvers are needed.
    pub count: u32,
    /// How long it is waited for; then the run is aborted.
    #[schemars(with = "crate::schema::SpanText")]
    pub timeout: Span,
    /// Whether one approver with a reason may stand for all.
    pub emergency_bypass: bool,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        let Approval { required, approvers, excluded, count, timeout, emergency_bypass, .. } = Approval::default();
        Self { required, approvers, excluded, count, timeout: Span(timeout), emergency_bypass }
    }
}

impl ApprovalRules {
    /// What a run holds to; `author` is whom its changes are committed by, as `Name <address>`.
    pub(crate) fn rules(&self, author: &str) -> Approval {
        Approval {
            required: self.required,
            approvers: self.approvers.clone(),
            excluded: self.excluded.clone(),
            author: author.to_owned(),
            count: self.count,
            timeout: self.timeout.0,
            emergency_bypass: self.emergency_bypass,
        }
    }
}

/// Who is told when nobody answered for so long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EscalationLevel {
    /// How long after people were asked, or were needed; the levels' times grow. Of a question at the latest when the time to answer it is
    /// over: what people are needed for otherwise, such as a rollback that was no help, has no such end.
    #[schemars(with = "crate::schema::SpanText")]
    pub after: Span,
    /// Plugins that tell them.
    pub notifiers: Vec<String>,
}

impl EscalationLevel {
    pub(crate) fn level(&self) -> Level {
        Level { after: self.after.0, notifiers: self.notifiers.clone() }
    }
}
