//! Why the host refused something that a plugin asked for, as its record says it.

use std::net::IpAddr;

use autodevops_policy::{Denial, Limit};

/// Why an operation was refused: before it was done, or while it was under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The operator has not granted it.
    #[error("not granted")]
    NotGranted,
    /// The call went over one of its limits by it.
    #[error("over limits.{0}")]
    Over(Limit),
    /// It leads out of a granted folder, changes one that is only read, or is no file.
    #[error("outside of the granted folder, in one that is only read, or no file")]
    NotPermitted,
    /// Its path or name is longer than any that there is.
    #[error("a name that is too long")]
    TooLong,
    /// No plugin may use the method.
    #[error("a method that no plugin may use")]
    Method,
    /// A header is there that is the host's to set.
    #[error("a header that is the host's to set")]
    Header,
    /// A mail's subject is empty, or holds a line's end or another control character, by which it would be more than one header.
    #[error("a subject that is not one line")]
    Subject,
    /// It is no address of a document.
    #[error("no URL that may be asked")]
    Url,
    /// The host's name leads to an address that a plugin reaches only where it was granted as such.
    #[error("{0} is no address that was granted")]
    Address(IpAddr),
    /// The credential that goes with it is not to be had.
    #[error("without its credential {0}")]
    Credential(String),
    /// The answer is in a coding in which an echo of the credential could not be found.
    #[error("an answer in a coding that could hide the credential")]
    Coding(Option<String>),
    /// What was to be filled into the operator's command is no name.
    #[error("a value that no command is given")]
    Fill,
    /// The call ended while it was under way: nobody waited for its answer.
    #[error("cut off by the end of the call; it may have been done")]
    Cut,
    /// The answer is in another protocol.
    #[error("an answer that changes the protocol")]
    Protocol,
}

impl From<&Denial> for Refusal {
    fn from(denial: &Denial) -> Self {
        denial.limit().map_or(Self::NotGranted, Self::Over)
    }
}
