//! Why a plugin gave no result, in its own words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of failure it is: it decides whether the host retries, asks a person or gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The input or the configuration is wrong; the same call will fail again.
    InvalidInput,
    /// Something was needed that the operator has not granted.
    Denied,
    /// A service did not answer; the call may be retried.
    Unavailable,
    /// The plugin cannot do this.
    Unsupported,
    /// Anything else.
    Failed,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "invalid input",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        })
    }
}

/// The text of an error, for a person, and what goes with it, for a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ErrorInfo {
    /// One sentence that names the thing, what was wrong with it and what to do.
    pub message: String,
    /// Names and values that belong to the error, such as `status` and `503`.
    pub details: Vec<(String, String)>,
}

/// An error that a plugin returned: the WIT variant `error`, its case and its payload side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StageError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What it says.
    pub info: ErrorInfo,
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.info.message)?;
        for (name, value) in &self.info.details {
            write!(f, " ({name}: {value})")?;
        }
        Ok(())
    }
}

impl std::error::Error for StageError {}
