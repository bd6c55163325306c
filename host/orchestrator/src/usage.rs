//! What was asked for, or configured, in a way that cannot be meant.

use autodevops_pipeline::Refused;

/// Something was named that is not there, or said that does not fit; nothing was done. A command line tells it apart from what
/// failed by its exit code, and whoever asked over a socket is told so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// That something is named: an empty beginning, as of a variable that is not set, is that of every name, and where there is one thing alone
/// it would be taken for meant. `said` is what to give.
///
/// # Errors
/// [`Usage`] where it is blank.
pub fn beginning(start: &str, said: &str) -> Result<(), Usage> {
    if start.trim().is_empty() { Err(Usage(format!("nothing is named; {said}"))) } else { Ok(()) }
}

/// What was asked for makes sense, and does not fit how things stand; nothing was done. It says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Declined(pub String);

/// Whether what was asked for lacks something or cannot be meant, whatever it is of: [`Usage`], or a run's [`Refused`] that says so.
pub fn is_misuse(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Usage>() || cause.downcast_ref::<Refused>().is_some_and(Refused::is_misuse))
}
