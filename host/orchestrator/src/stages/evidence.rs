//! What a plugin is told of what went wrong: one that can send it on is told it without secrets and personal data.

use autodevops_model::{Fix, Issue};
use autodevops_pipeline::Run;
use autodevops_policy::redact::Redaction;
use autodevops_sandbox::Plugin;

use super::Stages;

/// A run's evidence, as one plugin may see it.
pub(super) struct Evidence<'a>(Option<&'a Redaction>);

impl Stages {
    /// As this plugin may see it.
    pub(super) fn evidence(&self, plugin: &Plugin) -> Evidence<'_> {
        Evidence(plugin.grant().sends().then_some(&self.project.redaction))
    }
}

impl Evidence<'_> {
    /// The run's issue.
    pub(super) fn issue(&self, run: &Run) -> Issue {
        self.0.map_or_else(|| run.issue().clone(), |redaction| redaction.issue(run.issue()))
    }

    /// A fix: its words may quote the issue.
    pub(super) fn fix(&self, fix: &Fix) -> Fix {
        self.0.map_or_else(|| fix.clone(), |redaction| redaction.fix(fix))
    }
}
