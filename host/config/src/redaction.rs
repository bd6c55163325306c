//! What is taken out of evidence before it leaves this machine.

use std::collections::BTreeMap;

use autodevops_policy::redact::{Redaction, RedactionError};
use schemars::JsonSchema;
use serde::Deserialize;

/// Secrets and personal data are taken out of what people are told, of commits' messages, and of the evidence that a plugin gets which may
/// send requests or mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RedactionSettings {
    /// Names of standard patterns whose finds are left in, such as `ip-address`.
    pub keep: Vec<String>,
    /// Further regular expressions, by a name of your own; where one has a group, that alone is taken out.
    pub patterns: BTreeMap<String, String>,
}

impl RedactionSettings {
    /// What takes it out.
    ///
    /// # Errors
    /// The first pattern that cannot be used, by its name; validation has refused it.
    pub fn redaction(&self) -> Result<Redaction, (String, RedactionError)> {
        Redaction::new(&self.keep, &self.patterns)
    }
}
