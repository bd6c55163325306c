//! The service's data, such as its database: what becomes of it when a release is taken back, and the operator's commands that
//! plugins keep it by.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use autodevops_pipeline::Restore;
use autodevops_policy::Span;
use schemars::JsonSchema;
use serde::Deserialize;

/// What becomes of the service's data when a release is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DataRules {
    /// Whether no release may come to production without a snapshot that can be gone back to.
    pub preserve: bool,
    /// What is done with the data after a release is taken back. Going back to the snapshot loses what was written since.
    #[schemars(with = "crate::schema::RestoreName")]
    pub restore: Restore,
}

/// A program of the operator's, that a plugin may have run by its name where it is granted that.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OperatorCommand {
    /// The program and its arguments, without a shell. A plugin fills in `{snapshot}` and `{environment}`, with names alone.
    pub argv: Vec<String>,
    /// Its working folder, relative to the project; the project, when absent.
    #[serde(default)]
    pub folder: PathBuf,
    /// Environment variables of the command; nothing else is passed on but `PATH`, `HOME`, `LANG` and what `pass-env` names.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables of this host's environment that are passed on, such as `PGPASSFILE`.
    #[serde(default)]
    pub pass_env: Vec<String>,
    /// Time that it may take.
    #[serde(default = "default_timeout")]
    #[schemars(with = "crate::schema::SpanText")]
    pub timeout: Span,
}

fn default_timeout() -> Span {
    Span(Duration::from_secs(600))
}

impl OperatorCommand {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        self.folder = folder.join(&self.folder);
    }
}
