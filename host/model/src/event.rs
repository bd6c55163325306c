//! What people are told, and copies of state that can be gone back to.

use serde::{Deserialize, Serialize};

use crate::Severity;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Notification {
    /// The run.
    pub run: String,
    /// Name of the stage, in kebab-case.
    pub stage: String,
    /// How much it matters.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// All there is to say, as Markdown.
    pub body: String,
    /// Names and addresses to follow.
    pub links: Vec<(String, String)>,
    /// When it happened: nanoseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

/// A copy of the state that can be gone back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SnapshotInfo {
    /// Name of the snapshot, unique in its environment.
    pub id: String,
    /// When it was taken: nanoseconds since 1970-01-01T00:00:00Z.
    pub taken: i64,
    /// Its size, in bytes.
    pub bytes: u64,
}
