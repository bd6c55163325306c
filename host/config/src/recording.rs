//! What is recorded of runs, so that `autodevops replay` can run their plugins' calls again.

use autodevops_policy::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;

/// What the host answers plugins in a run, kept to be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RecordingSettings {
    /// Whether calls are recorded.
    pub enabled: bool,
    /// What one call may fill before it is packed, from 64 KiB to 512 MiB; a call that fills more cannot be replayed.
    #[schemars(with = "crate::schema::BytesText")]
    pub per_call: Bytes,
    /// What all calls of a run may fill together, from 64 KiB to 64 GiB.
    #[schemars(with = "crate::schema::BytesText")]
    pub per_run: Bytes,
    /// Of how many runs recordings are kept, from 1 to 10,000; those of the oldest go when a further run begins.
    pub runs: u32,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self { enabled: true, per_call: Bytes(64 << 20), per_run: Bytes(256 << 20), runs: 100 }
    }
}
