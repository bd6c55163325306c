//! The project's files of a commit or tree, as plain files.

use std::path::Path;

use crate::{ObjectId, Repository, SourceError};

impl Repository {
    /// Writes the project's files, as a commit or a tree (of [`crate::Proposed`]) has them, into a folder, which is made and must
    /// be empty. Bytes are git's own: no filter, no end-of-line conversion. Links that leave the project are refused.
    ///
    /// # Errors
    /// When something is refused or cannot be written; the folder may hold a part then, and is to be removed.
    pub fn export(&self, commit_or_tree: &ObjectId, into: &Path) -> Result<(), SourceError> {
        let _ = (commit_or_tree, into);
        unimplemented!()
    }
}
