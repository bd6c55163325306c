//! Why a call gave no result.

use autodevops_model::{Stage, StageError};

use autodevops_policy::Denial;

/// The kinds of failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// The plugin's own error: it ran to its end and says that it could not do it.
    #[error("{0}")]
    Refused(StageError),
    /// The plugin trapped: a panic, an abort, an access outside its memory.
    #[error("trapped: {0}")]
    Trap(String),
    /// The call's time ran out.
    #[error("ran out of time after {0}; raise `limits.wall-time` if it needs more")]
    OutOfTime(autodevops_policy::Span),
    /// The call's memory ran out.
    #[error("ran out of its {0} of memory; raise `limits.memory` if it needs more")]
    OutOfMemory(autodevops_policy::Bytes),
    /// It asked for something that was not granted and could not go on.
    #[error("{0}")]
    Denied(Denial),
    /// What it gave back is no valid value, or too large.
    #[error("gave back something that is not taken: {0}")]
    BadOutput(String),
    /// The host could not make the call.
    #[error("the call could not be made: {0}")]
    Host(String),
}

/// A failed call: which plugin, which stage, why, and what the guest wrote to stderr last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The plugin.
    pub plugin: String,
    /// The stage that was called; none for a script.
    pub stage: Option<Stage>,
    /// Why.
    pub failure: CallFailure,
    /// The end of what the guest wrote to stderr, a panic's message included; control characters are escaped.
    pub stderr: String,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.stage {
            Some(stage) => write!(f, "plugin `{}` ({stage}) {}", self.plugin, self.failure)?,
            None => write!(f, "`{}` {}", self.plugin, self.failure)?,
        }
        let stderr = self.stderr.trim();
        if !stderr.is_empty() {
            write!(f, "\nits last words:\n{stderr}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {}
