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
        let CommitRequest { change, branch, .. } = *request;
        let reference = format!("refs/heads/{branch}");
        let taken = self.objects.ask(&["check-ref-format", &reference])?.code == Some(0);
        if !taken || branch.starts_with('-') {
            return Err(SourceError::BranchName(branch.to_owned()));
        }
        let commit = self.commit_object(request)?;
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

    /// The commit as an object that nothing refers to yet.
    fn commit_object(&self, request: &CommitRequest<'_>) -> Result<ObjectId, SourceError> {
        let author = || SourceError::Author(request.author.to_owned());
        let (name, rest) = request.author.split_once('<').ok_or_else(author)?;
        let (name, address) = (name.trim(), rest.strip_suffix('>').ok_or_else(author)?);
        let odd = |text: &str| text.is_empty() || text.contains(['<', '>', '\n', '\0']);
        if odd(name) || odd(address) {
            return Err(author());
        }
        let date = format!("@{} +0000", request.at);
        let who = [
            ("GIT_AUTHOR_NAME", OsStr::new(name)),
            ("GIT_AUTHOR_EMAIL", OsStr::new(address)),
            ("GIT_AUTHOR_DATE", OsStr::new(&date)),
            ("GIT_COMMITTER_NAME", OsStr::new(name)),
            ("GIT_COMMITTER_EMAIL", OsStr::new(address)),
            ("GIT_COMMITTER_DATE", OsStr::new(&date)),
        ];
        let Proposed { tree, base, .. } = request.change;
        let arguments = ["commit-tree", tree.as_str(), "-p", base.as_str(), "-F", "-"].map(OsStr::new);
        // git takes no zero bytes in a message, and a plugin wrote the title.
        let message = request.message.replace('\0', "\u{fffd}").trim_end().to_owned() + "\n";
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
        let arguments =
            ["merge-tree", "--write-tree", "--name-only", "-z", "--no-messages", head.commit.as_str(), commit.as_str()];
        let merged = self.objects.ask(&arguments)?;
        match merged.code {
            Some(0) => Ok(head),
            Some(1) => {
                // The tree comes first, then the paths in conflict.
                let paths = merged.stdout.split(|byte| *byte == 0).skip(1).filter(|path| !path.is_empty());
                let mut paths: Vec<String> = paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect();
                paths.dedup();
                Err(SourceError::Conflict { base: base.to_string(), branch: head.branch, paths })
            }
            _ => Err(SourceError::Failed { command: "merge-tree".into(), reason: merged.stderr }),
        }
    }
}
