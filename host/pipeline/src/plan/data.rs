//! What becomes of the service's data when a release is taken back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who keeps production's data, and what is done with it after a rollback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataPlan {
    /// Plugins that take a snapshot before the release comes to production.
    pub guards: Vec<String>,
    /// Whether the release may not come to production without them.
    pub preserve: bool,
    /// What is done after a rollback.
    pub restore: Restore,
    /// How long after traffic went back the data is left alone: what the release is still answering may write to it.
    pub settle: Duration,
}

/// What is done with the data after a release is taken back. Going back to the snapshot loses what was written since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restore {
    /// It goes back to the snapshot by itself.
    OnRollback,
    /// A person is asked.
    #[default]
    Ask,
    /// It stays as it is.
    Never,
}

impl DataPlan {
    /// Whether nothing is said, as in plans of before.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
