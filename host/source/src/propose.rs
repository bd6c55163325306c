//! A proposed change as a tree of git.

use autodevops_model::{Edit, TestFile};

use crate::{ObjectId, Repository, SourceError};

/// What happens to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It has other bytes.
    Modified,
    /// It is gone.
    Deleted,
}

/// A path that a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedPath {
    /// The path, relative to the project.
    pub path: String,
    /// What happens to it.
    pub kind: ChangeKind,
}

/// A change that git holds as a tree, with no commit yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The commit that it was made for.
    pub base: ObjectId,
    /// The tree of the whole repository after it.
    pub tree: ObjectId,
    /// What it touches, sorted by path.
    pub changed: Vec<ChangedPath>,
}

impl Repository {
    /// Applies edits and adds tests to the project as it is in a commit. Nothing is committed, no file of the operator's touched.
    ///
    /// # Errors
    /// When any part of it is refused, and why.
    pub fn propose(&self, base: &ObjectId, edits: &[Edit], tests: &[TestFile]) -> Result<Proposed, SourceError> {
        let _ = (base, edits, tests);
        unimplemented!()
    }

    /// The change as a unified diff, for a person.
    ///
    /// # Errors
    /// When git cannot read it.
    pub fn diff(&self, proposed: &Proposed) -> Result<String, SourceError> {
        let _ = proposed;
        unimplemented!()
    }
}
