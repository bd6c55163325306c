//! What people are told, and copies of state that can be gone back to.

use std::fmt;

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
    /// All there is to say, as plain text: it may quote what a service logged, so whoever shows it escapes what would be markup there.
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

/// Whether the state is as it was when a snapshot of it was taken: what going back would lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "how", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Since {
    /// Nothing was written since.
    Unchanged,
    /// Something was: how it differs, in words.
    Changed(String),
    /// It cannot be told: why, in words.
    Unknown(String),
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("nothing was written since"),
            Self::Changed(how) => write!(f, "it was written to since: {how}"),
            Self::Unknown(why) => write!(f, "whether it was written to since is not known: {why}"),
        }
    }
}
