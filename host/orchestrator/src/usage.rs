//! What was asked for, or configured, in a way that cannot be meant.

/// Something was named that is not there, or said that does not fit; nothing was done. A command line tells it apart from what
/// failed by its exit code, and whoever asked over a socket is told so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// What was asked for makes sense, and does not fit how things stand; nothing was done. It says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Declined(pub String);
