//! A change as one commit on a branch of its own.

use crate::{Head, ObjectId, Proposed, Repository, SourceError};

/// What is committed, and how.
#[derive(Clone, Debug)]
pub struct CommitRequest<'a> {
    /// The change.
    pub change: &'a Proposed,
    /// The branch, such as `autodevops/3f2a`.
    pub branch: &'a str,
    /// The whole message.
    pub message: &'a str,
    /// Author and committer, `Name <address>`.
    pub author: &'a str,
    /// When, in seconds since 1970-01-01T00:00:00Z: the same for a repetition, so that it is the same commit.
    pub at: i64,
}

/// A change that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub commit: ObjectId,
}

impl Repository {
    /// Commits a change onto a branch of its own; the change must merge into what is checked out. Repeating it with the same
    /// request gives the same commit. A branch whose commit is part of the change's base goes forward.
    ///
    /// # Errors
    /// When the change does not merge, or the branch has another content.
    pub fn commit(&self, request: &CommitRequest<'_>) -> Result<Committed, SourceError> {
        let _ = request;
        unimplemented!()
    }

    /// Whether a commit merges into what is checked out.
    ///
    /// # Errors
    /// [`SourceError::Conflict`] names the files.
    pub fn merges(&self, base: &ObjectId, commit: &ObjectId) -> Result<Head, SourceError> {
        let _ = (base, commit);
        unimplemented!()
    }
}
