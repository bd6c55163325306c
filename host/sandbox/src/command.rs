//! The operator's commands, as the sandbox offers them to a plugin that was granted one by name. Implemented above this room.

use autodevops_model::StageError;

/// What came of a command that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The end of what it wrote to standard error, at most 4 KiB.
    pub stderr: String,
}

/// Why a command did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCompleted {
    /// A value that was to be filled in is no name, or one is missing: it was not run.
    Unfit(String),
    /// It wrote more than was allowed, and was ended for that.
    TooMuch,
    /// It could not be run, or took too long: the error names it and the remedy.
    Failed(StageError),
}

/// The operator's commands.
#[async_trait::async_trait]
pub trait OperatorCommands: Send + Sync {
    /// Runs a command to its end, with these values for its placeholders. Where this is dropped, the command is ended with all that
    /// it started. It may write `most` bytes to its standard output.
    ///
    /// # Errors
    /// [`NotCompleted`]: it did not come to its end.
    async fn run(&self, name: &str, fills: &[(String, String)], most: u64) -> Result<Completed, NotCompleted>;
}
