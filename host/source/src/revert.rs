//! A change undone: as a commit on the one that made it, which merges wherever that one was merged.

use std::collections::BTreeSet;

use crate::{
    ChangeKind, ChangedPath, ObjectId, Proposed, Repository, SourceError,
    propose::IndexLine,
    tree::{Entry, Kind},
};

impl Repository {
    /// The project of `commit` as it was in `before`, as a change of `commit`. Nothing is committed, no file of the operator's touched;
    /// what lies outside of the project stays as it is. Committed, it is what `git revert` makes, and merges as that.
    ///
    /// # Errors
    /// When a commit is not there, a submodule differs, or nothing does.
    pub fn undo(&self, commit: &ObjectId, before: &ObjectId) -> Result<Proposed, SourceError> {
        let (now, then) = (self.entries(commit)?, self.entries(before)?);
        let paths: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
        let (mut lines, mut changed) = (Vec::new(), Vec::new());
        for path in paths {
            let (is, was) = (now.get(path), then.get(path));
            if is == was {
                continue;
            }
            if [is, was].into_iter().flatten().any(|entry| entry.kind == Kind::Submodule) {
                return Err(SourceError::Submodule(path.clone()));
            }
            let kind = match (is, was) {
                (None, _) => ChangeKind::Added,
                (Some(_), Some(_)) => ChangeKind::Modified,
                (Some(_), None) => ChangeKind::Deleted,
            };
            changed.push(ChangedPath { path: path.clone(), kind });
            let line = IndexLine { path: path.clone(), entry: was.map(|Entry { kind, id }| (*kind, id.clone())) };
            // A file must go before a folder of its name comes.
            if was.is_none() { lines.insert(0, line) } else { lines.push(line) }
        }
        self.indexed(commit, &lines, changed)
    }

    /// Whether a commit is part of what is checked out.
    ///
    /// # Errors
    /// When HEAD is at no branch or no commit.
    pub fn is_merged(&self, commit: &ObjectId) -> Result<bool, SourceError> {
        let head = self.position()?;
        self.is_part_of(commit, &head.commit)
    }
}
