//! A change as one commit on a branch of its own.

use std::ffi::OsStr;

use crate::{Head, ObjectId, Proposed, Repository, SourceError, git::text};

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
        let CommitRequest { change, branch, message, author, at } = *request;
        let reference = format!("refs/heads/{branch}");
        let taken = self.objects.ask(&["check-ref-format", &reference])?.code == Some(0);
        if !taken || branch.starts_with('-') {
            return Err(SourceError::BranchName(branch.to_owned()));
        }
        let commit = self.commit_tree(&change.tree, &[&change.base], author, at, message)?;
        let old = self.reference(&reference)?;
        if old.as_ref() != Some(&commit) {
            if let Some(old) = &old
                && !self.is_part_of(old, &change.base)?
            {
                return Err(SourceError::BranchTaken { branch: branch.to_owned(), at: old.to_string() });
            }
            self.merges(&change.base, &commit)?;
            self.set_reference(&reference, &commit, old.as_ref())?;
        }
        Ok(Committed { branch: branch.to_owned(), commit })
    }

    /// A tree as a commit that nothing refers to yet; author and committer are one, `at` is in seconds since 1970-01-01T00:00:00Z.
    fn commit_tree(
        &self,
        tree: &ObjectId,
        parents: &[&ObjectId],
        author: &str,
        at: i64,
        message: &str,
    ) -> Result<ObjectId, SourceError> {
        let no_author = || SourceError::Author(author.to_owned());
        let (name, rest) = author.split_once('<').ok_or_else(no_author)?;
        let (name, address) = (name.trim(), rest.strip_suffix('>').ok_or_else(no_author)?);
        let odd = |text: &str| text.is_empty() || text.contains(['<', '>', '\n', '\0']);
        if odd(name) || odd(address) {
            return Err(no_author());
        }
        let date = format!("@{at} +0000");
        let who = [
            ("GIT_AUTHOR_NAME", OsStr::new(name)),
            ("GIT_AUTHOR_EMAIL", OsStr::new(address)),
            ("GIT_AUTHOR_DATE", OsStr::new(&date)),
            ("GIT_COMMITTER_NAME", OsStr::new(name)),
            ("GIT_COMMITTER_EMAIL", OsStr::new(address)),
            ("GIT_COMMITTER_DATE", OsStr::new(&date)),
        ];
        let parents = parents.iter().flat_map(|parent| ["-p", parent.as_str()]);
        let arguments: Vec<&OsStr> =
            ["commit-tree", tree.as_str()].into_iter().chain(parents).chain(["-F", "-"]).map(OsStr::new).collect();
        // git takes no zero bytes in a message, and a plugin wrote the title.
        let message = message.replace('\0', "\u{fffd}").trim_end().to_owned() + "\n";
        text(&self.objects.run(&who, &arguments, Some(message.as_bytes()))?).parse()
    }

    /// Whether a commit is the other, or in its past.
    ///
    /// # Errors
    /// When git fails.
    pub fn is_part_of(&self, commit: &ObjectId, of: &ObjectId) -> Result<bool, SourceError> {
        let asked = self.objects.ask(&["merge-base", "--is-ancestor", commit.as_str(), of.as_str()])?;
        Ok(asked.code == Some(0))
    }

    /// Whether a commit, made on `base`, merges into what is checked out. Nothing is merged.
    ///
    /// # Errors
    /// [`SourceError::Conflict`] names the files.
    pub fn merges(&self, base: &ObjectId, commit: &ObjectId) -> Result<Head, SourceError> {
        let head = self.position()?;
        if self.is_part_of(&head.commit, commit)? {
            return Ok(head);
        }
        match self.merged_tree(&head.commit, commit)? {
            Ok(_) => Ok(head),
            Err(paths) => Err(SourceError::Conflict { base: base.to_string(), branch: head.branch, paths }),
        }
    }

    /// The commit that has both in its past and all that either changed: one of them where it has the other in its past, else a merge of
    /// them, which no branch refers to. Repeating it gives the same commit.
    ///
    /// # Errors
    /// [`SourceError::Apart`] names the files in which they conflict.
    pub fn joined(&self, one: &ObjectId, other: &ObjectId, author: &str) -> Result<ObjectId, SourceError> {
        if self.is_part_of(other, one)? {
            return Ok(one.clone());
        }
        if self.is_part_of(one, other)? {
            return Ok(other.clone());
        }
        let apart = |paths| SourceError::Apart { one: one.to_string(), other: other.to_string(), paths };
        let tree = self.merged_tree(one, other)?.map_err(apart)?;
        let at = self.committed_at(one)?.max(self.committed_at(other)?);
        let message = format!("Join what serves\n\nOf {one} and {other}.");
        self.commit_tree(&tree, &[one, other], author, at, &message)
    }

    /// The tree that two commits merge into; or the paths in which they conflict.
    fn merged_tree(&self, one: &ObjectId, other: &ObjectId) -> Result<Result<ObjectId, Vec<String>>, SourceError> {
        let arguments =
            ["merge-tree", "--write-tree", "--name-only", "-z", "--no-messages", one.as_str(), other.as_str()];
        let merged = self.objects.ask(&arguments)?;
        // The tree comes first, then the paths in conflict.
        let mut parts = merged.stdout.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
        let tree = parts.next().unwrap_or_default();
        match merged.code {
            Some(0) => Ok(Ok(tree.trim().parse()?)),
            Some(1) => {
                let mut paths: Vec<String> = parts.filter(|path| !path.is_empty()).collect();
                paths.dedup();
                Ok(Err(paths))
            }
            _ => Err(SourceError::Failed { command: "merge-tree".into(), reason: merged.stderr }),
        }
    }
}
